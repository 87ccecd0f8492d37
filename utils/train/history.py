"""What every epoch of a run came to: losses, rates, validation scores; the best of them; the curves."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# epoch (from 1), iteration, train {loss: mean}, rates [per group], validation {metric: value}, chosen_by (metric and mode),
# validated_on (a fingerprint of the pairs)
Entry = dict[str, Any]


class History:
    """List of epochs, plain enough for a checkpoint.

    validated_on: a fingerprint of the pairs that validations score from now on; None where it is not known.
    """

    def __init__(self, entries: Iterable[Entry] = (), validated_on: str | None = None) -> None:
        self.validated_on = validated_on
        self.entries: list[Entry] = [dict(entry) for entry in entries]

    def add(self, epoch: int, iteration: int, losses: Mapping[str, float], rates: Iterable[float]) -> None:
        """Note a finished epoch, replacing what there was about it and after it."""
        self.entries = [entry for entry in self.entries if entry["epoch"] < epoch]
        self.entries.append({"epoch": epoch, "iteration": iteration, "train": dict(losses), "rates": list(rates)})

    def add_validation(self, metrics: Mapping[str, float], metric: str | None = None, mode: str = "max") -> None:
        """Note the scores of the last epoch, and the metric by which the best checkpoint is chosen.

        Raises:
            ValueError: the validation does not compute that metric.
        """
        if metric is not None and metric not in metrics:
            raise ValueError(
                f"validation gives no {metric!r}, by which the best checkpoint is chosen; it gives {', '.join(metrics)}"
            )
        self.entries[-1]["validation"] = {name: float(value) for name, value in metrics.items()}
        if metric is not None:
            self.entries[-1]["chosen_by"] = chosen_by(metric, mode)
        self.entries[-1]["validated_on"] = self.validated_on

    def validations(self) -> list[Entry]:
        """The epochs that were validated."""
        return [entry for entry in self.entries if "validation" in entry]

    def comparable(self, metric: str, mode: str) -> list[Entry]:
        """The last validations on the pairs of now whose best checkpoint was chosen as it is now.

        best.pth holds one of them, or an older one.
        """
        by = chosen_by(metric, mode)
        found: list[Entry] = []
        for entry in reversed(self.validations()):
            if entry.get("chosen_by", by) != by or metric not in entry["validation"] or not self.same_pairs(entry):
                break
            found.insert(0, entry)
        return found

    def same_pairs(self, entry: Entry) -> bool:
        """Whether an epoch was validated on the pairs of now, as far as both are known."""
        return None in (self.validated_on, was := entry.get("validated_on")) or was == self.validated_on

    def best(self, metric: str, mode: str) -> Entry | None:
        """The first of the best epochs by `metric` ("max" or "min") since it is the one that chooses.

        A score that is not a number is never best.
        """
        best = None
        for entry in self.comparable(metric, mode):
            value = entry["validation"][metric]
            if not math.isfinite(value):
                continue
            if best is None or (value - best["validation"][metric]) * (1 if mode == "max" else -1) > 0:
                best = entry
        return best

    def without_progress(self, metric: str, mode: str) -> int:
        """Validations since the best one."""
        best = self.best(metric, mode)
        return sum(1 for entry in self.comparable(metric, mode) if best is None or entry["epoch"] > best["epoch"])


def chosen_by(metric: str, mode: str) -> str:
    """How the best checkpoint is chosen, for people and for comparisons."""
    return f"{metric} ({mode})"


def draw_curves(history: History, path: Path) -> None:
    """Write losses, scores and rates over the epochs as one PNG. Draws off screen, whatever the display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    validations = history.validations()
    panels = [("loss", [(entry["epoch"], entry["train"]) for entry in history.entries])]
    if validations:
        panels.append(("validation", [(entry["epoch"], entry["validation"]) for entry in validations]))
    panels.append(
        (
            "learning rate",
            [
                (entry["epoch"], {f"group {n}": rate for n, rate in enumerate(entry["rates"])})
                for entry in history.entries
            ],
        )
    )
    figure = Figure(figsize=(5 * len(panels), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (title, points) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for name in sorted({name for _, values in points for name in values}):
            drawn = [(epoch, values[name]) for epoch, values in points if name in values]
            axis.plot(*zip(*drawn, strict=True), marker="." if len(drawn) < 40 else "", label=name)
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
