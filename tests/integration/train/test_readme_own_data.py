"""README's section "Your own data", done as it is printed, from an empty folder with 60 pairs.

The YAML and the commands are taken from README. Only what makes a network small enough for a test is added to the commands.
"""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.utils.config.load import load_config

ROOT = Path(__file__).parents[3]
SECTION = re.search(r"## Your own data\n(.*?)\n## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
SMALL = [
    "Model.name=InSPyReNet_Light",
    "Model.pretrained=false",
    "Model.depth=16",
    "Model.base_size=[32,32]",
    "Train.Dataset.transforms.static_resize.size=[32,32]",
    "Test.Dataset.transforms.static_resize.size=[32,32]",
    "Train.Scheduler.epoch=1",
    "Train.Dataloader.num_workers=0",
    "Test.Dataloader.num_workers=0",
    "Eval.num_workers=1",
    "--device",
    "cpu",
]


def printed(language: str) -> str:
    [block] = re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
    return block


def commands() -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in printed("bash").splitlines()]


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """60 pairs to learn from, three to be tested with, and the file that README prints."""
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "data" / "Train_Dataset", "my_train", 60, seed=1)
    write_dataset(tmp_path / "data" / "Test_Dataset", "my_test", 3, seed=2)
    (tmp_path / "my.yaml").write_text(printed("yaml"))
    return tmp_path


def run(command: list[str]) -> subprocess.CompletedProcess:
    python, script, *words = command
    assert python == ".venv/bin/python"
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads that wait for each other cost more than so small a network
    words = [sys.executable, str(ROOT / script), *words, *SMALL]
    return subprocess.run(words, capture_output=True, text=True, env=alone)


def test_every_command_as_printed(own):
    for command in commands():
        done = run(command)
        assert done.returncode == 0, (command, done.stderr)
        if "Train.py" in command[1]:
            assert "warm-up shortened from 12000 to 1 iterations, because the whole run has 10" in done.stderr
    assert len(list((own / "snapshots" / "my" / "my_test").glob("*.png"))) == 3
    assert (own / "results" / "my" / "scores.md").is_file()
    with (own / "results" / "joint" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["dataset"]) for row in rows] == [("my_lr-1e-5", "my_test"), ("my_lr-3e-5", "my_test")]


def test_the_file_has_as_many_lines_as_readme_says_and_changes_nothing_but_the_sets(own):
    assert len(printed("yaml").splitlines()) == 3 and "file of three lines" in SECTION
    (config,), (base,) = load_config("my.yaml"), load_config("InSPyReNet_SwinB")
    assert (config.Train.Dataset.sets, config.Test.Dataset.sets) == (("my_train",), ("my_test",))
    assert (config.Model, config.Train.Scheduler, config.Train.Optimizer) == (
        base.Model,
        base.Train.Scheduler,
        base.Train.Optimizer,
    )


def test_every_override_that_the_section_prints_is_accepted(own):
    words = re.findall(r"`([A-Z][\w.]*=[^`\s]*)`", SECTION)
    assert words
    for word in words:
        assert load_config("my.yaml", [word])


def test_every_config_that_the_section_names_can_be_extended(own):
    for name in re.findall(r"`(\w+\.yaml)`", SECTION):
        Path("other.yaml").write_text(printed("yaml").replace("InSPyReNet_SwinB.yaml", name))
        assert name == "my.yaml" or load_config("other.yaml")[0].Train.Dataset.sets == ("my_train",)
