"""precision auto on a CPU: which processors it takes to be faster in bfloat16."""

import logging

import pytest
import torch

from inspyrenet.utils.system import bfloat16
from inspyrenet.utils.system.bfloat16 import instructions, is_faster_on_cpu, speedup
from inspyrenet.utils.system.precision import PrecisionError, choose_precision

CPU = torch.device("cpu")


@pytest.fixture
def processor(monkeypatch):
    """A stand-in for the processor: its instructions, and what the trial measures on it (None: there must be no trial)."""

    def stand_in(*names: str, measured: float | None = None) -> None:
        for name, asked in bfloat16.INSTRUCTIONS.items():
            monkeypatch.setattr(torch.cpu, asked, lambda name=name: name in names)
        trials = iter([] if measured is None else [measured])
        monkeypatch.setattr(bfloat16, "speedup", lambda: next(trials))
        is_faster_on_cpu.cache_clear()

    yield stand_in
    is_faster_on_cpu.cache_clear()


@pytest.mark.parametrize(
    ("names", "measured", "chosen"),
    [
        (["AMX", "AVX-512 BF16"], 2.5, "bfloat16"),
        (["AMX"], 2.5, "bfloat16"),
        (["AVX-512 BF16"], 1.8, "bfloat16"),
        (["AVX-512 BF16"], 0.4, "float32"),  # oneDNN is held to older instructions
        ([], None, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_the_processor_has_it_and_torch_uses_it(processor, caplog, names, measured, chosen):
    processor(*names, measured=measured)
    assert instructions() == names
    with caplog.at_level(logging.INFO, "inspyrenet"):
        assert choose_precision("auto", CPU) == chosen
    assert caplog.messages == [f"precision auto: {chosen} on cpu"]


def test_a_process_measures_once(processor):
    processor("AMX", measured=2.0)  # the stand-in would raise StopIteration at a second trial
    assert [choose_precision("auto", CPU) for _ in range(3)] == ["bfloat16"] * 3


def test_a_torch_without_these_questions_has_no_instructions(monkeypatch):
    for asked in bfloat16.INSTRUCTIONS.values():
        monkeypatch.delattr(torch.cpu, asked)
    assert instructions() == []


def test_the_trial_leaves_the_number_of_threads(monkeypatch):
    threads = torch.get_num_threads()
    seen = []
    monkeypatch.setattr(bfloat16, "_seconds", lambda run: seen.append(torch.get_num_threads()) or run().numel())
    assert speedup() == 1
    assert set(seen) == {1} and torch.get_num_threads() == threads


def test_other_devices_and_names(processor):
    processor("AMX")
    assert choose_precision("auto", torch.device("meta")) == "float32"
    assert choose_precision("float32", CPU) == "float32"
    with pytest.raises(PrecisionError, match="or auto, not 'half'"):
        choose_precision("half", CPU)
