"""From an empty folder to the table of a paper, as typed: own layout, check, split, tune, sweep, published figures, LaTeX."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from inspyrenet.data.datasets.synthetic import SyntheticShapes
from tests.tiny_network import SIDE, write_tiny

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")

MINE = """\
extends: tiny.yaml
note: |
  tuned on berries,
  all of them & more
Train:
  Dataset: {root: pictures, sets: [berries/train.txt], transforms: {static_resize: {size: [64, 64]}}}
  Validation: {sets: [berries/val.txt]}
  FineTune: {weights: snapshots/berries_tuned}
  Dataloader: {batch_size: 8, num_workers: 0}
  Scheduler: {epoch: 1, warmup_iteration: 0}
Test: {Dataset: {root: pictures, sets: [held_out]}, Dataloader: {num_workers: 0}}
Eval: {metrics: [Sm, maxFm, mae], cited: theirs.yaml, num_workers: 1}
"""
THEIRS = """\
TheirNet_2:
  source: Doe et al., CVPR 2025, Table 2 (90 % of the set)
  figures:
    held_out: {Sm: .940, maxFm: .951, mae: .030}
"""


def write_pictures(folder: Path, count: int, seed: int, beside: bool) -> None:
    """Painted pairs: x.jpg with x-mask.png beside it, or Imgs/x.jpg and GT/x.png."""
    for number, sample in enumerate(SyntheticShapes(count, seed, (SIDE, SIDE))):
        image, mask = (
            (f"{number:02}.jpg", f"{number:02}-mask.png") if beside else (f"Imgs/{number}.jpg", f"GT/{number}.png")
        )
        for name, array in ((image, sample.image), (mask, sample.mask)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / name, quality=95)


def typed(line: str, cwd: Path) -> subprocess.CompletedProcess:
    """`python LINE` from the clone's scripts."""
    script, *words = line.split()
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(ROOT / script), *words], cwd=cwd, env=alone, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory) -> SimpleNamespace:
    """The folder, and how each command ended."""
    folder = tmp_path_factory.mktemp("afternoon")
    write_pictures(folder / "pictures" / "berries", 24, 1, beside=True)
    write_pictures(folder / "pictures" / "held_out", 4, 2, beside=False)
    write_pictures(folder / "general", 40, 3, beside=False)
    write_tiny(folder)
    (folder / "mine.yaml").write_text(MINE)
    (folder / "theirs.yaml").write_text(THEIRS)
    lines = {
        "check": "run/Data.py check pictures",
        "split": "run/Data.py split pictures/berries --val 0.2",
        "tune": "run/Tune.py --data pictures/berries --general general --config tiny.yaml --ckpt tiny.safetensors "
        "--device cpu Train.Scheduler.epoch=1",
        "sweep": "Expr.py --config mine.yaml --device cpu Train.Optimizer.lr=1e-4,1e30",
    }
    return SimpleNamespace(folder=folder, **{name: typed(line, folder) for name, line in lines.items()})


def test_the_data_are_understood_as_they_lie(afternoon):
    said = afternoon.check.stdout
    assert afternoon.check.returncode == 0, afternoon.check
    assert "images and masks in one folder (00.jpg with 00-mask.png)" in said and "images in Imgs, masks in GT" in said
    assert "24 can be used" in said and said.endswith("0 problems\n")
    assert re.findall(r"(\w+)\.txt: (\d+) pairs", afternoon.split.stdout) == [("train", "19"), ("val", "5")]


def test_tuning_decides_and_leaves_weights(afternoon):
    assert afternoon.tune.returncode == 0, afternoon.tune
    decision, place = afternoon.tune.stdout.splitlines()[-2:]
    assert decision.startswith(("shipped: ", "kept the start: "))
    assert place == "weights: snapshots/berries_tuned; use them with --ckpt snapshots/berries_tuned"


def test_a_point_that_diverges_is_reported_and_the_other_is_scored(afternoon):
    assert afternoon.sweep.returncode == 1, afternoon.sweep
    assert "mine_lr-1e30: failed: epoch 1, step 2: the loss is not finite" in afternoon.sweep.stderr
    assert "Traceback" not in afternoon.sweep.stderr
    assert re.search(r"^mine_lr-1e-4 +held_out +4 +0\.\d+", afternoon.sweep.stdout, re.MULTILINE)
    assert re.search(r"^mine_lr-1e30 +- +failed", afternoon.sweep.stdout, re.MULTILINE)


def test_the_table_has_published_and_measured_rows(afternoon):
    with (afternoon.folder / "results" / "joint" / "paper.csv").open(newline="") as file:
        theirs, ours, failed = csv.DictReader(file)
    assert (theirs["method"], theirs["held_out Sm"]) == ("TheirNet_2", "0.94") and "Doe et al." in theirs["source"]
    assert ours["method"] == "mine_lr-1e-4" and 0 < float(ours["held_out Sm"]) < 1 and not ours["source"]
    assert failed["method"] == "mine_lr-1e30" and failed["held_out Sm"] == ""


@pytest.mark.system
def test_the_document_of_the_page_is_compiled(afternoon):
    compiler = shutil.which("tectonic") or shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("neither tectonic nor pdflatex is installed")
    (afternoon.folder / "paper.tex").write_text(re.search(r"```latex\n(.*?)```", PAGE, re.DOTALL)[1])
    flags = [] if Path(compiler).name == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([compiler, *flags, "paper.tex"], cwd=afternoon.folder, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (afternoon.folder / "paper.pdf").stat().st_size > 10_000
