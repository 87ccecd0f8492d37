"""Where the numbers of a run go besides TensorBoard: to trackio, wandb, mlflow, or a tracker of one's own. None of them is needed.

A tracker that fails is told once and left alone from then on: no training ends by it.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

PROJECT = "inspyrenet"
MOST = 100  # parameters that mlflow takes at a time


class Tracker(Protocol):
    """What is asked of a tracker, on the main process alone. `image(name, picture, step)` is asked of those that have it.

    start: the run's name, its config as plain values, and its folder. log: numbers by names such as train/total, at an optimizer
    step, which never decreases. picture: uint8 (H, W, 3). finish: the run has ended, however it did; asked once, also of a tracker
    that has failed. `fail()` is asked in its place where an error ended the run, of those that have it.
    """

    def start(self, name: str, config: Mapping[str, Any], folder: Path) -> None: ...

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def finish(self) -> None: ...


class Trackio:
    """trackio; the arguments are those of `trackio.init`."""

    module = "trackio"

    def __init__(self, **arguments: Any) -> None:
        self.arguments = {"project": PROJECT, **arguments}
        self.library: Any = import_module(self.module)

    def start(self, name: str, config: Mapping[str, Any], folder: Path) -> None:
        """See `Tracker`."""
        self.library.init(**{"name": name, "config": dict(config), **self.arguments})

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See `Tracker`."""
        self.library.log(dict(values), step=step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """See `Tracker`."""
        self.library.log({name: self.library.Image(picture)}, step=step)

    def finish(self) -> None:
        """See `Tracker`."""
        self.library.finish()


class Wandb(Trackio):
    """Weights & Biases, whose functions are called alike; its files go into the run's folder."""

    module = "wandb"

    def fail(self) -> None:
        """See `Tracker`."""
        self.library.finish(exit_code=1)

    def start(self, name: str, config: Mapping[str, Any], folder: Path) -> None:
        """See `Tracker`."""
        self.arguments.setdefault("dir", str(folder))
        super().start(name, config, folder)


class MLflow:
    """MLflow; the arguments are those of `mlflow.start_run`, and `experiment` and `tracking_uri`."""

    def __init__(self, experiment: str = PROJECT, tracking_uri: str | None = None, **arguments: Any) -> None:
        self.experiment, self.address, self.arguments = experiment, tracking_uri, arguments
        self.library: Any = import_module("mlflow")

    def start(self, name: str, config: Mapping[str, Any], folder: Path) -> None:
        """See `Tracker`."""
        if self.address is not None:
            self.library.set_tracking_uri(self.address)
        self.library.set_experiment(self.experiment)
        self.library.start_run(**{"run_name": name, **self.arguments})
        flat = list(_flat(config))
        for first in range(0, len(flat), MOST):
            self.library.log_params(dict(flat[first : first + MOST]))

    def log(self, values: Mapping[str, float], step: int) -> None:
        """See `Tracker`."""
        self.library.log_metrics(dict(values), step=step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """See `Tracker`."""
        self.library.log_image(picture, key=name, step=step)

    def finish(self) -> None:
        """See `Tracker`."""
        self.library.end_run()

    def fail(self) -> None:
        """See `Tracker`."""
        self.library.end_run(status="FAILED")


TRACKERS: dict[str, Callable[..., Tracker]] = {"trackio": Trackio, "wandb": Wandb, "mlflow": MLflow}


def is_absent(name: str) -> bool:
    """Whether this is one of TRACKERS whose package is not installed."""
    return name in TRACKERS and find_spec(name) is None


def _flat(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value)."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


class SafeTracker:
    """A tracker as training uses it: its first error is a warning and ends its use.

    name: of the tracker, for that warning. run, config, folder: what it starts with.
    """

    def __init__(
        self, tracker: Tracker, name: str, run: str, config: Mapping[str, Any], folder: Path, log: logging.Logger
    ) -> None:
        self._tracker: Tracker | None = tracker
        self._name, self._run, self._config, self._folder, self._log = name, run, config, folder, log

    def start(self) -> None:
        """Open the run."""
        self._ask("start", self._run, self._config, self._folder)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of an optimizer step."""
        self._ask("log", values, step)

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """A picture, uint8 (H, W, 3), where the tracker takes pictures."""
        if hasattr(self._tracker, "image"):
            self._ask("image", name, picture, step)

    def finish(self, failed: bool = False) -> None:
        """Close the run; failed: an error ended it. A tracker that has failed was closed then."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            self._call(tracker, "fail" if failed and hasattr(tracker, "fail") else "finish")

    def _ask(self, method: str, *arguments: Any) -> None:
        tracker = self._tracker
        if tracker is not None and not self._call(tracker, method, *arguments):
            self._tracker = None
            with contextlib.suppress(Exception):  # told already; what it has is saved, where it still can be
                tracker.finish()

    def _call(self, tracker: Tracker, method: str, *arguments: Any) -> bool:
        """Whether it went well; the log says so where it did not."""
        try:
            getattr(tracker, method)(*arguments)
        except Exception as error:  # whatever code of other people raises
            reason = " ".join(str(error).split()) or type(error).__name__
            self._log.warning(
                "Train.Tracker: %s fails (%s: %s); training goes on, and nothing more is sent to it",
                self._name,
                method,
                reason,
            )
            return False
        return True
