"""Networks in int8: which parts, which images, what is refused, and that nothing is left of what was."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import ExecutionOrder
from onnxruntime.quantization import calibrate
from PIL import Image
from torch import nn

from inspyrenet.commands import export as Export
from inspyrenet.data.datasets.pairs import PreflightError
from inspyrenet.data.hub.onnx_files import KEY, ModelMetadata, metadata_of, save_onnx
from inspyrenet.engine.export import to_onnx
from inspyrenet.int8 import export as int8
from inspyrenet.int8.export import Int8Options, find_data, quantize_file
from inspyrenet.int8.graph import Int8Error, left_in_float32, quantize
from inspyrenet.int8.trial import FileResult, Trial
from inspyrenet.lib.export.wrappers import record
from inspyrenet.networks import exported
from inspyrenet.networks.exported import ExportedFile, preprocess_of
from tests.thin_networks import Toy
from tests.tiny_network import picture

torch.set_num_threads(1)
COUNT = 20


class Brightness(Toy):
    """What is bright is salient: eight channels of light, whose sum decides, and details of little weight.

    Each sees one color of one pixel: sums of several products saturate in int8 on CPUs without VNNI, and scores would be others.
    """

    def __init__(self):
        super().__init__()
        for index in range(len(self.levels)):
            light, total = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 1, 1)
            nn.init.zeros_(light.weight)
            for channel in range(8):
                nn.init.uniform_(light.weight[channel, channel % 3, 1, 1], 1, 1.7)
            nn.init.zeros_(light.bias)
            nn.init.constant_(total.weight, 0.02 if index else 2)
            nn.init.constant_(total.bias, 0 if index else -2)
            self.levels[index] = nn.Sequential(light, nn.ReLU(), total)


def write_set(folder: Path, seeds: range, black: bool = False) -> Path:
    """Ellipses and their masks, at two sizes; black: the images show nothing."""
    for seed in seeds:
        image = picture(100, 160 if seed % 2 else 130, seed)
        mask = np.where(image[..., 0] >= 150, 255, 0).astype(np.uint8)
        for name, array in (("images", image * (not black)), ("masks", mask)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / name / f"{seed}.png")
    return folder


def write_graph(path: Path, model: nn.Module, blended: bool = False) -> Path:
    """The network as a float32 file of one size: 96×128, blended with 64×64."""
    sizes = {"image": (96, 128), "resized": (64, 64)} if blended else {"image": (96, 128)}
    metadata = ModelMetadata(
        "bright", "Toy", tuple(sizes), ("saliency", "low")[: len(sizes)], 32, 0, 32, (64, 64), "static", (96, 128),
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), threshold=80 if blended else None, fixed=sizes,
    )  # fmt: skip
    save_onnx(to_onnx(record(model.eval(), sizes, blended), metadata, 20), metadata, path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with data sets to calibrate on (`seen`, `black`) and to compare on (`held_out`), and float32 files."""
    folder = tmp_path_factory.mktemp("int8")
    write_set(folder / "seen", range(COUNT))
    write_set(folder / "black", range(COUNT), black=True)
    write_set(folder / "held_out", range(COUNT, 2 * COUNT))
    write_graph(folder / "single.onnx", Brightness())
    write_graph(folder / "blended.onnx", Brightness(), blended=True)
    return folder


def data(made: Path, calibrate: str = "seen") -> int8.Int8Data:
    return find_data(Int8Options(made / calibrate, made / "held_out"))


# -- what is written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["single", "blended"])
def test_a_network_is_written_in_int8(made, name, tmp_path, capsys):
    float32, output = made / f"{name}.onnx", tmp_path / "made" / "out.onnx"
    quantize_file(float32, output, data(made))
    assert [path.name for path in output.parent.iterdir()] == ["out.onnx"]
    ours, theirs = ExportedFile(float32), ExportedFile(output)
    assert theirs.metadata.precision == "int8" and ours.metadata.precision == "float32"
    assert theirs.describe().startswith("bright in int8 on cpu")
    prepare = preprocess_of(theirs.metadata, None)
    inputs = [None if one is None else np.asarray(one)[None] for one in prepare(picture(100, 150, 99))]
    maps = [one.probability(*inputs) for one in (ours, theirs)]
    assert maps[0].std() > 0.2 and 0 < np.abs(maps[0] - maps[1]).max() < 0.05
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["maxFm", "mBA", "mae"] and float(lines[1].split()[1]) > 0.7
    assert lines[2].startswith("int8") and lines[3].startswith("20 pairs, in turn; the maps differ by ")


@pytest.mark.parametrize("saturates", [True, False])
def test_a_cpu_without_the_instructions_is_told_of(made, saturates, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(exported, "may_saturate", lambda: saturates)
    quantize_file(made / "single.onnx", tmp_path / "out.onnx", data(made))
    exported.open_exported(made / "single.onnx")
    assert not caplog.records  # float32 is exact everywhere, and the command compares both files itself
    exported.open_exported(tmp_path / "out.onnx")
    assert ["out.onnx is in int8, and this CPU" in record.getMessage() for record in caplog.records] == [
        True
    ] * saturates


def test_convolutions_are_in_8_bits_but_those_that_make_maps(made, tmp_path):
    quantize_file(made / "blended.onnx", tmp_path / "out.onnx", data(made))
    graph = onnx.load(tmp_path / "out.onnx")
    onnx.checker.check_model(graph)
    makers = {output: node.op_type for node in graph.graph.node for output in node.output}
    weights = {entry.name: entry for entry in graph.graph.initializer}
    kinds = Counter(makers.get(node.input[1], "float32") for node in graph.graph.node if node.op_type == "Conv")
    assert (
        kinds["DequantizeLinear"] == 7 and kinds["float32"] > 7
    )  # all that give 8 channels; levels and reconstruction
    stored = [entry for name, entry in weights.items() if name.endswith("weight_quantized")]
    assert {entry.data_type for entry in stored} == {onnx.TensorProto.INT8}
    assert {weights[entry.name.replace("quantized", "scale")].dims[0] for entry in stored} == {
        8
    }  # one for each channel
    assert [entry.key for entry in graph.metadata_props] == [KEY] and {
        entry.domain for entry in graph.opset_import
    } == {""}


def test_products_of_activations_stay_in_float32():
    """Attention: query and key are products with weights, their product is not."""
    shapes = {"x": ["n", 4], "q": ["n", 4], "k": ["n", 4], "attention": ["n", "n"]}
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, side) for name, side in shapes.items()]
    weights = onnx.numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["q"], "query"),
        onnx.helper.make_node("Transpose", ["q"], ["k"], "key"),
        onnx.helper.make_node("MatMul", ["q", "k"], ["attention"], "product"),
    ]
    graph = onnx.helper.make_graph(nodes, "g", [values[0]], [values[3]], [weights])
    assert left_in_float32(onnx.helper.make_model(graph)) == ["product"]


def test_maps_are_not_kept_for_the_end_of_a_calibration(made, tmp_path, monkeypatch):
    """Which of two orders onnxruntime takes decides how much memory a large network needs."""
    collect, seen = calibrate.MinMaxCalibrater.collect_data, []

    def spy(self, images):
        options = self.infer_session.get_session_options()
        seen.append((options.execution_order, options.enable_cpu_mem_arena))
        return collect(self, images)

    before = calibrate.CalibraterBase.create_inference_session
    monkeypatch.setattr(calibrate.MinMaxCalibrater, "collect_data", spy)
    metadata = ExportedFile(made / "single.onnx").metadata
    images = data(made).calibration[:1]
    quantize(made / "single.onnx", tmp_path / "out.onnx", metadata, images, preprocess_of(metadata, None))
    assert seen == [(ExecutionOrder.PRIORITY_BASED, False)]
    assert calibrate.CalibraterBase.create_inference_session is before


def test_a_plain_folder_of_images_calibrates(made):
    assert len(data(made, "seen/images").calibration) == COUNT


# -- what is refused ----------------------------------------------------------------------------------------------


def test_int8_that_is_worse_is_refused_with_both_scores(made, tmp_path, capsys):
    """Black images say that nothing is ever bright: all light is cut off, and the maps are empty."""
    older = tmp_path / "out.onnx"
    older.write_bytes(b"older")
    with pytest.raises(
        Int8Error, match=r"out\.onnx was not written, .*on 20 held-out pairs: maxFm 0\.9\d+ → 0\.\d+ \(a fall"
    ) as told:
        quantize_file(made / "single.onnx", older, data(made, "black"))
    assert "at most 0.002 is allowed), mBA 0." in str(told.value) and "at most 0.003 is allowed)" in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"] and older.read_bytes() == b"older"
    assert capsys.readouterr().out.count("\n") == 4


@pytest.mark.parametrize(
    ("max_f", "mba", "good"),
    [(0.0019, 0.0029, True), (-0.1, -0.1, True), (0.0021, 0, False), (0, 0.0031, False), (0, float("nan"), False)],
)
def test_either_score_may_fall_by_so_much(max_f, mba, good):
    before = FileResult("float32", {"maxFm": 0.5, "mBA": 0.25, "mae": 0.1}, 1.0, 1)
    after = FileResult("int8", {"maxFm": 0.5 - max_f, "mBA": 0.25 - mba, "mae": 0.9}, 1.0, 1)
    assert Trial(before, after, 20, 0.0).good is good


def test_a_network_without_convolutions_is_told(made, tmp_path):
    sides = ["batch", 3, "height", "width"]
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides) for name in ("image", "saliency")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Sigmoid", ["image"], ["saliency"])], "g", *([v] for v in values)
    )
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10),
        tmp_path / "x.onnx",
    )
    metadata = ExportedFile(made / "single.onnx").metadata
    with pytest.raises(Int8Error, match="bright has nothing to compute in 8 bits"):
        quantize(
            tmp_path / "x.onnx",
            tmp_path / "y.onnx",
            metadata,
            data(made).calibration,
            preprocess_of(metadata, None),
        )


def test_folders_that_cannot_serve_are_told(made, tmp_path):
    held_out, empty = made / "held_out", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Int8Error, match=r"--calibrate .*nowhere: no such folder"):
        find_data(Int8Options(tmp_path / "nowhere", held_out))
    with pytest.raises(PreflightError, match="no image in it"):
        find_data(Int8Options(empty, held_out))
    with pytest.raises(PreflightError, match="has no folder masks"):
        find_data(Int8Options(made / "seen", made / "black" / "images"))
    few = write_set(tmp_path / "few", range(100, 103))
    with pytest.raises(Int8Error, match="3 images for calibration, at least 20 are needed; 100 to 300"):
        find_data(Int8Options(few, held_out))
    with pytest.raises(Int8Error, match="3 pairs to compare on, at least 20 are needed"):
        find_data(Int8Options(made / "seen", few))
    with pytest.raises(Int8Error, match=r"are calibration images too: .*20\.png has the content of .*, and 17 more"):
        find_data(Int8Options(held_out, held_out))


def test_a_copy_of_a_held_out_image_is_found_whatever_its_name(made, tmp_path):
    seen = tmp_path / "seen"
    shutil.copytree(made / "seen" / "images", seen)
    shutil.copy(made / "held_out" / "images" / "25.png", seen / "copied.png")
    with pytest.raises(
        Int8Error, match=r"too: \S+/held_out/images/25\.png has the content of \S+/seen/copied\.png\. What"
    ):
        find_data(Int8Options(seen, made / "held_out"))


def test_more_images_than_are_useful_are_thinned_out(made, monkeypatch):
    monkeypatch.setattr(int8, "MOST", 20)
    shutil.copytree(made / "seen" / "images", made / "many")
    shutil.copytree(made / "black" / "images", made / "many" / "black")
    found = find_data(Int8Options(made / "many", made / "held_out")).calibration
    assert len(found) == 20 and {pair.image.parent.name for pair in found} == {"many", "black"}


# -- the command line and the metadata ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--quantize", "int8"], "--quantize int8 needs --calibrate and --held-out"),
        (["--quantize", "int8", "--calibrate", "a"], "--quantize int8 needs --held-out"),
        (["--held-out", "a"], "--held-out is for --quantize int8"),
        (
            ["--quantize", "int8", "--calibrate", "a", "--held-out", "b", "--format", "torch"],
            "leave --format torch out",
        ),
    ],
)
def test_options_that_do_not_go_together_are_told(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        Export.main(words)
    assert ended.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_an_absent_package_is_told_with_the_extra(package, monkeypatch, capsys):
    monkeypatch.setattr("inspyrenet.engine.export.find_spec", lambda name: None if name == package else name)
    assert Export.main(["--quantize", "int8", "--calibrate", "a", "--held-out", "b"]) == 1
    assert f"needs {package}: ./install.sh --extras export" in capsys.readouterr().err


def test_a_file_from_before_int8_is_in_float32(made):
    metadata = ExportedFile(made / "single.onnx").metadata
    older = {name: value for name, value in json.loads(metadata.to_json()).items() if name != "precision"}
    assert metadata_of({KEY: json.dumps(older)}, "older.onnx") == metadata
