"""The training keeps to its time."""

import pytest
import torch

from inspyrenet.tune import run
from inspyrenet.tune.request import Request
from inspyrenet.utils.train.checkpoint import CheckpointFolder, SaveError, read_weights
from inspyrenet.utils.train.state import ResumeError
from inspyrenet.utils.train.types import EpochEnd


def test_training_stops_before_an_epoch_that_would_end_too_late(monkeypatch):
    now = iter([0.0, 10.0, 20.0, 30.0])  # the start, then the end of each epoch
    monkeypatch.setattr(run.time, "monotonic", lambda: next(now))
    hook = run._stop_after(seconds=35 * (1 - run.RESERVE))
    ends = [EpochEnd(epoch, epoch, torch.nn.Identity(), None, {}, {}, None) for epoch in (1, 2, 3)]
    hook(ends[0])
    hook(ends[1])
    with pytest.raises(run._TimeIsUp):
        hook(ends[2])


def test_an_earlier_run_stays_until_the_new_weights_are_written(tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path)
    old, new = {"a": torch.zeros(1)}, {"a": torch.ones(1)}
    folder.save({"model": old}, iteration=3)
    folder.save_best({"model": old})
    with pytest.raises(ResumeError, match="start over with --overwrite"):
        run._check_folder(Request(tmp_path, tmp_path))
    run._check_folder(Request(tmp_path, tmp_path, overwrite=True))
    assert torch.equal(read_weights(tmp_path)["a"], old["a"])  # which may be the start of the fine-tuning
    monkeypatch.setattr(CheckpointFolder, "save_best", lambda *_: (_ for _ in ()).throw(SaveError(28, "full")))
    with pytest.raises(SaveError):
        run._replace_weights(tmp_path, new)
    assert len(folder.files()) == 1
    monkeypatch.undo()
    run._replace_weights(tmp_path, new)
    assert torch.equal(read_weights(tmp_path)["a"], new["a"]) and not folder.files()


def test_few_draws_of_many_pairs_are_not_the_first_of_them():
    names = [f"{subject}_{i:02}" for subject in ("cat", "dog") for i in range(20)]
    found = run.drawn(names, 20, torch.Generator().manual_seed(0))
    assert len(set(found)) == 20 and 5 <= sum(name.startswith("dog") for name in found) <= 15
    assert sorted(run.drawn(names, 80, torch.Generator().manual_seed(0))) == sorted(2 * names)
