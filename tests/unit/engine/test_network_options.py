"""The options of a network are defined once: what the command line, Remover and a batch's manifest make of them."""

import argparse
import inspect
from dataclasses import fields, replace

import pytest

from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.remover.remover import Remover


def read(*words: str, **choice) -> NetworkOptions:
    parser = argparse.ArgumentParser(exit_on_error=False)
    NetworkOptions.add_arguments(parser, **choice)
    return NetworkOptions.from_arguments(parser.parse_intermixed_args(words))


def test_nothing_said_is_the_defaults():
    assert read() == NetworkOptions() == read(runs=False) == read(without=("overrides", "mode"))


def test_everything_said_arrives():
    words = (
        "a=1 -m fast --ckpt w.pth --device cuda:1 --resize dynamic --precision bfloat16 --jit --PM --engine onnx b=2"
    )
    said = read(*words.split())
    assert said == NetworkOptions(("a=1", "b=2"), "fast", "w.pth", "cuda:1", "dynamic", "bfloat16", True, True, "onnx")
    assert all(getattr(said, one.name) != one.default for one in fields(NetworkOptions)), "a new option is missing here"
    assert read("--gpu").device == "cuda"
    assert all(read(flag, "base").mode == "base" for flag in ("--mode", "-c", "--config"))


@pytest.mark.parametrize("words", [["--resize", "big"], ["--device"]])
def test_a_wrong_value_is_refused(words):
    with pytest.raises(argparse.ArgumentError):
        read(*words)


def test_a_word_that_is_no_override_is_refused():
    with pytest.raises(argparse.ArgumentError, match=r"what is 'photo\.jpg'\?.*Model\.depth=32"):
        read("photo.jpg")


def test_a_command_offers_what_it_is_told_to():
    with pytest.raises(SystemExit):
        read("--jit", runs=False)
    with pytest.raises(SystemExit):
        read("-m", "fast", without=("mode", "overrides"))


def test_the_options_are_the_parameters_of_remover(monkeypatch):
    names = [name for name in inspect.signature(Remover.__init__).parameters if name not in ("self", "edges")]
    assert sorted(names) == sorted(one.name for one in fields(NetworkOptions))
    given = {}
    monkeypatch.setattr(Remover, "__init__", lambda self, **words: given.update(words))
    Remover.from_options(NetworkOptions(mode="fast", jit=True), "fusion")
    assert given == vars(NetworkOptions(mode="fast", jit=True)) | {"edges": "fusion"}


def test_what_decides_maps_leaves_out_speed_and_place():
    plain = NetworkOptions()
    assert plain.deciding_maps() == replace(plain, jit=True, device="cuda", mode="a", ckpt="b").deciding_maps()
    for change in ({"overrides": ("a=1",)}, {"resize": "static"}, {"precision": "float16"}, {"patch_merging": True}):
        assert plain.deciding_maps() != replace(plain, **change).deciding_maps()
