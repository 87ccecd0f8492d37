"""A run that is killed with SIGKILL, at any moment, ends with the same bits as one that never was."""

import os
import signal
from pathlib import Path

import pytest
import torch

from inspyrenet.utils.optim.ema import EMA
from inspyrenet.utils.train import checkpoint
from tests.processes import finish, start
from tests.toy_training import criterion, make_trainer, same, weights

EPOCHS = 3  # of 5 steps


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train(folder: Path, moment: str, count: int, workers: int) -> None:
    """Train on from what is in the folder, and die: in a "step", in the middle of a "write", in "validation"."""
    seen = {"step": 0, "write": 0, "validation": 0}

    def reached(name: str) -> bool:
        seen[name] += 1
        return name == moment and seen[name] == count

    def step(output, mask):
        if reached("step"):
            die()
        return criterion(output, mask)

    def write(content, stream):
        torch.save(content, stream)
        if reached("write"):
            stream.truncate(stream.tell() // 2)
            stream.flush()
            die()

    def validate(model):
        if reached("validation"):
            die()
        return {"score": float(model.head.weight.sum())}

    checkpoint._write = write
    trainer = make_trainer(
        folder,
        epochs=EPOCHS,
        criterion=step,
        validate=validate,
        workers=workers,
        ema=lambda model: EMA(model, 0.9),
        options={"checkpoint_steps": 2, "metric": "score"},
    )
    trainer.resume()
    trainer.fit()
    torch.save(weights(trainer), folder / "end.pt")


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_three_times_and_still_the_same(tmp_path: Path, workers: int) -> None:
    errors = tmp_path / "error.txt"

    def run(name: str, moment: str = "never", count: int = 0, workers: int = workers) -> int:
        return finish(start(train, tmp_path / name, moment, count, workers, errors=errors))

    assert run("straight", workers=0) == 0, errors.read_text()
    for moment, count in (("step", 4), ("write", 2), ("validation", 2)):
        assert run("run", moment, count) == -signal.SIGKILL, errors.read_text()
        assert not (tmp_path / "run" / "end.pt").exists()
    assert run("run") == 0, errors.read_text()
    assert same(*(torch.load(tmp_path / name / "end.pt") for name in ("straight", "run")))
    assert not list((tmp_path / "run").glob(".*"))  # neither half-written files nor a lock
