"""One network in every engine: torch, and its parts as graphs in onnxruntime and OpenVINO."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inspyrenet import Remover, build_model
from inspyrenet.commands import export as Export
from inspyrenet.data.hub.onnx_files import GraphFileError, ModelMetadata
from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.engine.presets import BUNDLED_WEIGHTS, bundled_graphs
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.networks.choose import open_network
from inspyrenet.networks.exported import DETAILS, FINER, ExportedParts
from inspyrenet.networks.network import RemoverError
from inspyrenet.utils.system.device import DeviceError
from inspyrenet.utils.train.checkpoint import read_weights
from tests.thin_networks import calibrated, thin_building
from tests.tiny_network import CONFIG, DYNAMIC, picture, write_tiny

ENGINES = ("onnx", "openvino")
BLENDED = [(60, 90), (200, 170), (64, 64), (130, 400)]  # the second and the last are above the threshold


def assert_equal_maps(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Within one gray level, and not flat."""
    assert ours.std() > 2
    assert ours.shape == theirs.shape and np.abs(ours.astype(int) - theirs).max() <= 1


# -- the bundled model --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_torch():
    return Remover(engine="torch", edges="none")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [(320, 320), (90, 200), (700, 500), (40, 33)])
def test_the_bundled_model_has_the_same_maps_in_every_engine(in_torch, engine, size):
    image = picture(*size)
    assert_equal_maps(in_torch.saliency(image), remover_of(engine).saliency(image))


def test_the_bundled_model_takes_other_sizes(in_torch):
    image = picture(300, 420)
    ours = Remover(engine="torch", resize="dynamic", edges="none").saliency(image)
    assert np.abs(ours.astype(int) - in_torch.saliency(image)).max() > 1  # another size, another map
    assert_equal_maps(ours, Remover(resize="dynamic", edges="none").saliency(image))


def test_graphs_take_batches(in_torch):
    images = [picture(60, 80, seed) for seed in range(3)]
    for ours, theirs in zip(
        in_torch.process_batch(images, "map"), remover_of("onnx").process_batch(images, "map"), strict=True
    ):
        assert_equal_maps(ours, theirs)


def test_the_bundled_graphs_are_small_and_say_whose_they_are():
    assert sum(path.stat().st_size for path in bundled_graphs().iterdir()) <= 10_000_000
    metadata = ExportedParts(bundled_graphs()).metadata
    assert metadata.weights == BUNDLED_WEIGHTS.name and metadata.inputs == ("image",)


_removers: dict[str, Remover] = {}


def remover_of(engine: str) -> Remover:
    return _removers.setdefault(engine, Remover(engine=engine, edges="none"))


# -- which engine it is -------------------------------------------------------------------------------------------


def test_auto_takes_graphs_for_the_bundled_model_and_torch_where_only_torch_can():
    assert "onnxruntime" in Remover().describe() and "OpenVINO" in remover_of("openvino").describe()
    for options in ({"patch_merging": True}, {"precision": "bfloat16"}, {"overrides": ["Test.flip=true"]}):
        assert Remover(**options).describe().endswith("by torch")
        with pytest.raises(RemoverError, match="stays as it was exported"):
            Remover(engine="onnx", **options)


def test_what_an_engine_does_not_run_is_told(tmp_path):
    config, weights = write_tiny(tmp_path)
    assert " in " not in Remover(config, "cpu", weights).describe().removesuffix("by torch")
    assert " in bfloat16 on " in Remover(config, "cpu", weights, precision="bfloat16").describe()
    with pytest.raises(RemoverError, match=r"engine openvino runs the bundled model and exported networks: run/Export"):
        Remover(config, "cpu", weights, engine="openvino")
    with pytest.raises(RemoverError, match="engine torch does not run exported networks"):
        Remover(bundled_graphs(), engine="torch")
    with pytest.raises(RemoverError, match="engine is auto, onnx, openvino, torch, not 'jax'"):
        Remover(engine="jax")


def test_a_device_that_no_engine_has_is_told():
    for engine in ENGINES:
        with pytest.raises(DeviceError, match="'directml' was asked for"):
            Remover(device="directml", engine=engine)


def test_parts_of_two_networks_and_incomplete_folders_are_refused(parts, tmp_path):
    mixed, half = tmp_path / "mixed", tmp_path / "half"
    shutil.copytree(bundled_graphs(), mixed)
    shutil.copy(parts[2] / "decoder.onnx", mixed)
    with pytest.raises(GraphFileError, match=r"decoder\.onnx belongs to another network than the encoder beside it"):
        Remover(mixed)
    shutil.copy(bundled_graphs() / "encoder.onnx", mixed / "decoder.onnx")
    with pytest.raises(GraphFileError, match=r"decoder\.onnx belongs to another network"):
        Remover(mixed)
    half.mkdir()
    shutil.copy(bundled_graphs() / "decoder.onnx", half)
    with pytest.raises(FileNotFoundError, match=r"half.encoder\.onnx"):
        Remover(half)


def test_weights_beside_an_exported_mode_are_refused():
    with pytest.raises(RemoverError, match=r"brings its weights along: leave --ckpt other\.pth out"):
        Remover(bundled_graphs(), ckpt="other.pth")


@pytest.mark.parametrize(
    "lie",
    [{"multiple": 0}, {"size": (60_000, 60_000)}, {"std": (1.0, 0.0, 1.0)}, {"mean": (0.5,)}, {"name": "a\x1b[31m"}],
)
def test_what_no_network_has_is_refused_in_a_file_s_metadata(lie):
    metadata = replace(ExportedParts(bundled_graphs()).metadata, **lie)
    with pytest.raises(GraphFileError, match=r"x\.onnx: its metadata cannot be read .*not what a network can have"):
        ModelMetadata.from_json(metadata.to_json(), "x.onnx")


def test_a_folder_of_parts_is_a_model():
    named = open_network(NetworkOptions(mode=bundled_graphs()))
    assert named.weights == bundled_graphs() and named.name == "default"


# -- parts --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """(config, weights, folder of parts) of a network that blends images of more than 100 px."""
    folder = tmp_path_factory.mktemp("parts")
    config, weights, output = folder / "tiny.yaml", folder / "tiny.safetensors", folder / "tiny"
    text = CONFIG.format(name="tiny", side=64, transforms=DYNAMIC, threshold=100)
    config.write_text(text.replace("depth: 16", "depth: 8\n  alignment: corrected"))
    with thin_building():
        torch.manual_seed(0)
        model = build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=8, base_size=(64, 64))
        save_file({name: value.contiguous() for name, value in calibrated(model).state_dict().items()}, weights)
        assert Export.main(["--config", str(config), "--ckpt", str(weights), "--parts", "--output", str(output)]) == 0
        yield config, weights, output


@pytest.mark.parametrize("engine", ENGINES)
def test_parts_blend_as_the_network_does(parts, engine):
    config, weights, folder = parts
    assert sorted(path.name for path in folder.iterdir()) == ["blending.onnx", "decoder.onnx", "encoder.onnx"]
    network = Remover(config, "cpu", weights, edges="none")
    graphs = Remover(folder, engine=engine, edges="none")
    for seed, size in enumerate(BLENDED):
        image = picture(*size, seed)
        assert_equal_maps(network.saliency(image), graphs.saliency(image))


def test_parts_have_all_levels(parts):
    config, weights, folder = parts
    network, graphs = Remover(config, "cpu", weights), Remover(folder)
    for size in BLENDED[:2]:
        image = DecodedImage(picture(*size))
        ours, theirs = (remover.predict([image], levels=True)[0] for remover in (network, graphs))
        assert len(theirs.saliency) == 4 and len(theirs.laplacian) == 3
        for one, other in zip((*ours.saliency, *ours.laplacian), (*theirs.saliency, *theirs.laplacian), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)


@torch.no_grad()
def test_a_coarse_map_of_ones_own_goes_into_the_decoder(parts):
    """As `coarse` does in torch."""
    _, weights, folder = parts
    model = build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=8, base_size=(64, 64))
    load_state(model.eval(), read_weights(weights), "tiny")
    torch.manual_seed(1)
    image, coarse = torch.randn(1, 3, 96, 64), 4 * torch.randn(1, 1, 12, 8)
    graphs = ExportedParts(folder)
    features, own = graphs.encode(image.numpy())
    assert np.abs(own - coarse.numpy()).max() > 1
    found = graphs.decode(features, coarse.numpy(), (*FINER, *DETAILS))
    saliency, laplacian = model(image, coarse)
    for ours, theirs in zip((*saliency[1:], *laplacian), found, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3)


def test_only_an_inspyrenet_has_parts(tmp_path, capsys):
    words = ["--config", "PSPNet_ResNet50", "--ckpt", str(pspnet(tmp_path)), "--parts", "--output", str(tmp_path / "x")]
    assert Export.main(words) == 1
    assert "PSPNet has no parts to export: only an InSPyReNet with all stages does" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def pspnet(folder: Path) -> Path:
    path = folder / "pspnet.safetensors"
    save_file({k: v.contiguous() for k, v in build_model("PSPNet_ResNet50").state_dict().items()}, path)
    return path
