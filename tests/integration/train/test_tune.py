"""run/Tune.py with a tiny network, to both of its ends."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from inspyrenet.commands.tune import main
from inspyrenet.data.images.write import write_map
from inspyrenet.remover.remover import Remover
from inspyrenet.tune import general, plan
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.checkpoint import read_weights
from tests.tiny_network import SIDE, picture, tiny_state, write_tiny


def write_pairs(folder: Path, count: int, first: int) -> Path:
    """Bright ellipses on noise, with their masks."""
    (folder / "images").mkdir(parents=True)
    for seed in range(first, first + count):
        image = picture(SIDE, SIDE, seed)
        Image.fromarray(image).save(folder / "images" / f"{seed}.png")
        write_map((image[..., 0] > 120).astype("uint8") * 255, folder / "masks" / f"{seed}.png")
    return folder


@pytest.fixture
def command(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "MOST_EPOCHS", 2)
    monkeypatch.setattr(plan, "MOST_TIMES", 12)  # the time is ample: this bounds the training on every machine
    monkeypatch.setattr(general, "PAINTED", 8)
    config, weights = write_tiny(tmp_path / "start")
    own, others = write_pairs(tmp_path / "mine", 24, 0), write_pairs(tmp_path / "others", 40, 100)
    start = ["--config", str(config), "--ckpt", str(weights)]
    return [*start, "--data", str(own), "--general", str(others), "--minutes", "1000", "--device", "cpu"]


def state(folder: Path) -> dict[str, torch.Tensor]:
    return read_weights(folder)


def report(folder: Path) -> dict:
    return json.loads((folder / "tune.json").read_text())


def test_what_is_better_is_shipped_and_can_be_used(command, tmp_path, capsys):
    start = Path(command[1])
    start.write_text(start.read_text().replace("sets: [Any]", "sets: [Any]\n    limit: 3\n    mask_root: elsewhere"))
    assert main([*command, "Train.Optimizer.lr=2e-3"]) == 0
    folder = tmp_path / "snapshots" / "mine_tuned"
    out = capsys.readouterr().out
    assert "shipped: better on your pairs" in out and "On pairs that neither training nor the choice saw" in out
    found = report(folder)
    assert found["shipped"] and found["tests"]["your pairs"]["wFm"]["low"] > 0 < found["alpha"]
    assert (folder / "tests" / "compare.csv").is_file()
    assert any(not torch.equal(value, tiny_state()[name]) for name, value in state(folder).items())
    mask = Remover(ckpt=folder, device="cpu").process(picture(SIDE, SIDE, 7), type="map")
    assert mask.shape[:2] == (SIDE, SIDE)
    (shipped,) = load_config(folder / "config.yaml")
    assert shipped.Test.Dataset.sets == ("mine",) and not (shipped.Test.Dataset.limit or shipped.Test.Dataset.mask_root)


def test_what_is_not_better_leaves_the_start(command, tmp_path, capsys):
    assert main([*command, "--name", "kept", "Train.Optimizer.lr=1e-9", "Train.Scheduler.epoch=1"]) == 0
    folder = tmp_path / "snapshots" / "kept"
    assert capsys.readouterr().out.splitlines()[-2].startswith("kept the start: ")
    assert not report(folder)["shipped"]
    assert all(torch.equal(value, tiny_state()[name]) for name, value in state(folder).items())
    assert main([*command, "--name", "kept"]) == 1
    assert "already holds a run: choose another --name" in capsys.readouterr().err


def test_too_few_pairs_and_wrong_words_are_said_before_anything_is_trained(command, tmp_path, capsys):
    few = write_pairs(tmp_path / "few", 5, 0)
    assert main([*command[:4], "--data", str(few)]) == 1
    assert "5 pairs are too few" in capsys.readouterr().err
    assert main([*command, "--general", command[5]]) == 1
    assert "these are the pairs of --data" in capsys.readouterr().err
    assert main([*command, "--general", str(few), "Train.Optimizer.rate=1"]) == 1
    assert "--general has 5 pairs" in capsys.readouterr().err
    assert main([*command, "Train.Optimizer.rate=1"]) == 1
    assert "Train.Optimizer.rate" in capsys.readouterr().err
