"""How the bundled model is made from a run."""

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from inspyrenet import Remover
from inspyrenet.engine import presets
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.checkpoint import stamped
from tests.tiny_network import STATIC, picture, tiny_state, write_tiny

STEM = "backbone.net.conv_stem.weight"
TRAIN = f"Train: {{Dataset: {{root: data/Train_Dataset, sets: [DUTS-TR], transforms: {{{STATIC}}}}}}}\n"
SCRIPT = Path(__file__).resolve().parents[3] / "docs" / "scripts" / "make_default_model.py"


@pytest.fixture
def maker(tmp_path, monkeypatch, request):
    """docs/scripts/make_default_model.py, writing into a folder of its own."""
    spec = importlib.util.spec_from_file_location("make_default_model", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = tmp_path / "bundled"
    files = {"WEIGHTS": "default.safetensors", "CONFIG": "default.yaml"}
    for name, file in ((f"BUNDLED_{kind}", file) for kind, file in files.items()):
        monkeypatch.setattr(script, name, folder / file)
        monkeypatch.setattr(presets, name, folder / file)
    monkeypatch.setattr(script, "__file__", str(tmp_path / "docs" / "scripts" / SCRIPT.name))
    monkeypatch.setattr(script, "TOLERANCE", 0.2)  # random weights: a rounding goes far
    monkeypatch.setattr(script, "FEW", 100)
    monkeypatch.setattr(script, "LARGEST", 20_000_000)
    if "write_graphs" not in request.fixturenames:
        monkeypatch.setattr(script, "write_graphs", lambda: None)
    return script


@pytest.fixture
def write_graphs():
    """For tests that need the graphs, too, which take 20 s."""


def made(maker, tmp_path: Path) -> Path:
    """Make the bundled model out of the tiny network; the folder of its run."""
    config, weights = write_tiny(tmp_path / "run")
    config.write_text(config.read_text() + TRAIN)
    assert maker.main(str(config), str(weights.parent)) == 0
    return weights.parent


def test_the_bundled_file_holds_the_same_network_in_half_precision(maker, tmp_path):
    made(maker, tmp_path)
    kept = load_file(presets.BUNDLED_WEIGHTS)
    assert kept.keys() == tiny_state().keys()
    assert all((value.dtype == torch.float16) == (value.numel() > maker.FEW) for value in kept.values())
    assert len({value.dtype for value in kept.values() if value.is_floating_point()}) == 2
    assert all(torch.equal(value, tiny_state()[name].to(value.dtype)) for name, value in kept.items())


def test_the_bundled_file_says_what_its_weights_learned_from(maker, tmp_path):
    made(maker, tmp_path)
    with safe_open(presets.BUNDLED_WEIGHTS, "np") as file:
        assert "DUTS-TR" in file.metadata()["terms"]
    assert "trained on DUTS-TR" in presets.BUNDLED_CONFIG.read_text().splitlines()[1]


def test_the_bundled_model_serves_without_being_named(maker, write_graphs, tmp_path):
    run = made(maker, tmp_path)
    named = Remover(run / "tiny.yaml", "cpu", run / "tiny.safetensors").process(picture(), "map")
    in_torch = Remover(device="cpu", engine="torch").process(picture(), "map")
    assert in_torch.std() > 10
    assert abs(in_torch.astype(float) - named).mean() < 5
    graphs = Remover()
    assert "onnxruntime" in graphs.describe()
    assert abs(graphs.process(picture(), "map").astype(int) - in_torch).max() <= 1


def test_weights_that_learned_from_the_recipe_s_held_out_pairs_are_refused(maker, tmp_path):
    """The scores of the bundled model are of these pairs, and its file does not tell of a split."""
    config, _ = write_tiny(tmp_path / "run")
    config.write_text(config.read_text() + TRAIN.replace("}}}\n", "}}, Validation: {fraction: 0.1}}\n"))
    (trained,) = load_config([str(config)], ["seed=11"])
    weights = tmp_path / "other.pth"
    torch.save(stamped({"model": tiny_state(), "ema": None, "config": trained.model_dump(mode="json")}), weights)
    with pytest.raises(SystemExit, match=r"error: .*other\.pth was trained with another split .*'seed': 11"):
        maker.main(str(config), str(weights))
    assert not presets.has_default()


def test_what_half_precision_would_change_is_not_written(maker, tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "TOLERANCE", 1e-9)
    with pytest.raises(SystemExit, match="half precision is not enough"):
        made(maker, tmp_path)
    monkeypatch.setattr(maker, "TOLERANCE", 1.0)
    with torch.no_grad():
        broken = {name: value * 1e9 if name == STEM else value for name, value in tiny_state().items()}
    monkeypatch.setattr(maker, "read_weights", lambda path: broken)
    with pytest.raises(SystemExit, match="weight does not fit into half precision"):
        made(maker, tmp_path)
    assert not presets.has_default()


def test_a_file_that_is_too_large_is_refused(maker, tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "LARGEST", 1000)
    with pytest.raises(SystemExit, match=r"bytes, more than 1,000"):
        made(maker, tmp_path)
    assert not presets.has_default()
