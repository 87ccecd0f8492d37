"""run/Eval.py from the command line's words to tables on disk."""

import csv
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inspyrenet.commands import evaluate
from inspyrenet.data.datasets.pairs import find_pairs, pick_evenly
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.metrics import DEFAULT_METRICS, METRICS, ScorePair, evaluate_folder, score


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def mask_and_prediction(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :64]
    mask = (np.hypot(y - rng.uniform(15, 33), x - rng.uniform(20, 44)) < 12).astype(np.uint8) * 255
    return mask, cv2.GaussianBlur(np.roll(mask, 2, axis=1), (0, 0), 2)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """tmp_path/gt/{A,B}, maps of one method in tmp_path/maps, and the current folder there."""
    for dataset, folder, count in (("A", "masks", 5), ("B", "gt", 3)):
        for i in range(count):
            mask, prediction = mask_and_prediction(i)
            name = f"{i}.png" if i else "sub/0.png"
            write(tmp_path / "gt" / dataset / folder / name, mask)
            write(tmp_path / "maps" / dataset / name, prediction)
    return tmp_path


def config(data: Path, name: str = "exp", **section: object) -> str:
    lines = {"gt_root": data / "gt", "pred_root": data / "maps", "result_path": data / "results", "datasets": "[A, B]"}
    lines |= section
    text = "note: trained on stars\nEval:\n" + "".join(f"  {key}: {value}\n" for key, value in lines.items())
    (data / f"{name}.yaml").write_text(text)
    return str(data / f"{name}.yaml")


def table(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open(newline="") as file:
        return {(row["method"], row["dataset"]): row for row in csv.DictReader(file)}


def test_metrics_are_chosen_by_name_and_by_group(data, capsys):
    words = ["--config", config(data), "--metrics", "sad,context,Matting"]
    assert evaluate.main(words) == 1
    assert "wCm needs the photograph" in capsys.readouterr().err
    for mask in [*(data / "gt").rglob("*.png")]:
        photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        write(Path(str(mask).replace("/masks/", "/images/").replace("/gt/B/gt/", "/gt/B/images/")), photo)
    assert evaluate.main(words) == 0
    row = table(data / "results" / "exp" / "scores.csv")["exp", "B"]
    assert [name for name in row if name in METRICS] == ["SAD", "Cm", "wCm", "mattingMSE", "Grad", "Conn"]
    pairs = [mask_and_prediction(i) for i in range(3)]
    expected = np.mean([score(prediction, mask, ["SAD"]).value("SAD") for mask, prediction in pairs])
    assert float(row["SAD"]) == pytest.approx(expected)


def test_default_table_on_disk_and_on_the_console(data, capsys):
    assert evaluate.main(["--config", config(data)]) == 0
    shown = capsys.readouterr().out
    rows = table(data / "results" / "exp" / "scores.csv")
    assert rows.keys() == {("exp", "A"), ("exp", "B")}
    for i, metric in enumerate(DEFAULT_METRICS):
        assert list(rows["exp", "A"])[4 + i] == metric
    singles = [score(*reversed(mask_and_prediction(i)), ["mae"]).value("mae") for i in range(5)]
    assert float(rows["exp", "A"]["mae"]) == pytest.approx(np.mean(singles), abs=1e-12)
    assert rows["exp", "A"]["images"] == "5"
    markdown = (data / "results" / "exp" / "scores.md").read_text()
    for text in (shown, markdown):
        assert f"{np.mean(singles):.4f}" in text
        for fact in ("trained on stars", "above 128", "stretched", "beta^2 = 0.3"):
            assert fact in text


def test_only_the_metrics_that_were_asked_for(data, capsys):
    assert evaluate.main(["--config", config(data), "Eval.metrics=[mse, maxIoU, avgBIoU]"]) == 0
    row = table(data / "results" / "exp" / "scores.csv")["exp", "B"]
    assert [name for name in list(row)[4:] if not name.endswith(("_low", "_high"))] == ["mse", "maxIoU", "avgBIoU"]
    assert "F-measure" not in capsys.readouterr().out


def test_several_configs_make_one_joint_table(data, capsys):
    write(data / "other" / "A" / "x.png", np.zeros((4, 4), np.uint8))
    files = [config(data, "one"), config(data, "two", metrics="[mae, wFm]")]
    assert evaluate.main(["--config", *files]) == 0
    joint = table(data / "results" / "joint" / "scores.csv")
    assert joint.keys() == {(name, dataset) for name in ("one", "two") for dataset in "AB"}
    assert joint["two", "A"]["Sm"] == ""
    assert joint["two", "A"]["wFm"] == joint["one", "A"]["wFm"]


def test_a_missing_map_and_a_missing_mask_are_errors_that_list_the_names(data, capsys):
    (data / "maps" / "A" / "3.png").unlink()
    (data / "gt" / "B" / "gt" / "2.png").unlink()
    assert evaluate.main(["--config", config(data)]) == 1
    error = capsys.readouterr().err
    assert "A: 1 of 5 masks have no prediction" in error and error.splitlines()[0].endswith(": 3")
    assert "B: 1 predictions have no mask" in error and error.splitlines()[1].endswith(": 2")
    assert not (data / "results").exists()


def test_allow_missing_scores_the_rest_and_says_how_many(data, capsys):
    (data / "maps" / "A" / "3.png").unlink()
    assert evaluate.main(["--config", config(data), "--allow-missing"]) == 0
    assert "4 of 5" in capsys.readouterr().out
    assert "4 of 5" in (data / "results" / "exp" / "scores.md").read_text()
    assert table(data / "results" / "exp" / "scores.csv")["exp", "A"]["images"] == "4"


def test_allow_missing_needs_at_least_one_pair(data, capsys):
    for path in (data / "maps" / "B").rglob("*.png"):
        path.unlink()
    assert evaluate.main(["--config", config(data), "--allow-missing"]) == 1
    assert "no prediction has the name of a mask" in capsys.readouterr().err


def test_folders_without_a_config(data, capsys, monkeypatch):
    monkeypatch.chdir(data)
    assert evaluate.main(["--pred-root", "maps", "--gt-root", "gt", "Eval.metrics=[mae]"]) == 0
    assert table(data / "results" / "maps" / "scores.csv").keys() == {("maps", "A"), ("maps", "B")}
    for truth in ("gt/A/masks", "gt/A"):
        assert evaluate.main(["--pred-root", "maps/A", "--gt-root", truth, "Eval.metrics=[mae]"]) == 0
        assert table(data / "results" / "A" / "scores.csv").keys() == {("A", "A")}
        assert "5  0.04" in capsys.readouterr().out


def test_one_folder_of_maps_is_not_scored_as_several_runs(data, capsys):
    words = ["--config", config(data), "--pred-root", str(data / "maps"), "--gt-root", str(data / "gt"), "seed=0,1"]
    for more in ([], ["--compare", str(data / "maps"), str(data / "maps")]):
        given = words if not more else [*words[:2], *words[4:], *more]
        assert evaluate.main(given) == 1
        assert "holds the maps of one run, but 2 runs are named" in capsys.readouterr().err


def test_sets_that_were_not_predicted_are_said(data, capsys):
    (data / "gt" / "C" / "masks").mkdir(parents=True)
    assert (
        evaluate.main(["--pred-root", str(data / "maps"), "--gt-root", str(data / "gt"), f"Eval.result_path={data}"])
        == 0
    )
    assert "no folder of that name: C" in capsys.readouterr().err


def test_no_data_set_is_an_error(data, capsys):
    assert evaluate.main(["--config", config(data, datasets="[]")]) == 1
    assert "Eval.datasets" in capsys.readouterr().err


def test_only_maps_of_the_limit_are_scored(data, capsys):
    """Also where an earlier run without it left more."""
    place = data / "gt" / "A"
    for mask in (place / "masks").rglob("*.png"):
        write(place / "images" / mask.relative_to(place / "masks"), np.zeros((48, 64, 3), np.uint8))
    file = Path(config(data))
    file.write_text(
        file.read_text() + "Model: {name: InSPyReNet_SwinB}\n"
        f"Test:\n  Dataset: {{root: {data / 'gt'}, sets: [A], limit: 3, transforms: {{static_resize: {{size: [64, 64]}}}}}}\n"
    )
    chosen = [pair.name for pair in pick_evenly(find_pairs(data / "gt", ["A"], need_masks=False), 3)]
    assert evaluate.main(["--config", str(file)]) == 0
    assert "3 of 5" in capsys.readouterr().out
    with (data / "results" / "exp" / "per_image.csv").open(newline="") as lines:
        assert sorted(row["image"] for row in csv.DictReader(lines) if row["dataset"] == "A") == sorted(chosen)
    (data / "maps" / "A" / f"{chosen[1]}.png").unlink()
    assert evaluate.main(["--config", str(file)]) == 1
    said = f"A: 1 of the 3 images of Test.Dataset.limit have no map in {data}/maps/A, or no mask: {chosen[1]}"
    assert said in capsys.readouterr().err
    assert evaluate.main(["--config", str(file), "--allow-missing"]) == 0


def test_one_root_alone_is_a_usage_error(data, capsys):
    with pytest.raises(SystemExit) as leave:
        evaluate.main(["--pred-root", str(data / "maps")])
    assert leave.value.code == 2
    assert "--gt-root" in capsys.readouterr().err


def test_names_in_other_sub_folders_are_found(data):
    (data / "maps" / "A" / "sub" / "0.png").rename(data / "maps" / "A" / "0.png")
    assert evaluate.main(["--config", config(data)]) == 0


def test_a_map_of_another_size_is_resized_counted_and_said(data, capsys):
    _, prediction = mask_and_prediction(1)
    write(data / "maps" / "A" / "1.png", cv2.resize(prediction, (32, 24)))
    assert evaluate.main(["--config", config(data)]) == 0
    assert "1 predictions had another size" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty file"), (b"\x89PNG\r\n\x1a\n broken", "not an image"), (None, "NaN")]
)
def test_a_bad_map_is_named(data, capsys, content, message):
    path = data / "maps" / "A" / "1.png"
    path.unlink()
    if content is None:
        path = path.with_suffix(".npy")
        np.save(path, np.full((48, 64), np.nan, np.float32))
    else:
        path.write_bytes(content)
    assert evaluate.main(["--config", config(data)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error and message in error


CODINGS = {
    "0 and 1": lambda mask: Image.fromarray(mask // 255),
    "16 bit": lambda mask: Image.fromarray(mask.astype(np.uint16)),
    "palette": lambda mask: in_palette(mask // 255),
    "red": lambda mask: Image.fromarray(np.dstack([mask, mask * 0, mask * 0])),
    "alpha": lambda mask: Image.fromarray(np.dstack([mask * 0, mask])),
}


def in_palette(indices: np.ndarray) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(bytes([0, 0, 0, 128, 0, 0]))
    return image


@pytest.mark.parametrize("coding", CODINGS)
def test_perfect_maps_score_perfectly_whatever_the_masks_coding(data, coding, capsys):
    for file in (data / "gt" / "A").rglob("*.png"):
        mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        write(data / "maps" / "A" / file.relative_to(data / "gt" / "A" / "masks"), mask)
        CODINGS[coding](mask).save(file)
    run = ["--config", config(data, metrics="[maxFm, mae, maxIoU]", datasets="[A]"), "--debug"]
    assert evaluate.main(run) == 0
    assert ("The masks of A were read as masks " in capsys.readouterr().out) == (coding != "16 bit")
    row = table(data / "results" / "exp" / "scores.csv")["exp", "A"]
    assert [float(row[name]) for name in ("maxFm", "mae", "maxIoU")] == [1, 0, 1]


def test_masks_without_a_certain_meaning_stop_with_file_and_remedy(data, capsys):
    file = data / "gt" / "A" / "masks" / "1.png"
    mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) // 255
    mask[:2] = 2
    for other in (data / "gt" / "A").rglob("*.png"):
        write(other, mask)
    assert evaluate.main(["--config", config(data)]) == 1
    error = capsys.readouterr().err
    assert "1.png: holds 0, 1 and 2, which may be labels; save the masks as 8-bit gray PNG" in error
    assert not (data / "results").exists()


def test_a_set_of_empty_masks_is_said(data, capsys):
    for file in (data / "gt" / "A").rglob("*.png"):
        write(file, np.zeros((48, 64), np.uint8))
    assert evaluate.main(["--config", config(data)]) == 0
    assert "A: all of its 5 masks are empty" in capsys.readouterr().err
    assert "No mask of A has an object" in (data / "results" / "exp" / "scores.md").read_text()


def test_accents_in_either_form_are_the_same_name(data):
    composed, apart = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    mask, prediction = mask_and_prediction(9)
    write(data / "gt" / "A" / "masks" / f"{apart}.png", mask)
    write(data / "maps" / "A" / f"{composed}.png", prediction)
    assert evaluate.main(["--config", config(data)]) == 0
    assert table(data / "results" / "exp" / "scores.csv")["exp", "A"]["images"] == "6"


def test_a_folder_that_cannot_be_written_is_named(data, capsys):
    (data / "results").write_text("a file stands where the folder should be")
    assert evaluate.main(["--config", config(data)]) == 1
    error = capsys.readouterr().err
    assert str(data / "results") in error and "Eval.result_path" in error


def test_debug_draws_the_worst_pairs(data):
    write(data / "gt" / "A" / "images" / "1.jpg", np.full((48, 64, 3), 99, np.uint8))
    assert evaluate.main(["--config", config(data), "--debug"]) == 0
    for dataset in "AB":
        assert cv2.imread(str(data / "results" / "exp" / f"worst_{dataset}.png")).shape[1] > 500


def test_a_config_that_does_not_say_where_the_masks_are(data, capsys):
    (data / "bare.yaml").write_text("Eval: {datasets: [A]}\n")
    assert evaluate.main(["--config", str(data / "bare.yaml")]) == 1
    assert "Eval.gt_root" in capsys.readouterr().err


def test_processes_give_the_same_numbers_and_do_not_import_torch(data):
    """In a fresh interpreter: two spawned workers, which must stay light."""
    script = data / "script.py"
    script.write_text(
        "import sys\n"
        "from inspyrenet.commands import evaluate as Eval\n"
        "if __name__ == '__main__':\n"
        f"    code = Eval.main(['--pred-root', r'{data / 'maps'}', '--gt-root', r'{data / 'gt'}',\n"
        f"                      'Eval.num_workers=2', r'Eval.result_path={data / 'parallel'}'])\n"
        "    sys.exit(code or 3 * ('torch' in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert evaluate.main(["--config", config(data, "maps")]) == 0
    assert table(data / "parallel" / "maps" / "scores.csv") == table(data / "results" / "maps" / "scores.csv")


def test_workers_end_with_a_parent_that_was_killed(data):
    """They hold its output open, so reading that to the end takes as long as the last of them lives."""
    script = data / "script.py"
    script.write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "from inspyrenet.utils.metrics import ScorePair, evaluate_folder\n"
        "if __name__ == '__main__':\n"
        f"    pair = Path(r'{data / 'maps' / 'A' / '1.png'}'), Path(r'{data / 'gt' / 'A' / 'masks' / '1.png'}')\n"
        "    pairs = [ScorePair('A', str(i), *pair) for i in range(20000)]\n"
        "    signal.setitimer(signal.ITIMER_REAL, 2.5)\n"
        "    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))\n"
        "    evaluate_folder(pairs, ['wFm'], workers=2)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_arrays_in_memory_are_scored_too():
    masks, predictions = zip(*(mask_and_prediction(i) for i in range(3)), strict=True)
    pairs = [ScorePair("val", str(i), predictions[i], masks[i]) for i in range(3)]
    found = evaluate_folder(pairs, ["mae"])["val"].result()
    assert found.values["mae"] == pytest.approx(
        np.mean([score(p, m, ["mae"]).value("mae") for p, m in zip(predictions, masks, strict=True)])
    )


def test_the_table_of_dis5k(data, monkeypatch):
    """The metrics of the shipped config in its order; skeletons are drawn once, for all runs."""
    truths = [mask_and_prediction(seed)[0] for seed in range(3)]
    found = [np.roll(truth, 15, axis=1) for truth in truths]  # too far off to be forgiven
    for i, prediction in enumerate(found):
        write(data / "maps" / "B" / (f"{i}.png" if i else "sub/0.png"), prediction)
    (shipped,) = load_config("BiRefNet_SwinL")
    words = [f"Eval.metrics=[{','.join(shipped.Eval.metrics).replace('HCE', 'hce')}]"]
    assert evaluate.main(["--config", config(data), *words]) == 0
    rows = table(data / "results" / "exp" / "scores.csv")
    assert [name for name in rows["exp", "A"] if name in METRICS] == ["maxFm", "wFm", "mae", "Sm", "avgEm", "HCE"]
    efforts = [score(*pair, ["HCE"]).value("HCE") for pair in zip(found, truths, strict=True)]
    assert float(rows["exp", "B"]["HCE"]) == pytest.approx(np.mean(efforts)) and min(efforts) > 0
    kept = list((data / "results" / "skeletons").glob("*.png"))
    assert len(kept) == 5  # the masks of B are among those of A
    monkeypatch.setattr("inspyrenet.utils.metrics.hce._skeletonize", lambda mask: pytest.fail("was drawn again"))
    assert evaluate.main(["--config", config(data, "other"), *words]) == 0
    assert table(data / "results" / "other" / "scores.csv")["other", "B"]["HCE"] == rows["exp", "B"]["HCE"]


@pytest.mark.parametrize("conventions", ["pysod", "published"])
def test_haze_beside_the_others_and_masks_without_it(data, capsys, conventions):
    """Masks of one-pixel stripes are all edge: haze leaves them out, and the table says how many."""
    stripes = np.zeros((48, 64), np.uint8)
    stripes[:, ::2] = 255
    write(data / "gt" / "A" / "masks" / "3.png", stripes)
    words = ["Eval.metrics=[mae,Haze]", f"Eval.conventions={conventions}"]
    assert evaluate.main(["--config", config(data), *words, "--report"]) == 0
    folder = data / "results" / "exp"
    singles = [score(*reversed(mask_and_prediction(i)), ["haze"]).value("haze") for i in (0, 1, 2, 4)]
    assert float(table(folder / "scores.csv")["exp", "A"]["haze"]) == pytest.approx(np.mean(singles), abs=1e-12)
    remark = "haze leaves out 1 masks without a pixel that is more than 7 pixels away from their edge"
    for text in (capsys.readouterr().out, (folder / "scores.md").read_text(), (folder / "report.html").read_text()):
        assert remark in text and "not stretched" in text
    assert min(singles) > 0


def test_every_image_in_parquet_as_in_csv(data):
    import pyarrow.parquet

    assert evaluate.main(["--config", config(data)]) == 0
    folder = data / "results" / "exp"
    stored = pyarrow.parquet.read_table(folder / "per_image.parquet").to_pydict()
    with (folder / "per_image.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and set(rows[0]) == set(stored)
    assert [float(row["mae"]) for row in rows] == pytest.approx(stored["mae"], abs=1e-6)
    assert [row["dataset"] for row in rows] == stored["dataset"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda map_: np.dstack([map_, map_, map_, map_]), "1.png: is a picture with transparency and no map"),
        (lambda map_: np.dstack([map_ * 0, map_ * 0, map_]), "1.png: is a picture in color and no map"),
        (lambda map_: (map_ > 128).astype(np.uint8), "A: no map holds anything above 1 of 255"),
        (lambda map_: (map_ > 128).astype(np.uint16) * 255, "A: no map holds anything above 1 of 255"),
    ],
    ids=["cut-out", "red", "0 and 1", "16 bit, 0 and 255"],
)
def test_what_is_no_map_is_not_scored(data, change, message, capsys):
    for file in (data / "gt" / "A").rglob("*.png"):
        mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        write(data / "maps" / "A" / file.relative_to(data / "gt" / "A" / "masks"), change(mask))
    for _ in range(2):  # nothing of it is kept
        assert evaluate.main(["--config", config(data, datasets="[A]")]) == 1
        assert message in capsys.readouterr().err


def test_empty_masks_are_counted(data):
    first = next((data / "gt" / "A").rglob("*.png"))
    write(first, np.zeros((48, 64), np.uint8))
    assert evaluate.main(["--config", config(data)]) == 0
    assert "1 of the 5 masks of A are empty" in (data / "results" / "exp" / "scores.md").read_text()


def test_scoring_finds_the_files_that_training_finds(data):
    """Hidden folders are none of a data set, linked ones are."""
    mask, prediction = mask_and_prediction(7)
    write(data / "gt" / "A" / "masks" / ".ipynb_checkpoints" / "1-checkpoint.png", mask)
    for folder, place, array in (
        (data / "gt" / "A" / "masks", data / "more_masks", mask),
        (data / "maps" / "A", data / "more_maps", prediction),
    ):
        write(place / "x.png", array)
        (folder / "more").symlink_to(place)
        (place / "again").symlink_to(folder)  # a circle
    assert evaluate.main(["--config", config(data), "--metrics", "mae"]) == 0
    assert table(data / "results" / "exp" / "scores.csv")["exp", "A"]["images"] == "6"


def test_masks_are_not_scored_against_themselves(data, capsys):
    assert evaluate.main(["--config", config(data, pred_root=data / "gt", datasets="[A/masks]")]) == 1
    assert "A/masks is named for the predictions and for the masks" in capsys.readouterr().err


def test_arrays_of_another_size_are_read_as_at_their_own(data, capsys):
    """Whatever the order of their bytes; and what cannot be scored is named before it is resized."""
    folder = data / "maps" / "A"
    for path in folder.glob("*.png"):
        small = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (20, 15)).astype(np.uint16) * 257
        path.unlink()
        np.save(path.with_suffix(".npy"), small)
    words = ["--config", config(data, metrics=["mae"], datasets=["A"])]
    assert evaluate.main(words) == 0
    native = table(data / "results" / "exp" / "scores.csv")
    for path in folder.glob("*.npy"):
        np.save(path, np.load(path).astype(">u2"))
    assert evaluate.main(words) == 0
    assert table(data / "results" / "exp" / "scores.csv") == native
    path = next(folder.glob("*.npy"))
    for wrong, message in (
        (np.full((4, 5), np.nan), "NaN"),
        (np.ones((4, 5), np.int64), "int64"),
        (np.ones((0, 5)), "shape"),
    ):
        np.save(path, wrong)
        assert evaluate.main(words) == 1
        said = capsys.readouterr().err
        assert path.name in said and message in said
    np.save(path, np.ones((4, 5), np.float16))
    assert evaluate.main(words) == 0


def test_what_other_scores_left_behind_goes(data):
    folder = data / "results" / "exp"
    words = ["--config", config(data, metrics=["maxFm", "mae"])]
    assert evaluate.main([*words, "--report"]) == 0
    assert evaluate.main(words) == 0  # the same scores: the report is of them
    assert (folder / "report.html").is_file() and (folder / "curves.csv").is_file()
    (folder / "scores.sqlite").unlink()  # which has the curves
    assert evaluate.main([*words, "Eval.metrics=[mae]"]) == 0
    assert not (folder / "report.html").exists() and not (folder / "curves.csv").exists()


def test_a_set_is_scored_once(data, capsys):
    assert evaluate.main(["--config", config(data, datasets=["A", "A"])]) == 1
    assert "Eval.datasets: A is listed twice" in capsys.readouterr().err
