"""Eval.py --compare and --report on files, and the page in a browser."""

import csv
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspyrenet.commands import evaluate


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """Masks of one set and the maps of a sharp and a blurred method; the current folder is there."""
    for i in range(12):
        mask = cv2.circle(np.zeros((48, 64), np.uint8), (20 + i, 24), 8 + i % 4, 255, -1)
        write(tmp_path / "gt" / "set" / "masks" / f"{i:02d}.png", mask)
        write(tmp_path / "gt" / "set" / "images" / f"{i:02d}.jpg", np.dstack([mask // 2] * 3))
        for method, sigma in (("sharp", 1), ("blurred", 1 + i % 5)):
            write(tmp_path / method / "set" / f"{i:02d}.png", cv2.GaussianBlur(mask, (0, 0), sigma))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_comparison_on_the_console_and_on_disk(data, capsys):
    assert evaluate.main(["--compare", "sharp", "blurred", "--gt-root", "gt", "--report"]) == 0
    shown = capsys.readouterr().out
    assert "A: sharp" in shown and "set, 12 images" in shown and "permutation test" in shown
    folder = data / "results" / "compare_sharp_blurred"
    with (folder / "compare.csv").open(newline="") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    assert float(rows["wFm"]["difference"]) > 0
    assert int(rows["wFm"]["a_better"]) == 9 and int(rows["wFm"]["equal"]) == 3
    assert float(rows["wFm"]["p"]) < 0.05
    assert (folder / "report.html").read_text().count('"name":"set"') == 1
    assert (folder / "compare.md").read_text().count("| wFm |") == 1
    assert cv2.imread(str(folder / "largest_set.png")).shape[0] == 9 * (160 + 20 + 4)


def test_comparison_of_what_both_have(data, capsys):
    (data / "sharp" / "set" / "03.png").unlink()
    assert evaluate.main(["--compare", "sharp", "blurred", "--gt-root", "gt"]) == 1
    assert "03" in capsys.readouterr().err
    assert evaluate.main(["--compare", "sharp", "blurred", "--gt-root", "gt", "--allow-missing"]) == 0
    assert "set, 11 images" in capsys.readouterr().out


def test_folders_of_one_name_are_told_apart_and_one_folder_twice_is_refused(data, capsys):
    shutil.copytree(data / "sharp", data / "old" / "sharp")
    assert evaluate.main(["--compare", "sharp", "old/sharp", "--gt-root", "gt", "Eval.metrics=[mae]"]) == 0
    assert "old_sharp" in capsys.readouterr().out
    assert evaluate.main(["--compare", "sharp", "sharp", "--gt-root", "gt"]) == 1
    assert "both folders are" in capsys.readouterr().err


def test_kept_scores_are_used_and_fresh_scores_anew(data, capsys):
    words = ["--pred-root", "sharp", "--gt-root", "gt", "--verbose"]
    for extra, reused in (([], 0), ([], 12), (["--fresh"], 0)):
        assert evaluate.main([*words, *extra]) == 0
        assert f"{reused} of them scored before" in capsys.readouterr().err


def test_conventions_change_the_numbers_and_are_named(data, capsys):
    words = ["--pred-root", "blurred", "--gt-root", "gt", "Eval.metrics=[mae, maxEm]"]
    tables = []
    for name in ("pysod", "published"):
        assert evaluate.main([*words, f"Eval.conventions={name}"]) == 0
        assert f"Conventions: {name}" in capsys.readouterr().out
        tables.append((data / "results" / "blurred" / "scores.csv").read_text())
    assert tables[0] != tables[1]


def test_tables_of_other_maps_in_a_folder_of_the_same_name_are_not_replaced_unasked(data, capsys):
    shutil.copytree(data / "sharp", data / "old" / "sharp")
    words = ["--gt-root", "gt", "Eval.metrics=[mae]"]
    assert evaluate.main(["--pred-root", "sharp", *words]) == 0
    assert evaluate.main(["--pred-root", "sharp", "--gt-root", "gt", "Eval.metrics=[mse]"]) == 0
    assert evaluate.main(["--pred-root", "old/sharp", *words]) == 1
    error = capsys.readouterr().err
    assert "holds the tables of another run of the name sharp" in error and "or replace them with --overwrite" in error
    assert evaluate.main(["--pred-root", "old/sharp", *words, "--overwrite"]) == 0
    assert (data / "results" / "sharp" / "paper.md").read_text().startswith("| method | set mae ↓ |")


def test_report_is_written_beside_the_tables(data):
    assert evaluate.main(["--pred-root", "blurred", "--gt-root", "gt", "--report"]) == 0
    names = {path.name for path in (data / "results" / "blurred").iterdir()}
    assert {"report.html", "scores.csv", "scores.md", "scores.tex", "per_image.csv", "curves.csv"} <= names


@pytest.mark.system
def test_report_in_a_browser(data):
    """Chromium runs the page's script from the file and shows table, curves and images."""
    browser = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    assert evaluate.main(["--pred-root", "blurred", "--gt-root", "gt", "--report"]) == 0
    page = (data / "results" / "blurred" / "report.html").resolve().as_uri()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command = [browser, *flags, f"--user-data-dir={data / 'profile'}", "--virtual-time-budget=5000", "--dump-dom", page]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert shown.count('class="row"') == 12
    assert shown.count("<figure") > 6  # three curves, and histograms of the metrics
    scores = (data / "results" / "blurred" / "per_image.csv").read_text().splitlines()[1:]
    worst = min(scores, key=lambda line: float(line.split(",")[3]))  # the first metric, Sm
    assert shown.split('class="row"')[1].split("<b>")[1].startswith(worst.split(",")[2])


def test_a_photograph_that_cannot_be_read_is_no_matter(data, capsys):
    (data / "gt" / "set" / "images" / "03.jpg").write_bytes(b"")
    (data / "gt" / "set" / "images" / "04.jpg").unlink()
    (data / "gt" / "set" / "images" / "04.jpg").mkdir()
    assert evaluate.main(["--compare", "sharp", "blurred", "--gt-root", "gt", "--report", "Eval.metrics=[mae]"]) == 0
    assert "set, 12 images" in capsys.readouterr().out


def test_all_images_are_counted_where_a_metric_has_no_value_for_some(data, capsys):
    write(data / "gt" / "set" / "masks" / "03.png", np.zeros((48, 64), np.uint8))
    assert evaluate.main(["--compare", "sharp", "blurred", "--gt-root", "gt", "Eval.metrics=[mBA,mae]"]) == 0
    assert "set, 12 images" in capsys.readouterr().out


def test_own_metrics_are_compared_and_scenes_are_not(data, capsys):
    (data / "my_metric.py").write_text(
        "class Share:\n"
        "    better, text = 'lower', 'share of the object'\n"
        "    def __call__(self, saliency, mask):\n"
        "        return float((saliency > 0.5).mean())\n"
    )
    words = ["--compare", "sharp", "blurred", "--gt-root", "gt"]
    assert evaluate.main([*words, 'Eval.metrics=[mae, "my_metric:Share"]']) == 0
    assert "Share" in capsys.readouterr().out
    assert evaluate.main([*words, "--config", "PSPNet_scenes"]) == 1
    assert "PSPNet_scenes parses scenes, and only saliency maps are compared" in capsys.readouterr().err


def test_an_own_metric_that_fails_is_named_with_its_line(data, capsys):
    (data / "failing_metric.py").write_text(
        "def area(saliency, mask):\n    return {}['boom']\n\n\narea.better = 'higher'\n"
    )
    assert evaluate.main(["--pred-root", "sharp", "--gt-root", "gt", 'Eval.metrics=["failing_metric:area"]']) == 1
    said = capsys.readouterr().err
    assert "metric failing_metric:area: KeyError: 'boom'" in said and "failing_metric.py:2" in said


def test_a_photograph_of_another_size_is_named(data, capsys):
    write(data / "gt" / "set" / "images" / "03.jpg", np.zeros((96, 128, 3), np.uint8))
    assert evaluate.main(["--pred-root", "sharp", "--gt-root", "gt", "Eval.metrics=[wCm]"]) == 1
    said = capsys.readouterr().err
    assert f"{Path('gt/set/images/03.jpg')}: is 128x96 but its mask" in said


def test_a_comparison_says_what_was_resized_and_left_out(data, capsys):
    for path in (data / "sharp" / "set").iterdir():
        write(path, cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (32, 24)))
    for name in ("00", "01"):
        (data / "blurred" / "set" / f"{name}.png").unlink()
    words = ["--compare", "sharp", "blurred", "--gt-root", "gt", "--allow-missing", "Eval.metrics=[mae]"]
    assert evaluate.main(words) == 0
    shown, written = capsys.readouterr().out, (data / "results" / "compare_sharp_blurred" / "compare.md").read_text()
    for text in (shown, written):
        assert "sharp on set: 12 predictions had another size than their mask and were resized" in text
        assert "blurred on set: 10 of 12 masks have a prediction" in text
        assert "10 images" in text
