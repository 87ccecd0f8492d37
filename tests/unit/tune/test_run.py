"""The training keeps to its time."""

import pytest
import torch

from inspyrenet.tune import run
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
