"""Shares of a grid, and what is kept of points that failed."""

import argparse

import pytest

from inspyrenet.commands import test as predict
from inspyrenet.commands.sweep import EmptyShardError, known_failures, remember_failure, shard, share
from inspyrenet.engine.options import Options
from inspyrenet.utils.config.load import load_config


@pytest.fixture
def grid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("extends: Quickstart.yaml\n")
    return load_config("mine.yaml", ["Train.Optimizer.lr=1e-3,1e-4,1e-5", "Test.normalize=none,minmax"])


def test_shards_cover_the_grid_and_keep_shared_trainings_together(grid):
    shares = [share(grid, (i, 2)) for i in (1, 2)]
    assert sorted(c.name for part in shares for c in part) == sorted(c.name for c in grid)
    assert [len(part) for part in shares] == [4, 2]
    folders = [{c.Train.Checkpoint.checkpoint_dir for c in part} for part in shares]
    assert not folders[0] & folders[1]
    assert share(grid, None) == grid
    with pytest.raises(EmptyShardError, match=r"4/4: nothing to do, since there are only 3"):
        share(grid, (4, 4))


def test_a_shard_is_written_as_a_fraction():
    assert shard("2/8") == (2, 8)
    for word in ("0/2", "3/2", "2", "a/b", "1/2/3", "-1/2"):
        with pytest.raises(argparse.ArgumentTypeError, match="such as 2/8"):
            shard(word)


def test_failures_are_known_until_the_point_succeeds(grid):
    remember_failure(grid[0], "the loss is not finite")
    assert known_failures(grid) == {grid[0].name: "the loss is not finite"}
    remember_failure(grid[0], None)
    assert known_failures(grid) == {}


def test_a_point_that_is_predicted_by_hand_has_no_failure_any_more(grid, monkeypatch):
    monkeypatch.setattr("inspyrenet.engine.test.predict_sets", lambda *words, **named: "3 maps")
    monkeypatch.setattr("inspyrenet.engine.predicted.origin_of", lambda config: {})  # there are no weights
    for config in grid[:2]:
        remember_failure(config, "the loss is not finite")
    predict.test(grid[0], Options((), device="cpu"))
    assert known_failures(grid) == {grid[1].name: "the loss is not finite"}


def test_a_point_with_some_maps_may_be_scored(grid):
    remember_failure(grid[0], "1 of 9 images have no map", only_some=True)
    assert known_failures(grid) == {grid[0].name: "1 of 9 images have no map"}
    assert known_failures(grid, allow_missing=True) == {}
    remember_failure(grid[0], "the loss is not finite")
    assert known_failures(grid, allow_missing=True) == {grid[0].name: "the loss is not finite"}
    remember_failure(grid[0], None)
    assert known_failures(grid) == {}
