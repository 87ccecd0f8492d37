"""inspyrenet batch: quick to answer, clear about mistakes, which are all found before a network is loaded."""

import json
import subprocess
import sys

import pytest

from inspyrenet import cli
from inspyrenet.batch import errors, job
from inspyrenet.engine.network_options import NetworkOptions


def test_help_loads_nothing_heavy(capsys):
    script = """
import json, sys, inspyrenet.cli as c
try:
    c.main(["batch", "--help"])
except SystemExit as end:
    assert end.code == 0
print(json.dumps([name for name in ("torch", "numpy", "ray", "pyarrow", "tqdm") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert "--shard-size" in done.stdout and "manifest" in done.stdout
    cli.main([])
    assert "  batch " in capsys.readouterr().out


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An image, and no network to be found."""
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "nowhere"], "nowhere: no such file or folder"),
        (["-i", "in/*.png"], "no image matches"),
        (["-i", "in", "-t", "rgb"], "there is map, rgba"),
        (["-i", "in", "--threshold", "7"], "between 0 and 1"),
        (["-i", "in", "--edges", "best"], "edges is one of auto"),
        (["-i", "in", "--format", "gif"], "png, jpg"),
        (["-i", "in", "--format", "jpg"], "no transparency"),
        (["-i", "in", "--format", "mp4"], "unknown format"),
        (["-i", "in", "--workers", "0"], "--workers is at least 1"),
        (["-i", "in", "--shard-size", "0"], "--shard-size is at least 1"),
        (["-i", "in", "--address", "auto"], "needs --executor ray"),
        (["-i", "in", "-m", "fast"], "inspyrenet d fast"),
        (["-i", "in", "-m", "fats"], "no mode or config called 'fats'"),
        (["-i", "in", "--ckpt", "no.pth"], "no such weights"),
        (["-i", "in", "--root", "out"], "does not lie below --root"),
    ],
)
def test_a_mistake_is_one_line(place, capsys, words, message):
    assert cli.main(["batch", "-o", "out", *words]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and message in last
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    "words", [["-i", "in"], ["-i", "a", "-o", "b", "c.jpg"], ["-i", "a", "-o", "b", "--executor", "x"]]
)
def test_a_wrong_command_line_is_told(place, words):
    with pytest.raises(SystemExit) as caught:
        cli.main(["batch", *words])
    assert caught.value.code == 2


def test_options_reach_the_request(place, monkeypatch):
    seen = []
    monkeypatch.setattr(job, "run", lambda request: seen.append(request) or job.Summary(place / "m"))
    words = ["batch", "Model.depth=32", "--input", "in", "--output", "out", "--executor", "ray", "--address", "auto"]
    words += ["--mode", "fast", "--PM", "--workers", "3", "-t", "white", "-v", "Model.threshold=256"]
    assert cli.main(words) == 0
    (request,) = seen
    expected = NetworkOptions(("Model.depth=32", "Model.threshold=256"), "fast", patch_merging=True)
    assert request.network == expected
    assert (request.executor, request.address, request.workers, request.type) == ("ray", "auto", 3, "white")
    assert request.verbose and not request.overwrite


def test_missing_extras_are_named(monkeypatch, place, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert cli.main(["batch", "-i", "in", "-o", "out"]) == 1
    assert "./install.sh --extras parquet" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(errors.BatchExtraMissing, match=r"needs the extra cluster: \./install\.sh --extras cluster"):
        errors.load_ray()


def test_edges_are_settled_where_the_command_is():
    def edges(**options):
        return job._check(job.BatchRequest("in", "out", **options)).edges

    assert edges() == "multilevel" and edges(edges="fusion") == "fusion"
    assert edges(type="map") == edges(threshold=0.5) == "none"
