"""What needs an extra says which one, in one line, and does nothing."""

import pytest

from inspyrenet.data.hub import registry
from tests.light.running import ROOT, inspyrenet, run

CONFIG = str(ROOT / "configs" / "Quickstart.yaml")


def says(done, extra):
    """One error, with the command that installs the extra."""
    error = done.stderr.decode()
    assert done.returncode == 1, error
    assert "Traceback" not in error
    (line,) = [line for line in error.splitlines() if "error: " in line]
    assert line.startswith("error: ") and f"./install.sh --extras {extra} in the clone" in line, line
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["train", "-c", CONFIG], "train"),
        (["test", "-c", CONFIG], "train"),
        (["eval", "-c", CONFIG], "train"),
        (["eval", "--pred-root", ".", "--gt-root", "."], "train"),
        (["eval", "--compare", ".", ".", "--gt-root", "."], "train"),
        (["photo.png", "--ckpt", "weights.pth"], "train"),
        (["photo.png", "-m", "InSPyReNet_SwinB"], "train"),
        (["photo.png", "-m", "fast", "--ckpt", "weights.pth"], "train"),
        (["photo.png", "--edges", "fusion"], "train"),
        (["photo.png", "--jit"], "train"),
        (["photo.png", "-m", "hf:owner/name"], "train"),
        (["explain", "photo.png"], "train"),
        (["photo.png", "--engine", "torch"], "train"),
        (["photo.png", "--engine", "openvino"], "openvino"),
        (["photo.png", "--edges", "pymatting"], "matting"),
        (["clip.mp4"], "video"),
        (["batch", "-i", ".", "-o", "cut"], "parquet"),
        (["s"], "serve"),
    ],
)
def test_a_command(folder, words, extra):
    for name in ("weights.pth", "clip.mp4"):
        (folder / name).write_bytes(b"something")
    before = set(folder.rglob("*.png"))
    says(inspyrenet(*words, cwd=folder), extra)
    assert set(folder.rglob("*.png")) == before


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["Expr.py", "-c", CONFIG], "train"),
        (["run/Train.py", "-c", CONFIG], "train"),
        (["run/Test.py", "-c", CONFIG], "train"),
        (["run/Eval.py", "-c", CONFIG], "train"),
        (["run/Benchmark.py", "-c", CONFIG], "train"),
        (["run/Export.py", "-c", CONFIG], "train"),
        (["run/Demo.py"], "web"),
    ],
)
def test_a_script(folder, words, extra):
    says(run(ROOT / words[0], *words[1:], cwd=folder), extra)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["-m", "fats"],
            "there is no mode or config called 'fats': modes are fast, base, base-nightly; did you mean fast?",
        ),
        (["-m", "fast"], "fetch them with `inspyrenet d fast`"),
        (["-m", "InSPyReNet_SwinC"], "did you mean InSPyReNet_Swin"),
        (["-m", "mine.yaml"], "mine.yaml: no such file"),
        (["-m", "mine.pth"], "no such weights: mine.pth"),
        (["--ckpt", "snapshots/mine"], "no such weights: snapshots/mine"),
        (["-m", "fats", "--engine", "onnx"], "there is no mode or config called 'fats'"),
    ],
)
def test_a_name_that_stands_for_nothing_is_told_before_an_extra_is_asked_for(folder, words, message):
    done = inspyrenet("photo.png", *words, cwd=folder)
    error = done.stderr.decode()
    assert done.returncode == 1 and "error: " in error and message in error and "--extras" not in error, error


def test_a_mode_whose_weights_are_here_needs_the_extra(folder):
    place = folder / "home" / "weights" / registry.load("weights")["fast"].file
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    says(inspyrenet("photo.png", "-m", "fast", cwd=folder), "train")


@pytest.mark.parametrize("name", ["build_model", "load_weights", "predict", "build_criterion"])
def test_the_python_interface(folder, name):
    done = run("-c", f"from inspyrenet import {name}", cwd=folder)
    last = done.stderr.decode().splitlines()[-1]
    assert done.returncode == 1
    assert "ExtraMissing: this needs the package torch of the extra train: ./install.sh --extras train in" in last
