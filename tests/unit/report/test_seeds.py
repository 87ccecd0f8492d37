import math

from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.report.seeds import seed_lines, seed_table, spread
from inspyrenet.utils.report.tables import Row


def row(method: str, value: float) -> Row:
    return Row(method, "ECSSD", {"maxFm": value}, 3, 3)


def test_runs_that_differ_in_their_seed_are_one_line():
    rows = [row("a_lr-1e-5_seed-0", 0.8), row("a_lr-1e-5_seed-1", 0.9), row("b", 0.5)]
    table = seed_table(rows, ["maxFm"])
    assert "a_lr-1e-5" in table
    assert "0.8500 ± 0.0707" in table
    assert "b" not in table.splitlines()[-1].split()


def test_without_several_seeds_there_is_no_table():
    assert seed_table([row("a_seed-0", 0.8), row("b", 0.5)], ["maxFm"]) is None


def test_seeds_that_failed_do_not_count_and_are_said():
    rows = [row("a_seed-0", 0.8), row("a_seed-1", 0.9), Row.failed("a_seed-2", "the loss is not finite")]
    lines = seed_lines(rows, ["maxFm"])
    assert lines[1:] == [["a", "ECSSD", "2 of 3", "0.8500 ± 0.0707"]]
    assert seed_lines(rows[1:], ["maxFm"])[1:] == [["a", "ECSSD", "1 of 2", "0.9000"]]


def test_values_that_do_not_exist_do_not_count():
    assert spread("mae", [0.1, math.nan, 0.3]) == "0.2000 ± 0.1414"
    assert spread("mae", [math.nan]) == "-"


def test_splits_are_no_seeds(tmp_path, monkeypatch):
    """Only the run's own seed is averaged over; a name is all that a table knows of a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("extends: Quickstart.yaml\nTrain: {Validation: {fraction: 0.2}}\n")
    names = [config.name for config in load_config("mine.yaml", ["Train.Validation.split_seed=0,1"])]
    assert names == ["mine_split-seed-0", "mine_split-seed-1"]
    assert seed_table([row(name, 0.8) for name in names], ["maxFm"]) is None
    names = [config.name for config in load_config("mine.yaml", ["Train.Validation.split_seed=0,1", "seed=0,1"])]
    assert len(seed_lines([row(name, 0.8) for name in names], ["maxFm"])) == 3
