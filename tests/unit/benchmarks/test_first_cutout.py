"""benchmarks/first_cutout.py, with two small commands in place of the tools."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
COMMAND = """#!{python}
import shutil, sys
from pathlib import Path
words = [word for word in sys.argv[1:] if word not in ("-m", "u2netp")]
if words[0] == "i":
    shutil.copy(words[1], words[2])
elif words[0] == "p":
    for path in Path(words[1]).iterdir():
        if {whole} or path.stem != "0001":
            shutil.copy(path, Path(words[2], path.stem + ".png"))
"""


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("first_cutout")


def command(folder, name, whole=True):
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(COMMAND.format(python=sys.executable, whole=whole))
    path.chmod(0o755)
    return path


def words(folder, *more):
    return [
        "--inspyrenet",
        str(command(folder, "inspyrenet")),
        "--rounds",
        "2",
        "--many-rounds",
        "1",
        "--count",
        "2",
        *more,
    ]


def test_both_tools_are_measured_in_turn(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "SIZES", ((30, 40),))
    monkeypatch.setattr(script, "SIZE", (60, 80))
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "package.bin"
    package.parent.mkdir(parents=True)
    package.write_bytes(bytes(3 * 2**20))
    json_file = tmp_path / "found.json"
    rembg = command(tmp_path, "rembg")
    assert script.main(words(tmp_path, "--rembg", str(rembg), "--json", str(json_file))) == 0
    report = json.loads(json_file.read_text())
    assert report["environment_mb"] == {"inspyrenet": 3, "rembg": 3}
    for part, rounds in (("help", 2), ("first", 2), ("many", 1)):
        for tool in ("inspyrenet", "rembg"):
            assert report[part][tool]["seconds"]["rounds"] == rounds and report[part][tool]["peak_mb"]["median"] > 1
        assert set(report[part]["ratios"]) == {"seconds", "cpu_seconds", "peak_mb"}
    many = report["many"]["rembg"]
    assert many["images_per_second"]["median"] == pytest.approx(2 / many["seconds"]["median"])


def test_the_memory_is_the_commands_own(script, tmp_path):
    path = tmp_path / "large"
    path.write_text(f"#!{sys.executable}\nbytearray(b'x') * (200 * 2**20)\n")
    path.chmod(0o755)
    here = bytearray(b"x") * (500 * 2**20)
    assert 200 < script.run([path]).peak_mb < 300 and here


def test_without_rembg_there_are_our_own_figures(script, tmp_path, capsys):
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    more = ("--photo", str(tmp_path / "photo.png"), "--folder", str(tmp_path), "--part", "first")
    assert script.main(words(tmp_path, *more)) == 0
    said = capsys.readouterr().out
    assert '"inspyrenet"' in said and "ratios" not in said and "rembg" not in said


def test_a_tool_that_leaves_pictures_out_or_fails_is_told(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "SIZES", ((30, 40),))
    monkeypatch.setattr(script, "SIZE", (60, 80))
    rembg = command(tmp_path, "rembg", whole=False)
    with pytest.raises(SystemExit, match="rembg made 1 of 2 pictures"):
        script.main(words(tmp_path, "--rembg", str(rembg), "--part", "many"))
    rembg.write_text(f"#!{sys.executable}\nraise SystemExit('no model')\n")
    with pytest.raises(SystemExit, match=r"ended with 1:\nno model"):
        script.main(words(tmp_path, "--rembg", str(rembg), "--part", "first"))
