"""Expr.py: which steps a run takes, and what becomes of runs that need others."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inspyrenet.commands import evaluate, experiment, train
from inspyrenet.engine import predicted
from inspyrenet.engine import test as testing
from inspyrenet.engine.eval_sets import check_finished
from inspyrenet.engine.test import PredictionError
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.metrics.files import PairingError
from inspyrenet.utils.train.state import ResumeError
from inspyrenet.utils.train.types import Outcome

DONE = Outcome("done", 1, 1, None, None, "trained to epoch 1/1")


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """What was trained and scored; the network is not built. A name in `steps.failing` fails in training."""

    seen = SimpleNamespace(trained=[], scored={}, failing=set())

    def training(config, options):
        if config.name in seen.failing:
            raise PredictionError("the loss is not finite")
        seen.trained.append(config.name)
        return DONE

    def scoring(configs, options, failures):
        seen.scored = {config.name: failures.get(config.name) for config in configs}
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "train", training)
    monkeypatch.setattr(evaluate, "evaluate", scoring)
    (tmp_path / "pre.yaml").write_text("extends: Quickstart.yaml\n")
    (tmp_path / "fine.yaml").write_text("extends: Quickstart.yaml\nTrain: {FineTune: {weights: snapshots/pre}}\n")
    return seen


def test_a_run_does_not_start_from_one_that_failed(steps, monkeypatch):
    monkeypatch.setattr("inspyrenet.commands.test.test", lambda config, options: None)
    steps.failing = {"pre"}
    experiment.main(["--config", "pre.yaml", "fine.yaml"])
    assert steps.trained == []
    assert steps.scored == {
        "pre": "the loss is not finite",
        "fine": "it starts from the training of pre, which failed",
    }
    steps.failing = set()
    experiment.main(["--config", "pre.yaml", "fine.yaml"])
    assert steps.trained == ["pre", "fine"] and set(steps.scored.values()) == {None}


def test_a_run_may_start_from_one_that_is_there_already(steps, monkeypatch):
    """Which is why its training is not begun again: that is no failure of a training."""
    monkeypatch.setattr("inspyrenet.commands.test.test", lambda config, options: None)
    there = train.train

    def training(config, options):
        if config.name == "pre":
            raise ResumeError("snapshots/pre already holds a run")
        return there(config, options)

    monkeypatch.setattr(train, "train", training)
    experiment.main(["--config", "pre.yaml", "fine.yaml"])
    assert steps.trained == ["fine"] and steps.scored["fine"] is None


def test_seeds_are_one_or_more(steps, capsys):
    with pytest.raises(SystemExit):
        experiment.main(["--config", "pre.yaml", "--seeds", "0"])
    assert "--seeds 0: at least 1" in capsys.readouterr().err


def test_images_without_a_map_are_left_out_where_asked(steps, monkeypatch, capsys):
    def predicting(config, options):
        raise PredictionError("1 of 9 images have no map")

    monkeypatch.setattr("inspyrenet.commands.test.test", predicting)
    words = ["--config", "pre.yaml", "seed=0,1"]
    experiment.main(words)
    assert set(steps.scored.values()) == {"1 of 9 images have no map"}
    experiment.main([*words, "--from", "eval"])
    assert set(steps.scored.values()) == {"1 of 9 images have no map"}
    experiment.main([*words, "--from", "eval", "--allow-missing"])
    assert set(steps.scored.values()) == {None}
    experiment.main([*words, "--allow-missing"])
    assert set(steps.scored.values()) == {None}
    experiment.main([*words, "--join"])
    assert set(steps.scored.values()) == {"1 of 9 images have no map"}
    assert "the others are scored, since --allow-missing is given" in capsys.readouterr().err


def test_maps_that_are_there_are_not_made_again_on_resume(steps, monkeypatch):
    """Until the weights, the settings or a map are others."""
    words = ["--config", "pre.yaml", "--device", "cpu", "--resume", "Test.Dataset.limit=3"]
    calls = []

    def predicting(config, device, log, bar=False, debug=False):
        calls.append(config.Test.normalize)
        for pair in testing.build.pairs(config.Test.Dataset, need_masks=False):
            path = Path(config.Eval.pred_root) / pair.dataset / f"{pair.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((2, 2), np.uint8)).save(path)
        return "3 maps"

    monkeypatch.setattr(testing, "predict_sets", predicting)
    weights = Path("snapshots/pre/best.pth")
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"one")
    for count in (1, 1):
        experiment.main(words)
        assert len(calls) == count
    weights.write_bytes(b"two")
    experiment.main(words)
    assert len(calls) == 2
    next(Path("snapshots/pre").glob("*/*.png")).unlink()
    experiment.main(words)
    assert len(calls) == 3
    experiment.main([*words, "Test.normalize=minmax"])
    assert len(calls) == 4
    experiment.main([*words[:4], *words[5:], "Test.normalize=minmax"])
    assert len(calls) == 5  # without --resume
    (config,) = load_config("pre.yaml", ["Test.Dataset.limit=3", "Test.normalize=minmax"])
    assert predicted.is_predicted(config)
    image = testing.build.pairs(config.Test.Dataset, need_masks=False)[0].image
    Image.fromarray(np.zeros((90, 70, 3), np.uint8)).save(image)
    assert not predicted.is_predicted(config)
    predicted.end(config, predicted.origin_of(config))
    assert predicted.is_predicted(config)
    predicted.begin(config)
    assert not predicted.is_predicted(config)
    check = partial(check_finished, Path(config.Eval.pred_root))
    (other,) = load_config("pre.yaml", ["Test.Dataset.limit=3", "Test.Dataset.sets=[train]"])
    predicted.begin(other)
    predicted.end(other, predicted.origin_of(other))
    check(["train"], allow_missing=False)
    check(None, allow_missing=True)
    with pytest.raises(PairingError, match="heldout: Test was stopped before all maps were made"):
        check(config.Test.Dataset.sets, allow_missing=False)
    predicted.end(config)
    check(None, allow_missing=False)
