"""benchmarks/weights/average.py: the mean of several trainings is weights like theirs; what has no mean is refused."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.weights import average
from inspyrenet import Remover
from inspyrenet.tune.trained_split import check_split
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.checkpoint import CheckpointError, stamped
from tests.tiny_network import picture, tiny_state, write_tiny


@pytest.fixture
def trainings(tmp_path):
    """Two weights files of one network, the second with one convolution moved by 2."""
    state = {name: value.clone(memory_format=torch.contiguous_format) for name, value in tiny_state().items()}
    save_file(state, tmp_path / "a.safetensors")
    moved = next(name for name, value in state.items() if value.ndim == 4)
    torch.save({**state, moved: state[moved] + 2}, tmp_path / "b.pth")
    return tmp_path / "a.safetensors", tmp_path / "b.pth", moved


def test_the_mean_lies_halfway_and_cuts_out(trainings, tmp_path):
    a, b, moved = trainings
    config, weights = write_tiny(tmp_path)
    assert average.main([str(weights), str(a), str(b)]) == 0
    found, first = load_file(weights), load_file(a)
    torch.testing.assert_close(found[moved], first[moved] + 1)
    assert all(torch.equal(found[name], first[name]) for name in first if name != moved)
    assert Remover(config, "cpu", weights, edges="none").process(picture(), type="map").shape == (48, 80)


def test_what_has_no_mean_is_refused_by_name(trainings, tmp_path, capsys):
    a, _, moved = trainings
    output, other = tmp_path / "mean.safetensors", tmp_path / "other.safetensors"
    for value, said in (
        (torch.zeros(3), "is of another network"),
        (torch.full_like(load_file(a)[moved], torch.nan), "is not finite"),
    ):
        save_file({**load_file(a), moved: value}, other)
        assert average.main([str(output), str(a), str(other)]) == 1
        error = capsys.readouterr().err
        assert said in error and moved in error and str(other) in error
        assert not output.exists()


def test_one_training_alone_has_no_mean(trainings, tmp_path, capsys):
    with pytest.raises(SystemExit):
        average.main([str(tmp_path / "mean.safetensors"), str(trainings[0])])
    assert "two weights or more" in capsys.readouterr().err


def test_a_mean_keeps_the_splits_of_its_trainings(trainings, tmp_path):
    """A training with another seed has learned from pairs that the config holds out."""
    (config,) = load_config(["InSPyReNet_Bundled"])
    (other,) = load_config(["InSPyReNet_Bundled"], ["seed=11"])
    a, b, _ = trainings
    for name, trained in (("own", config), ("other", other)):
        checkpoint = {**torch.load(b, weights_only=True)}
        torch.save(
            stamped({"model": checkpoint, "ema": None, "config": trained.model_dump(mode="json")}),
            tmp_path / f"{name}.pth",
        )
    means = {name: tmp_path / f"{name}.safetensors" for name in ("own", "other")}
    for name, mean in means.items():
        assert average.main([str(mean), str(a), str(tmp_path / f"{name}.pth")]) == 0
    check_split(a, config)
    for known in (tmp_path / "own.pth", means["own"]):
        check_split(known, config)
    for unknown in (tmp_path / "other.pth", means["other"]):
        with pytest.raises(CheckpointError, match=r"was trained with another split .*'seed': 11.*split_seed"):
            check_split(unknown, config)
    (same,) = load_config(["InSPyReNet_Bundled"], ["seed=11", "Train.Validation.split_seed=0"])
    check_split(means["own"], same)
