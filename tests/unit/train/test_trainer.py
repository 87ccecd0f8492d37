"""The training loop: what a step does, how a run ends, what it refuses."""

import logging
import math
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from inspyrenet.utils.optim.ema import EMA
from inspyrenet.utils.optim.lr_schedule import Schedule
from inspyrenet.utils.train import checkpoint
from inspyrenet.utils.train.checkpoint import CheckpointFolder, SaveError, read_checkpoint, read_weights
from inspyrenet.utils.train.errors import DeviceMemoryError, NonFiniteError, WorkerError
from inspyrenet.utils.train.lock import LockedError, RunLock
from inspyrenet.utils.train.state import ResumeError
from inspyrenet.utils.train.trainer import EpochEnd, steps_per_epoch
from tests.toy_training import CPU, ToyData, ToyNet, criterion, make_trainer, same, weights

# -- steps --------------------------------------------------------------------------------------------------------


def test_training_lowers_the_loss_and_writes_everything(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path / "run", epochs=4, curves=tmp_path / "results" / "curves.png")
    outcome = trainer.fit()
    assert (outcome.reason, outcome.exit_code, outcome.epoch, outcome.iteration) == ("done", 0, 4, 20)
    losses = [entry["train"]["total"] for entry in trainer.history.entries]
    assert losses[-1] < losses[0]
    assert (tmp_path / "results" / "curves.png").stat().st_size > 1000
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint_00000015.pth",
        "checkpoint_00000020.pth",
    ]
    assert same(read_weights(tmp_path / "run"), weights(trainer))


def test_accumulated_batches_equal_one_large_batch(tmp_path: Path) -> None:
    class Plain(ToyNet):  # no BatchNorm, no dropout: a batch is the sum of its parts
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Conv2d(3, 4, 3)
            self.head = torch.nn.Conv2d(4, 1, 3, padding=2)

    def sgd(model):
        return torch.optim.SGD(model.parameters(), lr=0.1)

    trained = []
    for accumulate in (1, 3):
        torch.manual_seed(3)
        model = Plain()
        options = {"accumulate": accumulate}
        trainer = make_trainer(tmp_path / str(accumulate), epochs=1, model=model, optimizer=sgd(model), options=options)
        batches = list(trainer.loader.batches(0))[:3]
        if accumulate == 1:
            batches = [{key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}]
        trainer.schedule = Schedule("Constant", 5)
        trainer.step(batches)
        trained.append(weights(trainer))
    for name, value in trained[0].items():
        torch.testing.assert_close(trained[1][name], value)


def test_the_last_group_of_an_epoch_may_be_shorter(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=2, options={"accumulate": 3})
    assert trainer.steps_per_epoch == steps_per_epoch(5, 3) == 2
    assert trainer.fit().iteration == 4


def test_clipping_bounds_the_gradient(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, options={"clip_norm": 1e-3})
    trainer.step(list(trainer.loader.batches(0))[:1])
    total = math.sqrt(sum(float(p.grad.square().sum()) for p in trainer.model.parameters()))
    assert total == pytest.approx(1e-3, rel=1e-2)


def test_rates_follow_the_schedule(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=2)
    seen = []
    step = trainer.step

    def spy(group):
        losses, rates = step(group)
        seen.append(rates[0])
        return losses, rates

    trainer.step = spy
    trainer.fit()
    assert seen == [Schedule("PolyLr", 10).rate(i, 1e-2) for i in range(10)]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_with_float32_losses(tmp_path: Path, precision: str) -> None:
    seen = []

    def spy(output, mask):
        seen.append(output[0].dtype)
        return criterion(output, mask)

    trainer = make_trainer(tmp_path, epochs=4, precision=precision, criterion=spy)
    assert trainer.fit().reason == "done"
    assert set(seen) == {torch.float32}
    losses = [entry["train"]["total"] for entry in trainer.history.entries]
    assert losses[-1] < losses[0]
    scaler = read_checkpoint(trainer.folder.files()[0])["scaler"]
    assert bool(scaler) == (precision == "float16")


def test_frozen_batchnorm_keeps_its_statistics(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, options={"freeze_batchnorm": True})
    before = weights(trainer)
    trainer.fit()
    after = weights(trainer)
    assert torch.equal(before["body.1.running_mean"], after["body.1.running_mean"])
    assert not torch.equal(before["body.1.weight"], after["body.1.weight"])


def test_averaged_weights_are_validated_saved_and_kept_apart(tmp_path: Path) -> None:
    seen = []

    def validate(model):
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"score": 1.0}

    trainer = make_trainer(
        tmp_path, ema=lambda model: EMA(model, 0.9), validate=validate, options={"metric": "score"}, epochs=1
    )
    trainer.fit()
    assert same(seen[0], trainer.ema.weights)
    assert not same(seen[0], weights(trainer))
    assert same(read_weights(trainer.folder.best), trainer.ema.weights)
    assert same(read_weights(trainer.folder.best, prefer_ema=False), weights(trainer))


def test_the_average_is_the_recursion_it_claims_to_be() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    ema, expected = EMA(model, 0.5), model.weight.item()
    for n, value in enumerate((1.0, 2.0, 3.0, 4.0, 5.0)):
        torch.nn.init.constant_(model.weight, value)
        ema.update(model)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    assert float(ema.weights["weight"]) == pytest.approx(expected, rel=1e-6)


def test_subnormal_numbers_are_flushed_while_training_only(tmp_path: Path) -> None:
    seen = []

    def spy(output, mask):
        seen.append((torch.tensor(1e-40) * 1).item())
        return criterion(output, mask)

    make_trainer(tmp_path, epochs=1, criterion=spy).fit()
    assert set(seen) == {0.0}
    assert (torch.tensor(1e-40) * 1).item() != 0


# -- validation, best, early stopping, hooks ------------------------------------------------------------------------


def scores(*values: float):
    remaining = list(values)
    return lambda model: {"score": remaining.pop(0), "training": float(model.training)}


def test_the_best_checkpoint_is_chosen_by_the_metric(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=4, validate=scores(0.1, 0.5, math.nan, 0.3), options={"metric": "score"})
    outcome = trainer.fit()
    assert outcome.best["epoch"] == 2
    assert read_checkpoint(trainer.folder.best)["best"]["validation"] == {"score": 0.5, "training": 0.0}
    assert "best score 0.5000 after epoch 2" in outcome.message


def test_a_run_without_progress_stops_early(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        epochs=9,
        validate=scores(3.0, 2.0, 2.5, 2.0, 1.0),
        options={"metric": "score", "mode": "min", "patience": 2, "checkpoint_epochs": 5},
    )
    outcome = trainer.fit()
    assert (outcome.reason, outcome.epoch, outcome.best["epoch"]) == ("early", 4, 2)
    assert read_checkpoint(outcome.checkpoint)["progress"]["epoch"] == 4


def test_validation_runs_every_k_epochs_and_at_the_end(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=5, validate=scores(1, 2, 3), options={"validate_every": 2})
    trainer.fit()
    assert [entry["epoch"] for entry in trainer.history.validations()] == [2, 4, 5]


def test_an_unknown_metric_names_what_there_is(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, validate=scores(1.0), options={"metric": "maxFm"})
    with pytest.raises(ValueError, match=r"no 'maxFm'.*it gives score, training"):
        trainer.fit()


def test_hooks_and_validation_may_draw_random_numbers_without_changing_the_run(tmp_path: Path) -> None:
    ends: list[EpochEnd] = []

    def hook(end: EpochEnd) -> None:
        torch.rand(7)
        assert not end.model.training
        assert end.batch["image"].shape[1:] == (3, 8, 8)
        ends.append(end)

    plain = make_trainer(tmp_path / "a")
    plain.fit()
    drawing = make_trainer(tmp_path / "b", hooks=[hook], validate=lambda model: {"x": float(torch.rand(1))})
    drawing.fit()
    assert same(weights(plain), weights(drawing))
    assert [(end.epoch, end.iteration) for end in ends] == [(1, 5), (2, 10)]


class Recorder:
    """Stands in for a SummaryWriter."""

    def __init__(self) -> None:
        self.scalars: list[tuple[str, float, int]] = []
        self.closed = False

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_tensorboard_gets_losses_rates_speed_and_scores(tmp_path: Path) -> None:
    recorder, starts = Recorder(), []

    def make(iteration: int) -> Recorder:
        starts.append(iteration)
        return recorder

    make_trainer(tmp_path, epochs=4, writer=make, validate=scores(1, 2, 3, 4)).fit()
    names = {name for name, _, _ in recorder.scalars}
    assert {"train/total", "rate/group_0", "speed/images_per_second", "epoch/bce", "validation/score"} <= names
    assert (starts, recorder.closed) == ([0], True)


def test_progress_bars_show_loss_rate_and_speed(tmp_path: Path, capsys) -> None:
    def slow(output, mask):
        time.sleep(0.12)  # bars are drawn ten times a second
        return criterion(output, mask)

    make_trainer(tmp_path, options={"bars": True}, criterion=slow).fit()
    shown = capsys.readouterr().err
    for word in ("epochs", "epoch 2/2", "loss", "rate", "images/s"):
        assert word in shown


# -- stopping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reason", "code"), [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 0)]
)
def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, number, reason, code, caplog) -> None:
    straight = make_trainer(tmp_path / "straight")
    straight.fit()

    calls = []

    def stopping(output, mask):
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), number)
        return criterion(output, mask)

    before = signal.getsignal(number)
    with caplog.at_level(logging.INFO):
        outcome = make_trainer(tmp_path / "run", criterion=stopping).fit()
    assert (outcome.reason, outcome.exit_code, outcome.iteration) == (reason, code, 7)
    assert "--resume" in outcome.message
    assert outcome.message in caplog.text
    assert signal.getsignal(number) is before

    resumed = make_trainer(tmp_path / "run")
    assert resumed.resume()
    assert resumed.fit().reason == "done"
    assert same(weights(resumed), weights(straight))


def test_a_second_interrupt_stops_at_once_and_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    calls = []

    def stopping(output, mask):
        calls.append(1)
        if len(calls) == 7:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return criterion(output, mask)

    outcome = make_trainer(tmp_path, criterion=stopping).fit()
    assert (outcome.reason, outcome.checkpoint.name) == ("interrupted", "checkpoint_00000005.pth")


def test_a_non_finite_loss_names_the_files_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    good = make_trainer(tmp_path, epochs=1)
    good.fit()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    trainer = make_trainer(
        tmp_path, epochs=2, data=ToyData(bad=4), describe=lambda indices: [f"im/{index}.jpg" for index in indices]
    )
    trainer.resume()
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit()
    message = str(caught.value)
    assert "epoch 2, step " in message
    assert "im/4.jpg" in message and message.count(".jpg") == 2
    assert "total = nan" in message
    assert "checkpoint_00000005.pth" in message
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_a_non_finite_gradient_stops_before_the_weights_are_touched(tmp_path: Path) -> None:
    def rooted(output, mask):  # finite, with an infinite slope at 0
        zero = (output[0] * 0).abs().sum()
        return {"total": criterion(output, mask)["total"] + zero.sqrt()}

    trainer = make_trainer(tmp_path, criterion=rooted)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    with pytest.raises(NonFiniteError, match="gradient is not finite"):
        trainer.fit()
    assert same(before, dict(trainer.model.named_parameters()))


def test_float16_leaves_out_steps_with_infinite_gradients(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=1, precision="float16")
    trainer.precision.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, enabled=True)
    before = weights(trainer)["head.weight"]
    trainer.step(list(trainer.loader.batches(0))[:1])
    assert torch.equal(weights(trainer)["head.weight"], before)
    assert trainer.precision.scaler.get_scale() == 2.0**119


def test_a_full_disk_stops_the_run_and_keeps_the_checkpoint(tmp_path: Path, monkeypatch) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(content, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    trainer = make_trainer(tmp_path, epochs=2)
    trainer.resume()
    monkeypatch.setattr(checkpoint, "_write", full)
    with pytest.raises(SaveError, match="disk is full"):
        trainer.fit()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


class Killing(ToyData):
    """Its worker is killed at one sample, as the kernel does when memory is full."""

    def __getitem__(self, index):
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_killed_worker_is_said_in_one_line(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, data=Killing(), workers=1)
    with pytest.raises(WorkerError, match=r"data worker has died.*num_workers.*No checkpoint"):
        trainer.fit()


def test_an_error_in_a_worker_stays_what_it_is(tmp_path: Path) -> None:
    class Broken(ToyData):
        def __getitem__(self, index):
            raise ValueError("picture 3 is broken")

    with pytest.raises(ValueError, match="picture 3 is broken"):
        make_trainer(tmp_path, data=Broken(), workers=1).fit()


def test_too_little_memory_says_what_to_lower(tmp_path: Path) -> None:
    def exhausted(output, mask):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    with pytest.raises(DeviceMemoryError, match=r"batch_size.*accumulate.*activation_checkpointing"):
        make_trainer(tmp_path, criterion=exhausted).fit()


# -- the folder ---------------------------------------------------------------------------------------------------


def test_a_folder_with_a_run_is_not_overwritten_unasked(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1, validate=scores(1.0), options={"metric": "score"}).fit()
    started = []
    with pytest.raises(ResumeError, match=r"already holds a run.*--resume"):
        make_trainer(tmp_path, epochs=2, on_start=lambda: started.append(1)).fit()
    assert not started
    make_trainer(tmp_path, epochs=1, options={"overwrite": True}, on_start=lambda: started.append(1)).fit()
    assert started == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_00000005.pth"]


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(LockedError, match="already running"):
        make_trainer(tmp_path).fit()
    assert CheckpointFolder(tmp_path).files() == []


def test_bfloat16_and_float16_are_the_only_other_precisions() -> None:
    from inspyrenet.utils.system.precision import Precision

    with pytest.raises(ValueError, match="float32, bfloat16, float16"):
        Precision("fp16", CPU)
