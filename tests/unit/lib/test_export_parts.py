"""The parts of exported graphs compute what the parts that they replace compute; sizes, cards and devices."""

import json
from dataclasses import replace

import pytest
import torch

from inspyrenet.data.hub.onnx_files import KEY, GraphFileError, ModelMetadata, metadata_of
from inspyrenet.engine.export import (
    ExportError,
    ExportOptions,
    ParityResult,
    cases,
    default_output,
    parse_size,
    table,
)
from inspyrenet.lib import build_model
from inspyrenet.lib.backbones.swin import SwinEncoder
from inspyrenet.lib.export.exportable import GridDeformConv, exportable
from inspyrenet.lib.export.wrappers import GraphError, SinglePass, record
from inspyrenet.lib.inference import transition
from inspyrenet.lib.modules.conv import resize, without_autocast
from inspyrenet.lib.modules.deform_conv import DeformConv
from inspyrenet.lib.modules.sica import SICA
from inspyrenet.lib.sizes import SizeRule
from inspyrenet.lib.types import SizeError
from inspyrenet.networks.exported import preprocess_of
from inspyrenet.networks.runtimes import choose_provider
from inspyrenet.utils.system.device import DeviceError
from tests.thin_networks import Toy

torch.set_num_threads(1)
METADATA = ModelMetadata(
    "net", "InSPyReNet_Light", ("image", "resized"), ("saliency", "low"), 32, 0, 32, (64, 64), "dynamic", 160,
    (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), threshold=100,
)  # fmt: skip


# -- parts --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_swin_encoder_of_picked_lines_is_the_same_at_any_size():
    torch.manual_seed(0)
    encoder = SwinEncoder("SwinT").eval()
    for stage in encoder.layers:
        del stage.blocks[2:]
    graph = exportable(encoder)
    for size in ((64, 96), (32, 32), (224, 224), (100, 250), (20, 44)):  # the last: odd maps
        image = torch.randn(2, 3, *size)
        for ours, theirs in zip(graph(image), encoder(image), strict=True):
            torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("layout", ["as_trained", "corrected"])
@torch.no_grad()
def test_context_attention_is_recorded_for_any_size(layout):
    torch.manual_seed(0)
    sica = SICA(8, 4, 1, (64, 64), True, layout).eval()

    def inputs(height: int, width: int) -> tuple[torch.Tensor, ...]:
        return torch.randn(2, 8, 2 * height, 2 * width), *torch.randn(2, 2, 1, height, width).unbind(0)

    height, width = (torch.export.Dim(name, min=2, max=1000) for name in ("height", "width"))
    sizes = ({2: 2 * height, 3: 2 * width}, {2: height, 3: width}, {2: height, 3: width})
    graph = torch.export.export(exportable(sica), inputs(24, 14), dynamic_shapes=sizes).module()
    for size in ((24, 16), (8, 40)):
        given = inputs(*size)
        for ours, theirs in zip(graph(*given), sica(*given), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kernel", [1, 3, 7])
@torch.no_grad()
def test_deformable_convolution_by_one_grid_sampling_is_the_same(kernel):
    torch.manual_seed(0)
    conv = DeformConv(4, 6, kernel).double()
    for part in (conv.offset_conv, conv.modulator_conv):
        torch.nn.init.normal_(part.weight)
    graph = GridDeformConv(conv).double()
    for size in ((5, 9), (1, 3), (12, 1)):
        x = torch.randn(2, 4, *size, dtype=torch.float64)
        torch.testing.assert_close(graph(x), conv(x).to(torch.float64), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("size", [5, 9, 17])
def test_an_ellipse_is_the_union_of_its_rectangles(size):
    for shape in ((2, 1, 40, 30), (1, 1, 3, 50), (1, 2, 8, 8)):
        x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        assert torch.equal(transition.dilate_minus_erode_by_rectangles(x, size), transition.dilate_minus_erode(x, size))


@torch.no_grad()
def test_the_copy_leaves_the_network_alone():
    model = build_model("InSPyReNet_Light", depth=8, base_size=(64, 64)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    exportable(model)
    assert model.fast and model.training and all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match="grid or native"):
        exportable(model, "bent")


def test_only_a_recorded_graph_is_without_regions_and_questions():
    class Parts(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with without_autocast(x):
                return transition.transition_at(resize(x, (16, 16)), 0, (16, 16))

    x = torch.rand(1, 1, 16, 16)
    graph = torch.export.export(Parts(), (x,))
    calls = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert not any("autocast" in call for call in calls)
    assert sum("upsample_bilinear2d" in call for call in calls) == 2
    assert torch.equal(graph.module()(x), Parts()(x))
    assert resize(x, (16, 16)) is x and isinstance(without_autocast(x), torch.autocast)


# -- sizes --------------------------------------------------------------------------------------------------------


def test_a_graph_of_one_pass_keeps_the_size():
    assert SinglePass(Toy(), SizeRule(32))(torch.zeros(1, 3, 64, 32)).shape == (1, 1, 64, 32)


@pytest.mark.parametrize("text", ["384", "384x", "axb", "0x32", "1x2x3", "-3x4"])
def test_what_is_no_size_is_told(text):
    assert parse_size("384x640") == parse_size("384×640") == (384, 640)
    with pytest.raises(ExportError, match="HEIGHTxWIDTH"):
        parse_size(text)


def test_cases_show_batches_other_shapes_and_blending():
    found = cases(METADATA, (96, 320))
    assert ((96, 320), 1) in found and {batch for _, batch in found} == {1, 2}
    assert any(min(size) > METADATA.threshold for size, _ in found)
    assert all(SizeRule(32).admits(size) for size, _ in found)
    assert cases(replace(METADATA, fixed={"image": (64, 96)})) == [((64, 96), 1)]


def test_the_table_marks_what_is_too_much():
    text = table([ParityResult((64, 64), 1, 2e-6, 0.9), ParityResult((96, 64), 2, 3e-3, 0.8)], "onnx")
    assert text.count("TOO MUCH") == 1 and "96×64        2      3.0e-03     0.800  TOO MUCH" in text
    assert "flat" not in text and "maps are flat" in table([ParityResult((64, 64), 1, 0.0, 1e-9)], "onnx")


# -- cards --------------------------------------------------------------------------------------------------------


def test_a_card_survives_its_text():
    for metadata in (METADATA, replace(METADATA, sizing="static", size=(64, 96), fixed={"image": (64, 96)})):
        assert metadata_of({KEY: metadata.to_json()}, "x.onnx") == metadata


def test_a_wrong_card_is_told():
    with pytest.raises(GraphFileError, match=r"x\.onnx is an ONNX file, but not one"):
        metadata_of({"author": "someone"}, "x.onnx")
    newer = json.dumps({**json.loads(METADATA.to_json()), "format": 99})
    with pytest.raises(GraphFileError, match="newer version"):
        metadata_of({KEY: newer}, "x.onnx")
    for text in ("{}", "no json", "[]", json.dumps({"format": 1, "name": "x"})):
        with pytest.raises(GraphFileError, match="cannot be read"):
            metadata_of({KEY: text}, "x.onnx")


def test_sizing_is_the_cards_unless_another_is_asked_for():
    assert preprocess_of(METADATA, None) == preprocess_of(METADATA, "dynamic")
    own = preprocess_of(METADATA, None)
    assert (own.sizing, own.size, own.base_size) == ("dynamic", 160, (64, 64))
    assert preprocess_of(METADATA, "static").size == (64, 64)
    fixed = replace(METADATA, sizing="static", size=(64, 96), fixed={"image": (64, 96)}, threshold=None)
    assert preprocess_of(fixed, "static").base_size is None
    with pytest.raises(SizeError, match="takes images of 64×96 only"):
        preprocess_of(fixed, "dynamic")


def test_devices_are_providers():
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert choose_provider("auto", both) == ("CUDAExecutionProvider", "cuda:0", 0)
    assert choose_provider("cpu", both) == choose_provider("auto", both[1:]) == ("CPUExecutionProvider", "cpu", None)
    assert choose_provider("cuda:1", both) == ("CUDAExecutionProvider", "cuda:1", 1)
    apple = ["CoreMLExecutionProvider", "CPUExecutionProvider"]
    assert (
        choose_provider("mps", apple) == choose_provider("coreml", apple) == ("CoreMLExecutionProvider", "coreml", None)
    )
    assert choose_provider("auto", apple)[1] == "cpu"  # compiling for each size takes longer than computing
    for name, provider in (("rocm", "MIGraphX"), ("directml", "Dml"), ("openvino", "OpenVINO")):
        there = [f"{provider}ExecutionProvider", "CPUExecutionProvider"]
        assert choose_provider(name, there)[0] == there[0]
        with pytest.raises(DeviceError, match=f"has cpu only; the package onnxruntime-{name} has it"):
            choose_provider(name, there[1:])
    with pytest.raises(DeviceError, match="has cpu only; the package onnxruntime-gpu has it"):
        choose_provider("cuda", both[1:])
    for name in ("gpu", "cuda:one"):
        with pytest.raises(DeviceError, match=f"no device called '{name}'; onnxruntime has cpu here"):
            choose_provider(name, both[1:])


def test_runs_whose_names_have_dots_are_exported_to_files_of_their_own():
    assert str(default_output("Run.v1", ExportOptions())) == "Run.v1.onnx"
    assert str(default_output("Run.v1", ExportOptions(parts=True))) == "Run.v1"


def test_a_network_of_coarse_stages_alone_is_no_graph_of_maps():
    model = build_model(
        "InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=8, base_size=(64, 64), finest_stage=2
    )
    with pytest.raises(GraphError, match="its finest stage is 2"):
        record(model)
