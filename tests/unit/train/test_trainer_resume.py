"""Resuming: equal to the bit to a run that never stopped, and refused where it would not be the same run."""

import logging
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from inspyrenet.utils.optim.ema import EMA
from inspyrenet.utils.optim.lr_schedule import Schedule
from inspyrenet.utils.train.checkpoint import CheckpointError, read_checkpoint
from inspyrenet.utils.train.state import ResumeError, fingerprint, plain, preserved_rng
from tests.toy_training import CPU, ToyData, ToyNet, criterion, make_trainer, same, weights


class Death(Exception):
    """Ends a run without any chance to save, as a kill does."""


def noisy(output, mask):
    """A criterion that draws from every global generator."""
    factor = 1 + 0.1 * (random.random() + np.random.rand() + float(torch.rand(())))  # noqa: NPY002
    return {name: value * factor for name, value in criterion(output, mask).items()}


def dying(after: int, inner=noisy):
    """The criterion `inner`, which dies in its call number `after` + 1."""
    calls = []

    def call(output, mask):
        calls.append(1)
        if len(calls) > after:
            raise Death
        return inner(output, mask)

    return call


def everything(trainer) -> dict[str, torch.Tensor]:
    """Weights, averages and optimizer state as one flat dictionary."""
    found = weights(trainer)
    for number, state in trainer.optimizer.state_dict()["state"].items():
        found.update({f"optimizer.{number}.{name}": value for name, value in state.items()})
    if trainer.ema is not None:
        found.update({f"ema.{name}": value for name, value in trainer.ema.weights.items()})
    return found


def run(folder: Path, after: int | None = None, **changes):
    """Train from the start or from what is there, up to the end or to a death after some batches."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    trainer = make_trainer(folder, criterion=noisy if after is None else dying(after), **changes)
    if folder.exists():
        trainer.resume()
    if after is None:
        trainer.fit()
    else:
        with pytest.raises(Death):
            trainer.fit()
    return trainer


FULL = {
    "epochs": 3,
    "ema": lambda model: EMA(model, 0.9),
    "validate": lambda model: {"score": float(model.head.weight.sum()) + 0 * float(torch.rand(()))},
}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("after", [1, 4, 5, 9, 14])
def test_a_run_that_dies_anywhere_ends_with_the_same_bits(tmp_path: Path, after: int, accumulate: int) -> None:
    options = {"accumulate": accumulate, "checkpoint_steps": 1, "metric": "score", "clip_norm": 0.5}
    straight = run(tmp_path / "straight", **FULL, options=options)
    run(tmp_path / "run", after=after, **FULL, options=options)
    resumed = run(tmp_path / "run", **FULL, options=options)
    assert same(everything(straight), everything(resumed))
    assert straight.history.entries == resumed.history.entries
    best = [read_checkpoint(trainer.folder.best) for trainer in (straight, resumed)]
    assert best[0]["best"] == best[1]["best"]
    assert same(best[0]["model"], best[1]["model"])


def test_without_checkpoints_in_between_an_epoch_is_repeated(tmp_path: Path) -> None:
    straight = run(tmp_path / "straight", **FULL)
    run(tmp_path / "run", after=13, **FULL)
    resumed = make_trainer(tmp_path / "run", criterion=noisy, **FULL)
    resumed.resume()
    assert (resumed.progress.epoch, resumed.progress.iteration) == (2, 10)
    resumed.fit()
    assert same(everything(straight), everything(resumed))


def test_dying_again_and_again_changes_nothing(tmp_path: Path) -> None:
    straight = run(tmp_path / "straight", **FULL)
    options = {"checkpoint_steps": 1}
    for _ in range(6):
        run(tmp_path / "run", after=2, options=options, **FULL)
    assert same(everything(straight), everything(run(tmp_path / "run", options=options, **FULL)))


def test_checkpoints_every_few_minutes(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=1, options={"checkpoint_minutes": 1e-9})
    saved = []
    save = trainer.save
    trainer.save = lambda: (saved.append(trainer.progress.iteration), save())
    trainer.fit()
    assert saved == [1, 2, 3, 4, 5, 5]


def test_the_epoch_that_was_saved_and_not_validated_is_validated_on_resume(tmp_path: Path) -> None:
    def deadly(model):
        raise Death

    with pytest.raises(Death):
        make_trainer(tmp_path, epochs=1, validate=deadly, options={"metric": "score"}).fit()
    resumed = make_trainer(tmp_path, epochs=1, validate=lambda model: {"score": 7.0}, options={"metric": "score"})
    assert resumed.resume()
    assert resumed.fit().best["validation"] == {"score": 7.0}
    assert resumed.folder.best.is_file()


def test_float16_keeps_its_loss_scale(tmp_path: Path) -> None:
    straight = make_trainer(tmp_path / "a", epochs=2, precision="float16")
    straight.precision.scaler = torch.amp.GradScaler("cpu", growth_interval=3)
    straight.fit()
    first = make_trainer(tmp_path / "b", epochs=2, precision="float16", criterion=dying(7, criterion))
    first.precision.scaler = torch.amp.GradScaler("cpu", growth_interval=3)
    with pytest.raises(Death):
        first.fit()
    resumed = make_trainer(tmp_path / "b", epochs=2, precision="float16")
    resumed.resume()
    assert resumed.precision.scaler.get_scale() > 2.0**16
    resumed.fit()
    assert same(weights(straight), weights(resumed))
    assert resumed.precision.scaler.state_dict() == straight.precision.scaler.state_dict()


# -- longer, finished, torn ---------------------------------------------------------------------------------------


def test_extending_a_run_plans_the_rates_anew_and_says_so(tmp_path: Path, caplog) -> None:
    make_trainer(tmp_path, epochs=2).fit()
    longer = make_trainer(tmp_path, epochs=4)
    with caplog.at_level(logging.WARNING):
        longer.resume()
    assert "planned anew (total: 10 → 20)" in caplog.text
    rates = []
    step = longer.step
    longer.step = lambda group: (result := step(group), rates.append(result[1][0]))[0]
    outcome = longer.fit()
    assert (outcome.epoch, outcome.iteration) == (4, 20)
    assert rates == [Schedule("PolyLr", 20).rate(i, 1e-2) for i in range(10, 20)]


def test_a_criterion_that_changes_with_the_epoch_is_told(tmp_path: Path) -> None:
    class Changing:
        def __init__(self) -> None:
            self.told = []

        def set_epoch(self, epoch: int, epochs: int) -> None:
            self.told.append((epoch, epochs))

        def __call__(self, output, mask):
            return criterion(output, mask)

    first, second = Changing(), Changing()
    make_trainer(tmp_path, epochs=2, criterion=first).fit()
    longer = make_trainer(tmp_path, epochs=3, criterion=second)
    longer.resume()
    longer.fit()
    assert (first.told, second.told) == ([(0, 2), (1, 2)], [(2, 3)])


def test_epochs_are_counted_in_total(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=2).fit()
    again = make_trainer(tmp_path, epochs=2)
    again.resume()
    before = weights(again)
    outcome = again.fit()
    assert (outcome.reason, outcome.epoch) == ("done", 2)
    assert same(before, weights(again))


def test_a_torn_newest_checkpoint_goes_back_one_and_ends_the_same(tmp_path: Path, caplog) -> None:
    straight = make_trainer(tmp_path / "straight", epochs=3)
    straight.fit()
    make_trainer(tmp_path / "run", epochs=2, schedule=Schedule("PolyLr", 15)).fit()
    newest = tmp_path / "run" / "checkpoint_00000010.pth"
    newest.write_bytes(newest.read_bytes()[:1000])
    resumed = make_trainer(tmp_path / "run", epochs=3)
    with caplog.at_level(logging.WARNING):
        resumed.resume()
    assert "checkpoint_00000010.pth is truncated" in caplog.text
    resumed.fit()
    assert same(weights(straight), weights(resumed))


def test_an_older_checkpoint_by_name_drops_what_came_after_it(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=3).fit()
    resumed = make_trainer(tmp_path, epochs=3, options={"checkpoint_steps": 1, "checkpoint_epochs": 9})
    resumed.resume(tmp_path / "checkpoint_00000010.pth")
    resumed._open_folder()
    assert [path.name for path in resumed.folder.files()] == ["checkpoint_00000010.pth"]


def test_leftovers_of_a_kill_are_cleared(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    (tmp_path / ".checkpoint_00000010.pth.123.partial").write_bytes(b"half")
    again = make_trainer(tmp_path, epochs=1)
    again.resume()
    again.fit()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_00000005.pth"]


def test_resuming_nothing_starts_from_the_beginning(tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        assert not make_trainer(tmp_path / "empty").resume()
    assert "starting from the beginning" in caplog.text


# -- refusals -----------------------------------------------------------------------------------------------------


def test_another_model_is_refused_by_name(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    other = make_trainer(tmp_path, model=ToyNet(width=6), config={"Model": {"name": "Wide"}})
    before = weights(other)
    with pytest.raises(ResumeError, match=r"written by Toy, this run builds Wide.*another shape .*body\.0\.weight"):
        other.resume()
    assert same(before, weights(other))


def test_a_changed_data_set_is_refused_unless_forced(tmp_path: Path, caplog) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    with pytest.raises(ResumeError, match="training data has changed"):
        make_trainer(tmp_path, fingerprint="other").resume()
    forced = make_trainer(tmp_path, fingerprint="other")
    with caplog.at_level(logging.WARNING):
        assert forced.resume(force=True)
    assert "--force" in caplog.text


def test_another_optimizer_or_other_frozen_parts_are_refused(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    model = ToyNet()
    with pytest.raises(ResumeError, match="trained with Adam, this run uses SGD"):
        make_trainer(tmp_path, model=model, optimizer=torch.optim.SGD(model.parameters(), lr=1)).resume()
    with pytest.raises(ResumeError, match="frozen or set free"):
        make_trainer(tmp_path, model=model, optimizer=torch.optim.Adam(model.head.parameters(), lr=1)).resume()


def test_weights_alone_do_not_continue_a_run(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=1, validate=lambda model: {"s": 1.0}, options={"metric": "s"})
    trainer.fit()
    with pytest.raises(ResumeError, match="weights only"):
        make_trainer(tmp_path).resume(trainer.folder.best)
    torch.save(weights(trainer), tmp_path / "plain.pth")
    with pytest.raises(CheckpointError, match="not a checkpoint of this program"):
        make_trainer(tmp_path).resume(tmp_path / "plain.pth")


@pytest.mark.parametrize("value", [None, "x", 7, [], {}, "absent"])
def test_a_malformed_checkpoint_does_not_continue_a_run(tmp_path: Path, value: object) -> None:
    """Whichever part is absent or of another kind: one line that names the file, or it did not matter."""
    trainer = make_trainer(tmp_path, epochs=1, ema=lambda model: EMA(model, 0.9))
    trainer.fit()
    good = read_checkpoint(trainer.folder.files()[0])
    refused = []
    for name in good:
        bad = {**good, name: value} if value != "absent" else {n: v for n, v in good.items() if n != name}
        torch.save(bad, tmp_path / "bad.pth")
        try:
            make_trainer(tmp_path / "other", epochs=1, ema=lambda model: EMA(model, 0.9)).resume(tmp_path / "bad.pth")
        except (ResumeError, CheckpointError) as error:
            assert "bad.pth" in str(error) and "\n" not in str(error)
            refused.append(name)
    assert {"model", "optimizer", "progress", "rng", "version"} <= set(refused)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("progress", {"epoch": -1}, "its progress.epoch holds something else"),
        ("progress", {"samples": -4}, "its progress.samples holds something else"),
        ("progress", {"iteration": 1.5}, "its progress.iteration holds something else"),
        ("progress", {"sums": {"total": "much"}}, "its progress.sums holds something else"),
        ("progress", None, "its progress.epoch is missing"),
        ("schedule", None, r"its schedule\.\w+ is missing"),
        ("model", "complex", "has as another kind of number 1 of the parameters"),
    ],
)
def test_a_part_of_a_checkpoint_that_makes_no_sense_is_named(tmp_path: Path, part: str, change, message: str) -> None:
    trainer = make_trainer(tmp_path, epochs=1)
    trainer.fit()
    good = read_checkpoint(trainer.folder.files()[0])
    if part == "model":
        name = next(iter(good["model"]))
        change = {name: good["model"][name].to(torch.complex64)}
    torch.save({**good, part: {} if change is None else {**good[part], **change}}, tmp_path / "bad.pth")
    with pytest.raises(ResumeError, match=message) as caught:
        make_trainer(tmp_path / "other", epochs=1).resume(tmp_path / "bad.pth")
    assert str(tmp_path / "bad.pth") in str(caught.value)


def test_another_metric_chooses_the_best_anew_and_says_so(tmp_path: Path, caplog) -> None:
    def part(epochs: int, mae: list[float], metric: str, mode: str, **more: float):
        validate = lambda model: {"mae": mae.pop(0), "maxFm": 0.5, **more}  # noqa: E731
        trainer = make_trainer(
            tmp_path, epochs=epochs, validate=validate, options={"metric": metric, "mode": mode, "patience": 3}
        )
        trainer.resume()
        outcome = trainer.fit()
        return outcome, read_checkpoint(trainer.folder.best)

    part(2, [0.1, 0.2], "maxFm", "max")  # epoch 1 is the best
    with caplog.at_level(logging.WARNING):
        outcome, best = part(4, [0.5, 0.4, 0.3], "mae", "min")  # the last epoch is validated anew: it was saved before
    assert "the best checkpoint is now chosen by mae (min), before by maxFm (max)" in caplog.text
    assert outcome.best["epoch"] == best["best"]["epoch"] == 4 and "best mae 0.3000 after epoch 4" in outcome.message
    outcome, best = part(5, [0.4, 0.4], "wFm", "max", wFm=0.1)  # which the earlier validations do not have
    assert outcome.best["epoch"] == best["best"]["epoch"] == 4


def test_an_older_checkpoint_says_by_its_config_which_metric_chose(tmp_path: Path) -> None:
    scores = {"mae": 0.1, "wFm": 0.5}
    first = make_trainer(
        tmp_path,
        epochs=1,
        validate=lambda model: scores,
        options={"metric": "wFm"},
        config={"name": "toy", "Model": {"name": "Toy"}, "Train": {"Validation": {"metric": "wFm"}}},
    )
    first.fit()
    path = first.folder.files()[-1]
    content = read_checkpoint(path)
    for entry in content["history"]:
        entry.pop("chosen_by", None)  # as before this was noted
    torch.save(content, path)
    second = make_trainer(tmp_path, validate=lambda model: scores, options={"metric": "mae", "mode": "min"})
    second.resume()
    assert second.history.best("mae", "min") is None and second.history.best("wFm", "max") is None


def test_a_validation_without_a_number_is_no_end(tmp_path: Path) -> None:
    values = [0.5, float("nan"), float("nan"), 0.4]  # the last epoch is validated anew: it was saved before
    for epochs in (2, 3):
        trainer = make_trainer(
            tmp_path, epochs=epochs, validate=lambda model: {"score": values.pop(0)}, options={"metric": "score"}
        )
        trainer.resume()
        outcome = trainer.fit()
        assert outcome.best["epoch"] == 1
    assert not values


def test_changed_settings_are_taken_and_told(tmp_path: Path, caplog) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    model = ToyNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    config = {"name": "toy", "Model": {"name": "Toy"}, "Train": {"lr": 5e-3}}
    trainer = make_trainer(tmp_path, model=model, optimizer=optimizer, config=config, precision="bfloat16")
    with caplog.at_level(logging.WARNING):
        trainer.resume()
    assert "lr of group 0: 0.01 → 0.005" in caplog.text
    assert "Train: None → {'lr': 0.005}" in caplog.text
    assert "float32 → bfloat16" in caplog.text
    trainer.schedule.apply(trainer.optimizer, 0)
    assert trainer.optimizer.param_groups[0]["lr"] == 5e-3


def test_averages_may_begin_or_end_on_resume(tmp_path: Path, caplog) -> None:
    make_trainer(tmp_path, epochs=1).fit()
    averaging = make_trainer(tmp_path, epochs=2, ema=lambda model: EMA(model, 0.9))
    with caplog.at_level(logging.WARNING):
        averaging.resume()
    assert same(averaging.ema.weights, weights(averaging))
    averaging.fit()
    make_trainer(tmp_path, epochs=3).resume()
    assert "average starts here" in caplog.text


def test_another_batch_size_goes_on_where_the_samples_end(tmp_path: Path, caplog) -> None:
    with pytest.raises(Death):
        make_trainer(tmp_path, criterion=dying(9, criterion), options={"checkpoint_steps": 1}).fit()
    resumed = make_trainer(tmp_path, options={"accumulate": 2})  # 9 of 10 batches are done
    with caplog.at_level(logging.WARNING):
        resumed.resume()
    assert (resumed.progress.samples, resumed.progress.iteration) == (8, 5)
    assert "counted anew: 9 → 5" in caplog.text
    assert resumed.fit().iteration == 6


# -- parts --------------------------------------------------------------------------------------------------------


def test_what_a_checkpoint_holds_is_plain(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, epochs=1, ema=lambda model: EMA(model, 0.9))
    path = trainer.fit().checkpoint
    content = torch.load(path, weights_only=True)
    assert content["config"] == {"name": "toy", "Model": {"name": "Toy"}}
    assert content["progress"]["iteration"] == 5
    assert len(content["rng"]) == 1
    assert content["code"]


def test_plain_values_pass_and_others_are_named() -> None:
    assert plain({"a": (1, Path("x")), "b": np.float64(2)}) == {"a": [1, "x"], "b": 2.0}
    with pytest.raises(TypeError, match="a set"):
        plain({"a": {1}})


def test_random_numbers_inside_a_preserved_block_leave_no_trace() -> None:
    def draw() -> tuple:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    with preserved_rng(CPU):
        first = draw()
    assert draw() == first


def test_a_fingerprint_sees_names_order_and_sizes_but_not_the_place(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("1.jpg", "2.jpg"):
            (tmp_path / folder / name).write_bytes(name.encode())
        files.append([(name, tmp_path / folder / name) for name in ("1.jpg", "2.jpg")])
    assert fingerprint(files[0]) == fingerprint(files[1])
    assert fingerprint(files[0]) != fingerprint(files[0][::-1])
    files[1][0][1].write_bytes(b"longer than before")
    assert fingerprint(files[0]) != fingerprint(files[1])


def test_data_does_not_depend_on_the_worker_count(tmp_path: Path) -> None:
    ends = []
    for workers in (0, 2):
        trainer = make_trainer(tmp_path / str(workers), workers=workers, data=ToyData(7))
        trainer.fit()
        ends.append(weights(trainer))
    assert same(*ends)


def test_the_checkpoint_stays_where_steps_are_counted_anew_and_the_first_one_fails(tmp_path: Path) -> None:
    make_trainer(tmp_path, epochs=2).fit()
    with pytest.raises(Death):
        larger = make_trainer(tmp_path, epochs=3, criterion=dying(0), options={"accumulate": 5})
        assert larger.resume()
        larger.fit()
    again = make_trainer(tmp_path, epochs=3, options={"accumulate": 5})
    assert again.resume()
    assert again.fit().epoch == 3


def test_the_best_alone_is_nothing_to_go_on_from(tmp_path: Path, caplog) -> None:
    make_trainer(tmp_path).fit()
    for path in tmp_path.glob("checkpoint_*"):
        path.rename(tmp_path / "best.pth")
    trainer = make_trainer(tmp_path)
    assert not trainer.resume()
    with pytest.raises(ResumeError, match=r"already holds best\.pth alone, no checkpoint to resume"):
        trainer.fit()
    assert "starting from the beginning" not in caplog.text


def test_a_best_checkpoint_does_not_stand_for_a_run_that_is_no_longer_validated(tmp_path: Path, caplog) -> None:
    validate = lambda model: {"mae": 0.1}  # noqa: E731
    make_trainer(tmp_path, epochs=1, validate=validate, options={"metric": "mae", "mode": "min"}).fit()
    trainer = make_trainer(tmp_path, epochs=2)
    assert trainer.resume()
    outcome = trainer.fit()
    assert trainer.folder.weights_file() == outcome.checkpoint == trainer.folder.files()[0]
    assert "the best checkpoint so far is now called best_until_00000005.pth" in caplog.text
    again = make_trainer(tmp_path, epochs=2, validate=validate, options={"metric": "mae", "mode": "min"})
    assert (tmp_path / "best_until_00000005.pth").is_file() and again.resume()
    again.fit()
    assert trainer.folder.weights_file() == tmp_path / "best.pth" and not [*tmp_path.glob("best_until_*")]
    (tmp_path / "best.pth").rename(tmp_path / "best_until_00000005.pth")
    trainer.folder.clear()
    with pytest.raises(FileNotFoundError):
        trainer.folder.weights_file()


def test_scores_on_other_pairs_are_not_compared(tmp_path: Path, caplog) -> None:
    first = make_trainer(
        tmp_path,
        epochs=2,
        validate=lambda model: {"mae": 0.1},
        options={"metric": "mae", "mode": "min", "validated_on": "a"},
    )
    first.fit()
    options = {"metric": "mae", "mode": "min", "patience": 1, "validated_on": "b"}
    second = make_trainer(tmp_path, epochs=3, validate=lambda model: {"mae": 0.4}, options=options)
    second.resume()
    assert "the validation data has changed since the checkpoint" in caplog.text
    outcome = second.fit()
    assert outcome.epoch == 3 and outcome.best["validation"]["mae"] == 0.4
    assert read_checkpoint(second.folder.best)["best"]["epoch"] == 2  # which is validated again


def test_a_better_network_of_a_later_step_is_kept(tmp_path: Path, caplog) -> None:
    """A run that goes on from an older checkpoint takes another way where settings have changed."""
    values = [0.3, 0.1, 0.2]
    options = {"metric": "mae", "mode": "min", "checkpoint_epochs": 2}
    first = make_trainer(tmp_path, epochs=2, validate=lambda model: {"mae": values.pop(0)}, options=options)
    first.fit()
    make = first.folder.save_best
    make({**read_checkpoint(first.folder.best), "best": {"epoch": 3, "iteration": 99, "validation": {"mae": 0.05}}})
    second = make_trainer(tmp_path, epochs=3, validate=lambda model: {"mae": 0.04}, options=options)
    second.resume()
    second.fit()
    assert read_checkpoint(second.folder.best)["best"]["validation"] == {"mae": 0.04}
    assert read_checkpoint(tmp_path / "abandoned_best_00000099.pth")["best"]["validation"] == {"mae": 0.05}
    assert "which is kept as abandoned_best_00000099.pth" in caplog.text
