"""docs/onnx_example.py prepares images as this package does; its stand-in for onnxruntime notes what it is given."""

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.hub.onnx_files import ModelMetadata
from inspyrenet.data.images.preprocess import to_map
from inspyrenet.networks.exported import preprocess_of

DOCS = Path(__file__).resolve().parents[3] / "docs"
EXAMPLE = DOCS / "onnx_example.py"
PLAIN: dict = {"base_size": (8, 8), "sizing": "static", "size": (8, 8), "mean": (0.5,) * 3, "std": (0.2,) * 3}
STRIDED, OFFSET, FREE = (32, 0, 32), (8, 1, 33), (1, 0, 32)  # as InSPyReNet, the published PSPNet, and our own


def runtime(metadata: ModelMetadata, given: dict) -> SimpleNamespace:
    """onnxruntime with one network, which finds nothing."""

    class Session:
        def __init__(self, *words):
            self.inputs = given

        def get_modelmeta(self):
            return SimpleNamespace(custom_metadata_map={"inspyrenet": metadata.to_json()})

        def run(self, outputs, inputs, options):
            self.inputs.update(inputs)
            return [np.zeros((1, 1, *inputs["image"].shape[2:]), np.float32)]

    options = SimpleNamespace(add_session_config_entry=lambda *words: None)
    return SimpleNamespace(InferenceSession=Session, SessionOptions=lambda: options, RunOptions=SimpleNamespace)


@pytest.mark.parametrize("rule", [STRIDED, OFFSET, FREE])
@pytest.mark.parametrize("size", [(60, 90), (200, 170), (20, 900), (1500, 40), (100, 1100)])
def test_its_sizes_and_values_are_ours(tmp_path, monkeypatch, rule, size):
    metadata = ModelMetadata(
        "any", "Toy", ("image",), ("saliency",), *rule, (64, 64), "dynamic", 100, (0.5, 0.4, 0.3), (0.2, 0.3, 0.2)
    )
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "photo.png")
    given: dict = {}
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime(metadata, given))
    words = ["model.onnx", str(tmp_path / "photo.png"), str(tmp_path / "map.png")]
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *words])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    ours = preprocess_of(metadata, None)(image)[0]
    assert given["image"].shape == (1, *ours.shape)
    assert np.allclose(given["image"][0], ours, atol=1e-6)
    assert np.asarray(Image.open(tmp_path / "map.png")).shape == size


@pytest.mark.parametrize("normalize", ["none", "minmax"])
def test_its_maps_are_stretched_as_ours(tmp_path, monkeypatch, normalize):
    metadata = ModelMetadata("any", "Toy", ("image",), ("saliency",), *FREE, **PLAIN, normalize=normalize)
    values = np.linspace(0.2, 0.6, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    stand_in = runtime(metadata, {})
    stand_in.InferenceSession.run = lambda self, outputs, inputs, options: [values]
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
    Image.new("RGB", (20, 30)).save(tmp_path / "photo.png")
    monkeypatch.setattr(
        sys, "argv", [str(EXAMPLE), "model.onnx", str(tmp_path / "photo.png"), str(tmp_path / "map.png")]
    )
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    found = np.asarray(Image.open(tmp_path / "map.png")).astype(int)
    assert np.abs(found - to_map(values, (30, 20), normalize)).max() <= 1


def test_it_says_where_another_program_resizes(tmp_path, monkeypatch):
    metadata = ModelMetadata("any", "Toy", ("image",), ("saliency",), *FREE, **PLAIN, backend="opencv")
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime(metadata, {}))
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "model.onnx", "photo.png", "map.png"])
    with pytest.raises(SystemExit, match="that OpenCV resizes"):
        runpy.run_path(str(EXAMPLE), run_name="__main__")


def test_the_page_shows_the_file():
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8')}```" in (DOCS / "export.md").read_text(encoding="utf-8")
