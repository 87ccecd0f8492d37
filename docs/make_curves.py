"""Draws what runs reached on their held-out pairs: .venv/bin/python docs/make_curves.py OUT.png RUN_FOLDER [RUN_FOLDER ...]

Read from the logs in the folders. Runs that go on from one another are drawn as one line, with a mark where each begins.
"""

import re
import sys
from pathlib import Path

import matplotlib

LINE = re.compile(r"validation after epoch (\d+): maxFm ([\d.]+), mae ([\d.]+), Sm ([\d.]+)")
PANELS = {"higher is better": {"max F": 1, "S-measure": 3}, "MAE: lower is better": {"MAE": 2}}  # columns of a point


def curve(folder: Path) -> list[tuple[float, ...]]:
    """(epoch, max F, MAE, S) in the order of the epochs; the last entry counts where an epoch was repeated."""
    found = {}
    for log in sorted(folder.glob("train_*.log")):
        for match in LINE.finditer(log.read_text(encoding="utf-8")):
            found[int(match[1])] = tuple(float(value) for value in match.groups())
    if not found:
        raise SystemExit(f"error: no validation in the logs of {folder}")
    return [found[epoch] for epoch in sorted(found)]


def joined(curves: list[list[tuple[float, ...]]]) -> tuple[list[tuple[float, ...]], list[float]]:
    """All points with epochs counted on from run to run, and the epoch at which each run begins."""
    points, begins = [], []
    for run in curves:
        begins.append(points[-1][0] if points else 0.0)
        points += [(begins[-1] + epoch, *scores) for epoch, *scores in run]
    return points, begins


def main(out: str, folders: list[str]) -> int:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    points, begins = joined([curve(Path(folder)) for folder in folders])
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10, 3.6), layout="constrained")
    for axis, (title, lines) in zip(axes, PANELS.items(), strict=True):
        for name, column in lines.items():
            axis.plot([point[0] for point in points], [point[column] for point in points], marker="o", label=name)
        for begin, folder in zip(begins, folders, strict=True):
            axis.axvline(begin, color="gray", linewidth=0.8)
            label = f" {Path(folder).absolute().name}"
            axis.text(begin, 0.98, label, transform=axis.get_xaxis_transform(), rotation=90, va="top", fontsize=7)
        axis.set(title=title, xlabel="epochs")
        axis.grid(True, alpha=0.25)
        axis.legend(frameon=False)
    figure.savefig(out, dpi=110)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
