"""The README's first command, on fewer images: what it trains finds objects, and what it started from does not."""

import csv
from pathlib import Path

import torch

from inspyrenet.commands.experiment import main as expr
from inspyrenet.engine import build
from inspyrenet.utils.config.load import load_config

ROOT = Path(__file__).parents[3]


def max_f(folder: Path) -> float:
    [file] = folder.glob("**/scores.csv")
    with file.open() as lines:
        return float(next(csv.DictReader(lines))["maxFm"])


def test_quickstart_beats_its_untrained_self(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [
        f"Train.Dataset.root={tmp_path}/data",
        f"Test.Dataset.root={tmp_path}/data",
        "Train.Dataset.limit=200",
        "Test.Dataset.limit=20",
        "Train.Scheduler.epoch=5",
        "Eval.metrics=[maxFm,mae]",
    ]
    places = [
        f"Train.Checkpoint.checkpoint_dir={tmp_path}/run",
        f"Eval.pred_root={tmp_path}/run",
        f"Eval.result_path={tmp_path}/trained",
    ]
    config = ROOT / "configs" / "Quickstart.yaml"
    assert expr(["-c", str(config), *words, *places, "--device", "cpu"]) == 0
    trained = max_f(tmp_path / "trained")

    torch.manual_seed(0)
    start = tmp_path / "untrained.pth"
    torch.save(build.network(load_config(config)[0]).state_dict(), start)
    places = [
        f"Test.Checkpoint.checkpoint_dir={start}",
        f"Eval.pred_root={tmp_path}/start",
        f"Eval.result_path={tmp_path}/untrained",
    ]
    assert expr(["-c", str(config), *words, *places, "--from", "test", "--device", "cpu"]) == 0
    untrained = max_f(tmp_path / "untrained")

    assert trained > 0.75
    assert untrained < 0.6
    assert trained - untrained > 0.25
