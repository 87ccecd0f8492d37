"""Tables of one run are not replaced by those of another unasked."""

from pathlib import Path

import pytest

from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.report.owner import TablesExistError, check_owner, traits, write_owner

ONE = {"a": {"Eval.pred_root": "/maps/a", "Train.Optimizer.lr": 1e-5}}


def test_the_same_run_may_write_its_tables_again(tmp_path):
    check_owner(tmp_path / "new", ONE)
    write_owner(tmp_path, ONE)
    check_owner(tmp_path, ONE)
    check_owner(tmp_path, {"a": {"Eval.pred_root": "/maps/a"}})  # by a command that only scores


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (
            {"a": {**ONE["a"], "Train.Optimizer.lr": 3e-5}},
            r"Train\.Optimizer\.lr was 1e-05 and is 3e-05 now: keep both",
        ),
        ({"a": {"Eval.pred_root": "/maps/b", "Train.Optimizer.lr": 0}}, "/maps/b now and 1 more: keep both"),
        ({"b": ONE["a"]}, "with the run a: keep both .*--overwrite"),
    ],
)
def test_another_run_is_refused_with_the_remedy(tmp_path, runs, said):
    write_owner(tmp_path, ONE)
    with pytest.raises(TablesExistError, match=said):
        check_owner(tmp_path, runs)


def test_a_run_that_is_resumed_is_the_same_and_a_sweep_may_grow(tmp_path):
    write_owner(tmp_path, ONE)
    check_owner(tmp_path, {"a": {**ONE["a"], "Train.Optimizer.lr": 3e-5}}, goes_on=True)
    check_owner(tmp_path, {**ONE, "b": {}})
    with pytest.raises(TablesExistError, match="with the run a"):
        check_owner(tmp_path, {"b": {}}, goes_on=True)


def test_what_made_the_maps_is_kept_when_they_are_scored_again(tmp_path):
    write_owner(tmp_path, ONE)
    write_owner(tmp_path, {"a": {"Eval.pred_root": "/maps/a"}})
    with pytest.raises(TablesExistError, match="lr"):
        check_owner(tmp_path, {"a": {"Train.Optimizer.lr": 3e-5}})
    write_owner(
        tmp_path, {"a": {"Eval.pred_root": "/elsewhere"}}
    )  # asked for with --overwrite: nobody knows how they were made
    check_owner(tmp_path, {"a": {"Train.Optimizer.lr": 3e-5}})


def test_a_record_that_cannot_be_read_is_no_permission(tmp_path):
    (tmp_path / "runs.json").write_text("{")
    with pytest.raises(TablesExistError, match=r"runs\.json cannot be read .*: remove"):
        check_owner(tmp_path, ONE)


def test_a_run_is_told_by_what_changes_its_maps(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: Quickstart.yaml\n")

    def of(*words: str) -> dict:
        return traits(load_config(file, words)[0], "train")

    same = ["Eval.metrics=[mae]", "Train.Dataloader.num_workers=0", "Test.Dataset.limit=3", "note=x"]
    assert of() == of(*same)
    assert all(
        of() != of(word) for word in ("seed=1", "Train.Optimizer.lr=1", "Test.normalize=minmax", "Eval.pred_root=x")
    )
    assert list(traits(load_config(file)[0])) == ["Eval.pred_root"]
    assert Path(traits(load_config(file)[0])["Eval.pred_root"]).is_absolute()


def test_maps_of_other_weights_are_other_maps(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("extends: Quickstart.yaml\n")
    first, second = (
        traits(load_config(file, [f"Test.Checkpoint.checkpoint_dir=x/{name}.pth"])[0], "test") for name in ("a", "b")
    )
    write_owner(tmp_path, {"mine": first})
    check_owner(tmp_path, {"mine": first})
    with pytest.raises(
        TablesExistError, match=r"Test\.Checkpoint\.checkpoint_dir was .*x/a\.pth and is .*x/b\.pth now"
    ):
        check_owner(tmp_path, {"mine": second})
