"""Draws what runs reached on their held-out pairs: .venv/bin/python docs/make_curves.py OUT.png RUN_FOLDER [RUN_FOLDER ...]

Read from the logs in the folders; the runs are drawn one after the other, each with its own epochs.
"""

import re
import sys
from pathlib import Path

import matplotlib

LINE = re.compile(r"validation after epoch (\d+): maxFm ([\d.]+), mae ([\d.]+), Sm ([\d.]+)")
NAMES = ("max F", "MAE", "S-measure")


def curve(folder: Path) -> list[tuple[float, ...]]:
    """(epoch, max F, MAE, S) in the order of the epochs; the last entry counts where an epoch was repeated."""
    found = {}
    for log in sorted(folder.glob("train_*.log")):
        for match in LINE.finditer(log.read_text(encoding="utf-8")):
            found[int(match[1])] = tuple(float(value) for value in match.groups())
    if not found:
        raise SystemExit(f"error: no validation in the logs of {folder}")
    return [found[epoch] for epoch in sorted(found)]


def main(out: str, folders: list[str]) -> int:
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curves = [curve(Path(folder)) for folder in folders]
    figure, axes = plt.subplots(
        1, len(curves), figsize=(4.5 * len(curves), 3.4), sharey=True, layout="constrained", squeeze=False
    )
    for axis, folder, points in zip(axes[0], folders, curves, strict=True):
        for values, name in zip(list(zip(*points, strict=True))[1:], NAMES, strict=True):
            axis.plot([point[0] for point in points], values, marker="o", markersize=3, label=name)
        axis.set(title=Path(folder).resolve().name, xlabel="epoch", ylim=(0, 1))
        axis.grid(True, alpha=0.25)
    axes[0][0].legend(frameon=False, loc="center right")
    figure.savefig(out, dpi=110)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
