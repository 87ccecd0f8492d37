"""The fuzzer itself, in seconds; and, with .ci/run --system, a minute of it over every reader."""

import os
import time
from pathlib import Path

import pytest

from inspyrenet.data.images.read import ImageError

from . import fuzzer
from .fuzzer import fuzz
from .mutate import example
from .targets import TARGETS, Target

SECONDS = 60


def seeds(folder: Path) -> list[bytes]:
    return [b"abcdefgh" * 8]


def read_or_refuse(data: bytes, folder: Path) -> None:
    if len(data) != 64:
        raise ImageError("too long or too short")


def stumble(data: bytes, folder: Path) -> None:
    {1: 2}[0 if data != b"abcdefgh" * 8 else 1]


def die(data: bytes, folder: Path) -> None:
    if data != b"abcdefgh" * 8:
        os._exit(3)


def hang(data: bytes, folder: Path) -> None:
    if data != b"abcdefgh" * 8:
        time.sleep(60)


def refuse_all(data: bytes, folder: Path) -> None:
    raise ImageError("nothing pleases me")


def test_the_same_numbers_give_the_same_bytes():
    one, other = b"the first seed of two", b"the second"
    series = [example([one, other], 7, number) for number in range(200)]
    assert series == [example([one, other], 7, number) for number in range(200)]
    assert len(set(series)) > 150 and series != [example([one, other], 8, number) for number in range(200)]


def test_refusals_are_no_failures():
    outcome = fuzz("polite", Target(seeds, read_or_refuse, ".txt"), 1)
    assert 0 < outcome.read < outcome.inputs and not outcome.failures


@pytest.mark.parametrize(
    ("read", "what"), [(stumble, "KeyError"), (die, "died with exit code 3"), (hang, "no answer within")]
)
def test_what_goes_wrong_is_found_and_kept(read, what, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzer, "HANG", 0.5)
    outcome = fuzz("rude", Target(seeds, read, ".txt"), 1, keep=tmp_path)
    assert outcome.failures and all(what in failure for failure in outcome.failures.values())
    number = min(outcome.failures)
    assert (tmp_path / f"rude-0-{number}.txt").read_bytes() == example(seeds(tmp_path), 0, number)


def test_a_reader_that_refuses_valid_input_does_not_come_up(capfd):
    with pytest.raises(RuntimeError, match="did not come up"):
        fuzz("strict", Target(seeds, refuse_all, ".txt"), 1)
    assert "a valid input was not read" in capfd.readouterr().err


@pytest.mark.system
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_refused_in_our_own_words(name, tmp_path):
    outcome = fuzz(name, TARGETS[name], SECONDS / len(TARGETS), keep=tmp_path)
    assert outcome.inputs > 50 and not outcome.failures, outcome
