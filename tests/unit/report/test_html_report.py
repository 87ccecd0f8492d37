"""report.html and the files beside it: what they hold, and that they need nothing else."""

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspyrenet.utils.metrics import METRICS, ScorePair, evaluate_folder, intervals
from inspyrenet.utils.report.figures import MethodScores, write_curves, write_per_image
from inspyrenet.utils.report.html_report import Entry, write_report
from inspyrenet.utils.report.tables import Row
from inspyrenet.utils.report.thumbnails import thumbnails, worst_first

NAMES = ("a</script><b>", "b", "c", "d")


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def entry(folder: Path, method: str, metrics=("Sm", "mae", "maxFm", "mBA"), shift: int = 0) -> Entry:
    pairs = []
    for i, name in enumerate(NAMES):
        mask = cv2.circle(np.zeros((60, 80), np.uint8), (30, 30), 5 + 5 * i, 255, -1)
        truth = write(folder / "gt" / f"{i}.png", mask * (name != "d"))
        image = write(folder / "images" / f"{i}.jpg", np.full((60, 80, 3), 40 * i, np.uint8))
        guess = write(folder / method / f"{i}.png", cv2.GaussianBlur(np.roll(mask, shift + i, 1), (0, 0), 3))
        pairs.append(ScorePair("set", name, guess, truth, image))
    scores = evaluate_folder(pairs, metrics, workers=1)["set"]
    result = scores.result()
    row = Row(method, "set", result.values, result.images, len(pairs), (), intervals(scores.scores, resamples=50))
    return Entry(row, scores, pairs)


def embedded(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


@pytest.fixture
def page(tmp_path) -> str:
    entries = [entry(tmp_path, "ours"), entry(tmp_path, "theirs", shift=4)]
    write_report(tmp_path / "out" / "report.html", "ours & <theirs>", entries, ["a note"])
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_page_refers_to_nothing_outside_itself(page):
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)[^"'$]""", page)
    assert "http://" not in page and "https://" not in page
    assert "@import" not in page and "url(" not in page


def test_numbers_curves_and_pictures_are_in_the_page(page):
    data = embedded(page)
    panel = data["sets"][0]
    assert [m["name"] for m in data["metrics"]] == ["Sm", "mae", "maxFm", "mBA"]
    assert data["metrics"][1]["better"] == METRICS["mae"].better
    assert [m["name"] for m in panel["methods"]] == ["ours", "theirs"]
    assert panel["images"] == sorted(NAMES)
    assert len(panel["methods"][0]["curves"]["Fm"]) == 256
    assert panel["values"][0]["mBA"][panel["images"].index("d")] is None  # an empty mask has none
    assert len(panel["pictures"]) == len(NAMES)
    assert all(len(found) == 4 for found in panel["pictures"].values())  # photograph, mask, two maps
    low, high = panel["methods"][0]["intervals"]["mae"]
    assert low <= panel["methods"][0]["values"]["mae"] <= high


def test_names_cannot_end_the_script_or_add_markup(page):
    assert "a</script><b>" not in page
    assert "<title>ours &amp; &lt;theirs></title>" in page
    assert "innerHTML = `" not in page.replace("over.innerHTML = `<line", "")  # text is set as text


def test_pictures_stop_at_the_budget_and_the_worst_come_first(tmp_path):
    scored = entry(tmp_path, "ours", metrics=("mae",))
    order = worst_first([scored.scores.scores])
    values = scored.scores.scores.values("mae")
    assert values[order[0]] == values.max()
    assert sorted(order) == list(range(len(NAMES)))
    images = [(pair,) for pair in scored.pairs]
    everything = list(thumbnails(images, 1 << 20))
    size = sum(map(len, everything[0]))
    assert len(list(thumbnails(images, size))) == 1
    write_report(tmp_path / "small.html", "small", [scored], budget=size)
    assert len(embedded((tmp_path / "small.html").read_text())["sets"][0]["pictures"]) < len(NAMES)


def test_metrics_without_curves_make_a_page_without_curves(tmp_path):
    seeds = [["method", "mae"], ["ours", "0.1 ± 0.2"]]
    write_report(tmp_path / "report.html", "t", [entry(tmp_path, "ours", metrics=("mae",))], seeds=seeds)
    data = embedded((tmp_path / "report.html").read_text())
    assert data["sets"][0]["methods"][0]["curves"] is None
    assert data["seeds"]["lines"] == seeds


def test_per_image_scores_and_curves_as_csv(tmp_path):
    scored = entry(tmp_path, "ours")
    table = [MethodScores("ours", scored.scores)]
    files = write_per_image(tmp_path / "out", table)
    with files[0].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == sorted(NAMES)
    assert np.mean([float(row["mae"]) for row in rows]) == pytest.approx(scored.row.values["mae"])
    assert rows[3]["mBA"] == ""
    with write_curves(tmp_path / "out", table).open(newline="") as file:
        curve = list(csv.DictReader(file))
    assert [int(row["threshold"]) for row in curve] == list(range(256))
    assert max(float(row["Fm"]) for row in curve) == pytest.approx(scored.row.values["maxFm"])
    assert float(curve[0]["recall"]) == pytest.approx(0.75)  # at threshold 0 all but the empty mask are found
    assert write_curves(tmp_path, [MethodScores("x", entry(tmp_path, "x", metrics=("mae",)).scores)]) is None
