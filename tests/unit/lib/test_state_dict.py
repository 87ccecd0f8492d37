"""State dicts as other programs wrap them: a dictionary loads as a file with the same content does."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from inspyrenet import load_weights
from inspyrenet.lib.checkpoints.state_dict import WRAPPERS, WeightsError, load_backbone, normalize_state
from inspyrenet.utils.train.checkpoint import read_weights, stamped

WEIGHTS = {"0.weight": torch.arange(6.0).reshape(2, 3), "0.bias": torch.ones(2)}
AVERAGED = {name: value + 1 for name, value in WEIGHTS.items()}


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2))


def equal(left: dict, right: dict) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def assert_loads(content, path: Path, expected: dict = WEIGHTS) -> None:
    torch.save(content, path)
    for source in (content, path):
        assert equal(load_weights(network(), source).state_dict(), expected)


@pytest.mark.parametrize("wrappers", [(), *((key,) for key in WRAPPERS), ("net", "state_dict"), ("model", "net")])
def test_wrapped_weights_load(tmp_path, wrappers):
    content = WEIGHTS
    for key in wrappers:
        content = {"epoch": 3, key: content}
    assert_loads(content, tmp_path / "w.pth")


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module._orig_mod."]
)
def test_prefixed_weights_load(tmp_path, prefix):
    content = {prefix + name: value for name, value in WEIGHTS.items()}
    assert_loads(content, tmp_path / "w.pth")
    save_file(content, tmp_path / "w.safetensors")
    assert equal(load_weights(network(), tmp_path / "w.safetensors").state_dict(), WEIGHTS)


def test_a_compiled_part_loads(tmp_path):
    assert_loads({name.replace(".", "._orig_mod."): value for name, value in WEIGHTS.items()}, tmp_path / "w.pth")


def test_a_prefix_is_kept_where_only_some_names_have_it():
    content = {"module.a": torch.ones(1), "head": torch.ones(1)}
    assert normalize_state(content).keys() == content.keys()


def test_our_own_checkpoint_loads_with_its_averaged_weights(tmp_path):
    averaged = {"weights": AVERAGED, "updates": 3}
    assert_loads(stamped({"model": WEIGHTS, "ema": averaged}), tmp_path / "w.pth", AVERAGED)
    assert_loads(stamped({"model": WEIGHTS, "ema": None}), tmp_path / "w.pth")


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path):
    content = {**stamped({"model": WEIGHTS}), "version": 99}
    torch.save(content, tmp_path / "w.pth")
    for source in (content, tmp_path / "w.pth"):
        with pytest.raises(ValueError, match="newer version"):
            load_weights(network(), source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(3), "holds a Tensor"),
        ([1, 2], "holds a list"),
        ({}, "an empty dictionary"),
        ({"net": {}}, "an empty dictionary"),
        ({"state_dict": {"a": 1}}, "the entry 'a' is a int"),
    ],
)
def test_what_is_no_state_dict_is_named(tmp_path, content, message):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(network(), tmp_path / "w.pth")
    assert str(tmp_path / "w.pth") in str(caught.value)
    with pytest.raises(WeightsError, match=f"given object .*{message}"):
        normalize_state(content)


def test_an_encoder_is_unwrapped_by_the_same_rule(tmp_path):
    model = nn.Module()
    model.backbone = network()
    torch.save({"net": {f"module.{name}": value for name, value in WEIGHTS.items()}}, tmp_path / "w.pth")
    assert load_backbone(model, read_weights(tmp_path / "w.pth")) == []
    assert equal(model.backbone.state_dict(), WEIGHTS)


def test_a_dictionary_that_is_inside_itself_is_refused():
    content: dict = {}
    content["model"] = content
    with pytest.raises(WeightsError, match="not a tensor"):
        normalize_state(content, "file.pth")


@pytest.mark.parametrize("kind", [torch.complex64, torch.int64, torch.bool])
def test_numbers_of_another_kind_are_no_weights(tmp_path, kind):
    content = {**WEIGHTS, "0.bias": WEIGHTS["0.bias"].to(kind)}
    torch.save(content, tmp_path / "w.pth")
    for source in (content, tmp_path / "w.pth"):
        with pytest.raises(
            WeightsError, match=rf"1 of another kind of number, e\.g\. 0\.bias: file {kind}, model torch\.float32"
        ):
            load_weights(network(), source)
    assert_loads({name: value.half() for name, value in WEIGHTS.items()}, tmp_path / "h.pth")
