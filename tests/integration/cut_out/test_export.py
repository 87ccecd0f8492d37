"""run/Export.py, the file that it writes, and everything that runs it: Remover, the command line, the example."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from inspyrenet import Remover, build_model, cli
from inspyrenet.commands import export as Export
from inspyrenet.data.hub.onnx_files import GraphFileError, metadata_of
from inspyrenet.engine import export as exporting
from inspyrenet.lib.types import SizeError
from inspyrenet.networks.exported import open_exported
from inspyrenet.networks.runtimes import GraphError
from inspyrenet.remover.remover import RemoverError
from inspyrenet.utils.system.device import DeviceError
from tests.thin_networks import calibrated, thin_building
from tests.tiny_network import CONFIG, DYNAMIC, picture

torch.set_num_threads(1)
EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "onnx_example.py"
SIZES = [(60, 90), (200, 170), (64, 64), (130, 400)]  # the second and the last are blended


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """(config, weights, exported file) of a network that blends images of more than 100 px."""
    folder = tmp_path_factory.mktemp("export")
    config, weights, graph = (folder / f"tiny.{suffix}" for suffix in ("yaml", "safetensors", "onnx"))
    text = CONFIG.format(name="tiny", side=64, transforms=DYNAMIC, threshold=100)
    config.write_text(text.replace("depth: 16", "depth: 8\n  alignment: corrected"))
    with thin_building():
        torch.manual_seed(0)
        model = build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_small", depth=8, base_size=(64, 64))
        save_file({name: value.contiguous() for name, value in calibrated(model).state_dict().items()}, weights)
        words = ["--config", str(config), "--ckpt", str(weights), "--dynamic", "--output", str(graph)]
        assert Export.main(words) == 0
        yield config, weights, graph


@pytest.fixture(scope="module")
def pair(files):
    """The same network in torch and as a file."""
    config, weights, graph = files
    return Remover(config, "cpu", weights, None, edges="none"), Remover(ckpt=graph, resize=None, edges="none")


def assert_near(ours, theirs) -> None:
    assert ours.std() > 2  # it says something
    assert ours.shape == theirs.shape and np.abs(ours.astype(int) - theirs).max() <= 1


# -- the file -----------------------------------------------------------------------------------------------------


def test_one_file_says_everything(files):
    graph = onnx.load(files[2])
    onnx.checker.check_model(graph)
    metadata = metadata_of({entry.key: entry.value for entry in graph.metadata_props}, "tiny.onnx")
    assert (metadata.name, metadata.model, metadata.inputs) == ("tiny", "InSPyReNet_Light", ("image", "resized"))
    assert (metadata.sizing, metadata.size, metadata.base_size, metadata.threshold) == ("dynamic", 160, (64, 64), 100)
    assert metadata.mean == (0.485, 0.456, 0.406) and metadata.multiple == 32 and metadata.fixed is None
    assert metadata.weights == "tiny.safetensors" and "not stated" in metadata.license and metadata.version
    names = [
        [dim.dim_param or dim.dim_value for dim in entry.type.tensor_type.shape.dim] for entry in graph.graph.input
    ]
    assert names == [["batch", 3, "height", "width"], ["batch", 3, "resized_height", "resized_width"]]
    assert [entry.name for entry in graph.graph.output] == ["saliency", "low"]
    assert b"/lib/modules/" not in files[2].read_bytes()  # no paths of the machine that wrote it
    assert [path.name for path in files[2].parent.glob("*.onnx*")] == ["tiny.onnx"]


def test_a_graph_that_differs_is_not_written(files, tmp_path, monkeypatch, capsys):
    config, weights, graph = files
    monkeypatch.setattr(exporting, "record", lambda *args: None)
    monkeypatch.setattr(
        exporting, "write", lambda program, metadata, options, path: path.write_bytes(graph.read_bytes())
    )
    monkeypatch.setattr(exporting, "pictures", lambda metadata, size, batch: (torch.zeros(batch, 3, *size), None))
    monkeypatch.setattr(exporting, "runner", lambda path: lambda image, small: np.full((1, 1, 1, 1), 2.0))
    words = ["--config", str(config), "--ckpt", str(weights), "--dynamic", "--output", str(tmp_path / "out.onnx")]
    assert Export.main(words) == 1
    said = capsys.readouterr()
    assert "TOO MUCH" in said.out and "was not written" in said.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "64x100"], "sides are multiples of 32 from 32 on; the nearest is 64×96"),
        (["--input", "64"], "a size is HEIGHTxWIDTH"),
        (["--opset", "9"], "opset 9 is too old"),
        (["--opset", "18", "--deform", "native"], "from opset 19 on"),
        (["--output", "model.pth"], "ends in .onnx"),
        (["--format", "torch", "--output", "model.onnx"], "ends in .pt2"),
        (["--ckpt", "nowhere.pth"], "no such weights: nowhere.pth"),
    ],
)
def test_what_cannot_be_exported_is_told(files, words, message, capsys):
    words = ["--config", str(files[0]), "--ckpt", str(files[1]), *words]
    assert Export.main(words) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_an_absent_package_is_told_with_the_extra(files, package, monkeypatch, capsys):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == package else name)
    assert Export.main(["--config", str(files[0]), "--ckpt", str(files[1])]) == 1
    assert f"needs {package}: ./install.sh --extras export" in capsys.readouterr().err


# -- Remover ------------------------------------------------------------------------------------------------------


def test_remover_gives_the_same_maps(pair):
    network, graph = pair
    for seed, size in enumerate(SIZES):
        image = picture(*size, seed)
        assert_near(network.process(image, type="map"), graph.process(image, type="map"))
    assert repr(graph).startswith("Remover(tiny on cpu (")


def test_resize_means_the_same(files):
    config, weights, graph = files
    image = picture(200, 170)
    for resize in ("static", "dynamic"):
        ours = Remover(config, "cpu", weights, resize, edges="none").process(image, type="map")
        assert_near(ours, Remover(graph, "cpu", resize=resize, edges="none").process(image, type="map"))


def test_batches_and_threads(pair):
    graph = pair[1]
    images = [picture(*size, seed) for seed, size in enumerate(SIZES * 2)]
    alone = [graph.process(image, type="map") for image in images]
    for ours, theirs in zip(alone, graph.process_batch(images, type="map", batch_size=5), strict=True):
        assert np.abs(ours.astype(int) - theirs).max() <= 1
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(alone, pool.map(lambda image: graph.process(image, type="map"), images), strict=True):
            assert np.array_equal(ours, theirs)


def test_every_type_of_result(pair):
    for type in ("rgba", "green", "debug", "[255,0,0]"):
        assert pair[1].process(picture(), type=type).ndim == 3


def test_the_command_line_takes_the_file(files, pair, tmp_path):
    source, output = tmp_path / "photo.png", tmp_path / "map.png"
    Image.fromarray(picture(200, 170)).save(source)
    words = [str(source), str(output), "--ckpt", str(files[2]), "-t", "map", "--resize", "dynamic"]
    assert cli.main(words) == 0
    assert_near(pair[0].process(picture(200, 170), type="map"), np.asarray(Image.open(output)))


@pytest.mark.parametrize("size", SIZES[:2])
def test_the_example_needs_neither_torch_nor_this_package(files, pair, tmp_path, size):
    source, output = tmp_path / "photo.png", tmp_path / "map.png"
    Image.fromarray(picture(*size)).save(source)
    code = (
        "import runpy, sys\n"
        "for name in ('torch', 'torchvision', 'inspyrenet', 'cv2'): sys.modules[name] = None\n"
        "runpy.run_path(sys.argv.pop(1), run_name='__main__')\n"
    )
    words = [sys.executable, "-c", code, str(EXAMPLE), str(files[2]), str(source), str(output)]
    subprocess.run(words, check=True, timeout=60, cwd=tmp_path)
    assert_near(pair[0].process(picture(*size), type="map"), np.asarray(Image.open(output)))


# -- what goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"jit": True}, {"patch_merging": True}, {"precision": "bfloat16"}, {"overrides": ["Model.depth=3"]}]
)
def test_what_an_exported_network_cannot_do_is_told(files, options):
    with pytest.raises(RemoverError, match="stays as it was exported"):
        Remover(ckpt=files[2], **options)
    assert Remover(ckpt=files[2], precision="float32").name == "tiny"


def test_a_file_of_another_origin_is_told(files, tmp_path):
    graph = onnx.load(files[2])
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / "other.onnx")
    with pytest.raises(GraphFileError, match=r"not one that run/Export\.py wrote"):
        Remover(ckpt=tmp_path / "other.onnx")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(GraphError, match=r"cannot load .*text\.onnx"):
        Remover(ckpt=tmp_path / "text.onnx")
    with pytest.raises(FileNotFoundError, match="no such file"):
        Remover(ckpt=tmp_path / "none.onnx")


def test_a_wrong_size_is_told(files):
    graph = open_exported(files[2])
    image, resized = np.zeros((1, 3, 130, 110), np.float32), np.zeros((1, 3, 64, 64), np.float32)
    with pytest.raises(SizeError, match="the nearest is 128×96"):
        graph(image, resized)
    with pytest.raises(GraphFileError, match="give both, the second at 64×64"):
        graph(image)


def test_a_device_that_is_not_there_is_told(files):
    with pytest.raises(DeviceError, match="onnxruntime"):
        Remover(ckpt=files[2], device="cuda" if not torch.cuda.is_available() else "mps")
