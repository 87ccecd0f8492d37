"""Which number format a run computes in."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .bfloat16 import is_faster_on_cpu

LOG = logging.getLogger(__name__)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class PrecisionError(RuntimeError):
    """The device cannot compute in the precision that was asked for."""


def flush_denormals() -> None:
    """Let this process treat subnormal numbers as zero, which the unscaled attention's softmax makes many of.

    A CPU multiplies them about a hundred times slower. Call it before the first parallel torch operation: threads inherit it.
    """
    for kind in (np.float32, np.float64):
        np.finfo(kind)  # numpy measures once and keeps the result: asked later, it would warn that they are gone
    torch.set_flush_denormal(True)


def _is_faster_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and is_faster_on_cpu()


def choose_precision(name: str, device: torch.device) -> str:
    """A number format by name; auto: bfloat16 where the device is faster in it, else float32.

    Raises PrecisionError for another name.
    """
    if name == "auto":
        chosen = "bfloat16" if _is_faster_in_bfloat16(device) else "float32"
        LOG.info("precision auto: %s on %s", chosen, device)
        return chosen
    if name not in DTYPES:
        raise PrecisionError(f"precision is {', '.join(DTYPES)} or auto, not {name!r}")
    return name


class Precision:
    """Mixed precision of one run: parameters stay float32, the network computes in `name`.

    float16 scales the loss so that small gradients survive; bfloat16 has float32's range and needs no scaling.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        if name not in DTYPES:
            raise ValueError(f"unknown precision {name!r}; choose one of {', '.join(DTYPES)}")
        if name == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise PrecisionError("this GPU has no bfloat16: use precision float16 or float32")
        self.name = name
        self.device = device
        self.scaler = torch.amp.GradScaler(device.type, enabled=name == "float16")

    def autocast(self) -> AbstractContextManager:
        """Context in which the network runs."""
        return torch.autocast(self.device.type, dtype=DTYPES[self.name], enabled=self.name != "float32")

    def state_dict(self) -> dict[str, Any]:
        """The loss scale; empty unless float16."""
        return self.scaler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a loss scale; one that belongs to another precision is ignored."""
        if state and self.scaler.is_enabled():
            self.scaler.load_state_dict(dict(state))


def to_float32(value: Any) -> Any:
    """A network's output with every half-precision tensor in float32, so that losses are computed outside autocast.

    Tuples, named tuples, lists and dictionaries keep their type.
    """
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_float32(part) for part in value))
    if isinstance(value, (tuple, list)):
        return type(value)(to_float32(part) for part in value)
    if isinstance(value, Mapping):
        return {key: to_float32(part) for key, part in value.items()}
    return value


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """`flush_denormals` for a block; what was set before comes back."""
    before = (torch.tensor(1e-310, dtype=torch.float64) * 1).item() == 0
    flush_denormals()
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
