"""docs/cutout.md: every command in it runs, with the tiny network as the bundled model."""

import io
import re
import shlex
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet import cli
from inspyrenet.commands import cut_out
from inspyrenet.engine import presets
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)
TEXT = (Path(__file__).parents[3] / "docs" / "cutout.md").read_text(encoding="utf-8")


def commands():
    """Lines of shell blocks, and commands in the last column of tables; not those that need a network or weights."""
    lines = [
        line.split("#")[0] if " # " in line else line
        for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S)
        for line in block.splitlines()
    ]
    cells = [row.rstrip().rstrip("|").split("|")[-1] for row in TEXT.splitlines() if row.startswith("|")]
    lines += [
        found for cell in cells for found in re.findall(r"`((?:inspyrenet|python run/Inference\.py) [^`]+)`", cell)
    ]
    needs_more = re.compile(r"inspyrenet (d|models|s)\b|--config InSPyReNet_SwinB")
    plain = [line.strip() for line in lines if line.strip()]
    return list(dict.fromkeys(line for line in plain if not needs_more.search(line)))


def test_there_are_commands_to_try():
    assert len(commands()) > 15


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """The tiny network's files, and each network that was loaded, by its options."""
    return write_tiny(tmp_path_factory.mktemp("tiny"), "mine"), {}


@pytest.fixture
def place(tmp_path, monkeypatch, networks):
    """A folder with everything that the commands name."""
    (config, weights), loaded = networks
    original = cut_out.load

    def load(options):
        key = (options.mode, options.ckpt, options.resize, options.edges)
        if key not in loaded:
            loaded[key] = original(options)
        return loaded[key]

    monkeypatch.setattr(cut_out, "load", load)
    for file in (config, weights):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(presets, "BUNDLED_CONFIG", config)
    monkeypatch.setattr(presets, "BUNDLED_WEIGHTS", weights)
    monkeypatch.setattr("inspyrenet.remover.foreground.importlib.util.find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for name in ("photo.jpg", "back.jpg", "photos/a.jpg", "photos/sub/b.webp"):
        Image.fromarray(picture()).save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_docs_runs(place, monkeypatch, command):
    words = shlex.split(command.split("→")[0])
    out = types.SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: False, flush=lambda: None)
    if "<" in words:
        data = Path(words[words.index("<") + 1]).read_bytes()
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
        monkeypatch.setattr(sys, "stdout", out)
        words = words[: words.index("<")]
    before = set(place.rglob("*"))
    run, words = (cli.main, words[1:]) if words[0] == "inspyrenet" else (cut_out.main, words[2:])
    assert run([*words, "--device", "cpu"]) == 0
    made = [path for path in set(place.rglob("*")) - before if path.is_file()]
    made = [out.buffer] if out.buffer.getvalue() else made
    assert made
    for file in made:
        assert np.asarray(Image.open(file)).shape[:2] == (48, 80)
