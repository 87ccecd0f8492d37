"""The command `inspyrenet`: quick to answer, clear about mistakes. With a network: integration/cut_out/test_inference.py."""

import importlib
import json
import resource
import subprocess
import sys

import pytest
from PIL import Image

from inspyrenet import __version__, cli
from inspyrenet.data.hub import registry
from inspyrenet.engine import presets

HEAVY = ("torch", "numpy", "PIL", "cv2", "timm", "yaml", "pydantic", "tqdm")


def seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_answers_at_once_without_loading_anything_heavy():
    script = "import sys, json, inspyrenet.cli as c; c.main(['--help']); "
    script += f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    before = seconds_of_children()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert seconds_of_children() - before < 0.3  # of computing time: the machine may be busy
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert "inspyrenet IMAGE" in done.stdout


@pytest.mark.parametrize(
    "words", [["i", "--help"], ["p", "-h"], ["d", "--help"], ["models", "--help"], ["train", "-h"]]
)
def test_help_of_commands_needs_no_torch(words):
    script = f"""
import sys, inspyrenet.cli as c
try:
    c.main({words!r})
except SystemExit as end:
    assert end.code == 0
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)


def test_version_and_no_words(capsys):
    assert cli.main(["--version"]) == 0 and capsys.readouterr().out == f"inspyrenet {__version__}\n"
    assert cli.main([]) == 2 and "commands:" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "module"), [("train", "train"), ("test", "test"), ("eval", "evaluate")])
def test_experiments_are_handed_over_with_their_words(monkeypatch, name, module):
    seen = []
    command = importlib.import_module(f"inspyrenet.commands.{module}")
    monkeypatch.setattr(command, "main", lambda argv: seen.append(argv) or 7)
    assert cli.main([name, "--config", "a.yaml", "seed=1"]) == 7
    assert seen == [["--config", "a.yaml", "seed=1"]]


def test_serving_without_its_extra_says_what_to_install(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "inspyrenet.serve.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["s"]) == 1 and "uvicorn of the extra serve: ./install.sh --extras serve" in capsys.readouterr().err


# -- mistakes -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch, tmp_path):
    """Mistakes are found before a network is loaded; the cache folder is an empty one."""
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("inspyrenet.commands.cut_out.load", lambda options: pytest.fail("loaded a network"))


@pytest.fixture
def image(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"image")
    return tmp_path / "a.jpg"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no/such.jpg"], "no/such.jpg: no such file"),
        (["help"], "neither an image nor a command"),
        (["a.jpg", "a.jpg", "missing [x].jpg"], "missing [x].jpg: no image matches"),
        (["i", "a.jpg", "a.jpg", "*.bmp"], "*.bmp: no image matches"),
        (["a.jpg", "*.webp"], "*.webp: no image matches"),
        (["p", "a.jpg", "*.webp"], "*.webp: no image matches"),
        (["a.jpg", "-t", "rgb"], "there is map, rgba"),
        (["a.jpg", "-t", "[1,2]"], "three whole numbers"),
        (["a.jpg", "--threshold", "7"], "between 0 and 1"),
        (["a.jpg", "--format", "gif"], "png, jpg"),
        (["a.jpg", "out.jpg"], "no transparency"),
        (["a.jpg", "a.jpg"], "--overwrite replaces it"),
        (["a.jpg", "a.jpg", "--overwrite", "-t", "map"], "would replace the image itself"),
        (
            ["a.jpg", "a.png"],
            "a.png is there already (both as inputs: inspyrenet p a.jpg a.png); --overwrite replaces it",
        ),
        (["a.jpg", "-o", "a.png"], "--overwrite replaces it"),
        (["i", "."], "inspyrenet p"),
        (["https://host/a.jpg"], "addresses are not fetched"),
        (["p", "empty"], "empty: no images in this folder (looked for .jpg"),
        (["p", "*.webp"], "no image matches"),
        (["p", "nowhere"], "no such file or folder"),
        (["p", ".", "plain"], "cannot write to plain"),
        (
            ["a.jpg", "out.gif"],
            "gif is a format of videos; for images there is png, jpg, jpeg, webp, tif, tiff, bmp",
        ),
        (["a.jpg", "out.avif"], "there is png, jpg"),
        (["a.jpg", "cut.jpe"], "there is png, jpg"),
        (["a.jpg", "-o", "out.heic"], "there is png, jpg"),
        (["p", "a.jpg", "out.jxl"], "there is png, jpg"),
        (
            ["a.mp4", "out.mkv"],
            "for videos there is mp4, webm, mov, webp, gif, apng, frames; for a folder of that name write out.mkv/",
        ),
        (["0", "out.mkv"], "for videos there is mp4, webm, mov"),
        (["i", "-", "out.gif"], "there is png, jpg"),
        (["a.jpg", "out"], "out has no suffix: out.png is a file, out/ is a folder"),
        (["i", "-", "out"], "has no suffix"),
        (["a.jpg", "cut.png", "--format", "webp"], "cut.png and --format webp are different formats"),
        (["i", "-", "cut.png", "--format", "webp"], "different formats"),
        (["p", ".", "cut.png"], "cut.png is a file's name, but several results need a folder: cut, or cut.png/"),
        (["p", "*.jpg", "-o", "cut.mp4"], "several results need a folder"),
        (
            ["a.jpg", "b.jpg", "c.jpg"],
            "no such file or folder: b.jpg, c.jpg (where several results go is said by -o: -o c.jpg)",
        ),
        (["p", "nowhere", "a.jpg", "never/"], "no such file or folder: nowhere, never/ (where"),
        (["a.jpg", "a.png", "-o", "cut.png"], "several results need a folder"),
        (["i", "a.jpg", "-", "a.png"], "- is one image by itself"),
        (["a.jpg", "-bgc", "1", "2", "3", "255", "out.jpe"], "there is png, jpg"),
    ],
)
def test_a_mistake_is_one_line(image, tmp_path, capsys, words, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "plain").write_text("a file, not a folder")
    for name in ("a.png", "a.mp4"):
        (tmp_path / name).write_bytes(b"image")
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert image.read_bytes() == b"image"


@pytest.mark.parametrize("words", [["a.jpg", "--resize", "big"], ["a.jpg", "-o"], ["d"], ["p"]])
def test_a_wrong_command_line_is_told(image, words):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            ["-ppm"],
            "-ppm is an option of another tool; here --clean removes specks and haze and fills pinholes, and --threshold 0.5",
        ),
        (["-w"], "run the same command again, finished files are skipped"),
        (["-af", "240"], "soft edges need no thresholds"),
        (["-ab", "10"], "soft edges need no thresholds"),
        (["-ae", "10"], "soft edges need no thresholds"),
        (["-x", "{}"], "--ckpt FILE"),
        (["-m", "u2net"], "u2net is a model of rembg; inspyrenet models lists"),
        (["--model", "birefnet-general"], "is a model of rembg"),
        (["-bgc", "255", "0", "0", "128"], "A 255 (a color) or 0 (transparent)"),
        (["-bgc", "256", "0", "0", "255"], "R G B A, 0 to 255 each"),
        (["-bc", "red"], "-t red"),
        (["-overwrite"], "did you mean --overwrite?"),
        (["--thres", "0.5"], "did you mean --threshold?"),
        (["-o", ""], "a word of this command is empty"),
    ],
)
@pytest.mark.parametrize("command", [[], ["i"], ["p"]])
def test_options_of_other_tools_are_answered(image, capsys, command, word, message):
    with pytest.raises(SystemExit) as caught:
        cli.main([*command, "a.jpg", *word])
    assert caught.value.code == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1] and len(error) == 2  # usage and the answer


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["p", "in", "out", "--keep", "3,4"], "--keep is a prompt, which belongs to one image: inspyrenet i IMAGE"),
        (["p", "in", "out", "--prompt-only"], "--prompt-only is a prompt"),
        (["batch", "-i", "in", "-o", "out", "--mask", "m.png"], "--mask is a prompt, which belongs to one image"),
        (["batch", "-i", "in", "-o", "out", "--box=1,2,3,4"], "--box is a prompt"),
        (["batch", "-i", "in", "-o", "out", "--review", "10%"], "the column quality of the manifest tells"),
        (["i", "a.jpg", "--review", "10%"], "--review is for the results of a folder: inspyrenet p"),
    ],
)
def test_options_of_other_commands_are_answered(image, capsys, words, message):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


# -- d and models -------------------------------------------------------------------------------------------------


def test_models_lists_size_terms_and_what_is_here(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "BUNDLED_WEIGHTS", tmp_path / "none")
    file = registry.place_of(registry.find("fast")[0])
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert cli.main(["models"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert " yes " in rows["fast"] and "363 MB" in rows["fast"] and "MIT" in rows["fast"]
    assert "MIT (BiRefNet); trained on research data: DIS5K (strict terms" in rows["BiRefNet"]
    assert " no " in rows["base"] and " no " in rows["(default)"] and "BiRefNet" in rows


def test_d_lists_everything(capsys):
    assert cli.main(["d", "--list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("base-nightly", "DUT-OMRON", "InSPyReNet_SwinB: DUTS-TE", "research use"))


def test_d_takes_names_of_each_kind(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "inspyrenet.data.hub.download.fetch_published", lambda entry, **options: seen.append((entry.kind, entry.name))
    )
    words = [
        "d",
        "fast",
        "--weights",
        "base",
        "--weights",
        "BiRefNet",
        "--data",
        "HRSOD",
        "--sota",
        "InSPyReNet_SwinB/ECSSD",
    ]
    assert cli.main(words) == 0
    assert seen == [
        ("weights", "fast"),
        ("weights", "base"),
        ("weights", "BiRefNet"),
        ("data", "HRSOD-TR"),
        ("data", "HRSOD-TE"),
        ("maps", "InSPyReNet_SwinB/ECSSD"),
    ]


def test_d_goes_on_after_a_failure_and_says_so(monkeypatch, capsys):
    from inspyrenet.data.hub.download import DownloadError

    def fetch_published(entry, **options):
        if entry.name == "fast":
            raise DownloadError("cannot download fast: github.com: no connection")

    monkeypatch.setattr("inspyrenet.data.hub.download.fetch_published", fetch_published)
    assert cli.main(["d", "fast", "base"]) == 1
    shown = capsys.readouterr().err
    assert "error: cannot download fast" in shown and "base: terms" in shown and "Traceback" not in shown


def test_d_with_an_unknown_name_fetches_nothing(monkeypatch, capsys):
    monkeypatch.setattr("inspyrenet.data.hub.download.fetch_published", lambda *args, **options: pytest.fail("fetched"))
    assert cli.main(["d", "base", "fsat"]) == 1 and "did you mean fast?" in capsys.readouterr().err


def test_d_from_a_file_is_verified(tmp_path, capsys):
    (tmp_path / "usb.pth").write_bytes(b"else")
    assert cli.main(["d", "fast", "--from", "usb.pth"]) == 1 and "wrong md5" in capsys.readouterr().err
    assert not registry.is_present(registry.find("fast")[0])


@pytest.mark.parametrize("command", [[], ["i"], ["p"]])
def test_a_file_that_is_called_like_an_option(image, tmp_path, capsys, command):
    (tmp_path / "-dash.jpg").write_bytes(b"no image")
    with pytest.raises(SystemExit):
        cli.main([*command, "-dash.jpg"] if command else ["i", "-dash.jpg"])
    assert "the file of that name is ./-dash.jpg" in capsys.readouterr().err
    with pytest.raises(pytest.fail.Exception, match="loaded a network"):  # it was found
        cli.main([*command, "--", "-dash.jpg"])


def test_a_mask_and_a_background_are_not_replaced(image, tmp_path, capsys):
    Image.new("L", (20, 20), 255).save(tmp_path / "a.out.png")
    before = (tmp_path / "a.out.png").read_bytes()
    for words in (["--mask", "a.out.png"], ["-t", "a.out.png"], ["a.out.png", "--mask", "a.out.png", "--overwrite"]):
        assert cli.main(["a.jpg", *words]) == 1
        assert "a.out.png: the result would replace this file, which is read too" in capsys.readouterr().err
    assert (tmp_path / "a.out.png").read_bytes() == before
