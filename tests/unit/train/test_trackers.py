"""Trackers, with stand-ins for the libraries: what they are told, and that none of them can end a training."""

import contextlib
import importlib.machinery
import json
import logging
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from inspyrenet.engine.config_checks import cross_field_errors, missing_paths
from inspyrenet.engine.train import PyramidPictures, tracker_of
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.trackers import TRACKERS, MLflow, SafeTracker, Trackio, Wandb
from inspyrenet.utils.train.train_log import TrainLogger
from tests.toy_training import ToyNet, make_trainer

LOG = logging.getLogger("test")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "hub.md"
CONFIG = {"name": "toy", "Model": {"name": "Toy", "depth": 3}, "Train": {"lr": 0.1}}


class Library(types.ModuleType):
    """A module that notes how its functions are called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.calls: list[tuple] = []

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *words, **named: self.calls.append((name, words, named)) or f"<{name}>"

    def of(self, name: str) -> list[tuple]:
        return [(words, named) for called, words, named in self.calls if called == name]


@pytest.fixture
def library(request, monkeypatch) -> Library:
    found = Library(request.param)
    monkeypatch.setitem(sys.modules, request.param, found)
    return found


class Own:
    """A tracker of one's own, without pictures; `fails` is the method that raises."""

    def __init__(self, fails: str = "") -> None:
        self.fails, self.calls = fails, []

    def __getattr__(self, name: str):
        if name not in ("start", "log", "finish"):
            raise AttributeError(name)
        return lambda *words: self._called(name, words)

    def _called(self, name: str, words: tuple) -> None:
        self.calls.append((name, *words))
        if name == self.fails:
            raise OSError("the server is\ndown")


def safe(tracker, folder: Path) -> SafeTracker:
    return SafeTracker(tracker, "mine", "toy", CONFIG, folder, LOG)


# -- the libraries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["trackio", "wandb"], indirect=True)
def test_trackio_and_wandb(library, tmp_path):
    kind = {"trackio": Trackio, "wandb": Wandb}[library.__name__]
    run = safe(kind(project="mine", group="a"), tmp_path)
    run.start()
    run.log({"train/total": 0.5}, 20)
    run.image("pyramid", np.zeros((4, 4, 3), np.uint8), 20)
    run.finish()
    ((_, started),) = library.of("init")
    folder = {"dir": str(tmp_path)} if kind is Wandb else {}
    assert started == {"name": "toy", "config": CONFIG, "project": "mine", "group": "a", **folder}
    assert library.of("log") == [(({"train/total": 0.5},), {"step": 20}), (({"pyramid": "<Image>"},), {"step": 20})]
    assert library.calls[-1][0] == "finish"


@pytest.mark.parametrize("library", ["mlflow"], indirect=True)
def test_mlflow(library, tmp_path):
    run = safe(MLflow(tracking_uri="file:runs"), tmp_path)
    run.start()
    run.log({"train/total": 0.5}, 20)
    run.image("pyramid", np.zeros((4, 4, 3), np.uint8), 20)
    run.finish()
    assert library.of("set_tracking_uri") == [(("file:runs",), {})]
    assert library.of("set_experiment") == [(("inspyrenet",), {})]
    assert library.of("start_run") == [((), {"run_name": "toy"})]
    assert library.of("log_params") == [
        (({"name": "toy", "Model.name": "Toy", "Model.depth": 3, "Train.lr": 0.1},), {})
    ]
    assert library.of("log_metrics") == [(({"train/total": 0.5},), {"step": 20})]
    assert library.of("log_image")[0][1] == {"key": "pyramid", "step": 20}
    assert library.calls[-1][0] == "end_run"


@pytest.mark.parametrize("library", ["mlflow"], indirect=True)
def test_mlflow_takes_a_hundred_parameters_at_a_time(library, tmp_path):
    MLflow().start("toy", {f"p{number}": number for number in range(250)}, tmp_path)
    assert [len(words[0]) for words, _ in library.of("log_params")] == [100, 100, 50]


# -- in training --------------------------------------------------------------------------------------------------


def test_a_run_is_told_from_its_start_to_its_end(tmp_path):
    own = Own()
    make_trainer(tmp_path, epochs=5, tracker=safe(own, tmp_path), validate=lambda model: {"score": 1.0}).fit()
    assert own.calls[0] == ("start", "toy", CONFIG, tmp_path) and own.calls[-1] == ("finish",)
    logged = [words for name, *words in own.calls if name == "log"]
    names = {name for values, _ in logged for name in values}
    assert {"train/total", "rate/group_0", "gradient_norm/group_0", "gradient_norm/total", "validation/score"} <= names
    steps = [step for _, step in logged]
    assert steps == sorted(steps) and steps[-1] == 25


@pytest.mark.parametrize("method", ["start", "log", "finish"])
def test_a_tracker_that_fails_is_told_once_and_ends_nothing(method, tmp_path, caplog):
    own = Own(fails=method)
    with caplog.at_level(logging.WARNING):
        outcome = make_trainer(tmp_path, epochs=3, tracker=safe(own, tmp_path)).fit()
    assert outcome.reason == "done"
    (line,) = [record.getMessage() for record in caplog.records if "Tracker" in record.getMessage()]
    assert (
        line
        == f"Train.Tracker: mine fails ({method}: the server is down); training goes on, and nothing more is sent to it"
    )
    assert [name for name, *_ in own.calls].count("finish") == 1 and own.calls[-1] == ("finish",)
    assert [name for name, *_ in own.calls].count(method) == 1


@pytest.mark.parametrize("library", ["trackio", "wandb", "mlflow"], indirect=True)
@pytest.mark.parametrize("breaks", [False, True])
def test_a_run_that_breaks_is_no_success(breaks, library, tmp_path):
    last = {
        "trackio": ("finish", {}, {}),
        "wandb": ("finish", {}, {"exit_code": 1}),
        "mlflow": ("end_run", {}, {"status": "FAILED"}),
    }
    logger = TrainLogger(True, False, LOG, (), tracker=safe(TRACKERS[library.__name__](), tmp_path))
    with contextlib.suppress(RuntimeError), logger:
        logger.start(0, 1, 0)
        if breaks:
            raise RuntimeError("boom")
    name, *words = last[library.__name__]
    assert library.calls[-1] == (name, (), words[breaks])


def test_a_run_that_breaks_is_finished_too(tmp_path):
    def broken(output, mask):
        raise RuntimeError("boom")

    own = Own()
    with pytest.raises(RuntimeError, match="boom"):
        make_trainer(tmp_path, tracker=safe(own, tmp_path), criterion=broken).fit()
    assert own.calls[-1] == ("finish",)


@pytest.mark.parametrize("library", ["wandb"], indirect=True)
def test_pictures_go_to_the_tracker(library, tmp_path):
    hook = PyramidPictures([], None, None, torch.device("cpu"))
    hook.pairs, hook._picture = [None], lambda model, pair: np.zeros((4, 4, 3), np.uint8)
    make_trainer(tmp_path, epochs=2, tracker=safe(Wandb(), tmp_path), hooks=[hook]).fit()
    assert [named["step"] for words, named in library.of("log") if "pyramid" in words[0]] == [5, 10]


# -- the config ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["wandb"], indirect=True)
def test_the_config_chooses_it(library, tmp_path):
    (config,) = load_config("Quickstart", ["Train.Tracker=wandb", "Train.TrackerArguments.entity=me"])
    tracker_of(config, tmp_path, LOG).start()
    ((_, started),) = library.of("init")
    assert started["entity"] == "me" and started["config"]["Train"]["Tracker"] == "wandb"
    assert tracker_of(load_config("Quickstart")[0], tmp_path, LOG) is None


def test_one_of_ones_own_is_found_and_its_arguments_are_checked(tmp_path, monkeypatch):
    text = "class Mine:\n    def __init__(self, path: str = 'a'): self.path = path\n    def start(self, *words): print(self.path)\n"
    (tmp_path / "own_tracker.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    words = ["Train.Tracker=own_tracker:Mine", "Train.TrackerArguments={path: b}"]
    (config,) = load_config("Quickstart", words)
    assert list(cross_field_errors(config)) == []
    assert tracker_of(config, tmp_path, LOG)._tracker.path == "b"
    (config,) = load_config("Quickstart", [words[0], "Train.TrackerArguments={paht: b}"])
    ((key, text),) = cross_field_errors(config)
    assert key == "Train.TrackerArguments.paht" and "did you mean path?" in text


def test_the_example_of_the_page_notes_every_step(tmp_path, monkeypatch):
    blocks = re.findall(
        r'^```\w+ title="([\w.]+)"\n(.*?)^```$', PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for name, text in blocks:
        (tmp_path / name).write_text(text, encoding="utf-8")
    (config,) = load_config(tmp_path / "my_tracker.yaml")
    tracker = tracker_of(config, tmp_path, LOG)
    make_trainer(tmp_path / "run", epochs=4, tracker=tracker).fit()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 20 and any("train/total" in line for line in lines)


def test_unknown_and_absent_trackers_are_told_before_a_run(monkeypatch):
    (config,) = load_config("Quickstart", ["Train.Tracker=wanb"])
    assert list(cross_field_errors(config)) == [("Train.Tracker", "unknown tracker 'wanb'; did you mean wandb?")]
    for name in TRACKERS:
        monkeypatch.setitem(sys.modules, name, None)
        (config,) = load_config("Quickstart", [f"Train.Tracker={name}"])
        told = [text for key, text in missing_paths(config, ["train"], set()) if key == "Train.Tracker"]
        assert told == [f"{name} is not installed: pip install {name}, or set it to null"]
        assert list(missing_paths(config, ["eval"], set())) == []


# -- gradient norms -----------------------------------------------------------------------------------------------


def test_norms_are_those_of_each_group_before_clipping(tmp_path):
    def groups(model: ToyNet) -> torch.optim.Optimizer:
        parts = ((model.body, "encoder"), (model.head, "head"))
        return torch.optim.SGD([{"params": [*part.parameters()], "name": name} for part, name in parts], lr=0.0)

    norms = []
    for clip in (None, 1e-3):
        torch.manual_seed(0)
        model = ToyNet()
        own = Own()
        trainer = make_trainer(
            tmp_path / str(clip), epochs=4, model=model, optimizer=groups(model), options={"clip_norm": clip},
            tracker=safe(own, tmp_path),
        )  # fmt: skip
        trainer.fit()
        if clip is None:
            expected = [
                sum(float(p.grad.square().sum()) for p in part.parameters()) ** 0.5 for part in (model.body, model.head)
            ]
        (values,) = [words[0] for name, *words in own.calls if name == "log" and "gradient_norm/total" in words[0]]
        norms.append([values[f"gradient_norm/{name}"] for name in ("encoder", "head", "total")])
    assert norms[0] == norms[1]
    assert norms[0] == pytest.approx([*expected, sum(one**2 for one in expected) ** 0.5], rel=1e-5)
