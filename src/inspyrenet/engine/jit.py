"""Compilation of a network for repeated use, with a clear word where it cannot be had."""

import logging
import os
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

LOG = logging.getLogger(__name__)


class CompilerMissing(RuntimeError):
    """torch.compile needs a C++ compiler on CPUs, and there is none."""


def compiled(model: nn.Module, backend: str = "inductor") -> nn.Module:
    """The network with torch.compile for images of its base size, in place; other sizes run as they are.

    A graph with open sizes is made anew for almost every size (sums and views branch on them), each time for minutes, and
    large images gain more from what is left out of them than from compilation. The first call takes minutes.
    Raises CompilerMissing before that where there is no compiler.
    """
    check_compiler(next(model.parameters()).device)
    network: Any = model
    LOG.warning("compiling the network for %d x %d: the first image takes minutes", *network.base_size)
    network.forward = _BySize(model.forward, backend, tuple(network.base_size))
    return model


class _BySize:
    """`forward`, compiled for one image size."""

    def __init__(self, forward: Callable, backend: str, size: tuple[int, int]):
        self.plain, self.compiled, self.size = forward, torch.compile(forward, backend=backend), size

    def __call__(self, image: Tensor) -> Any:
        return (self.compiled if tuple(image.shape[-2:]) == self.size else self.plain)(image)


def check_compiler(device: torch.device) -> None:
    """Raises CompilerMissing where torch.compile would find no C++ compiler."""
    names = [os.environ.get("CXX") or "", "g++", "c++", "clang++", "cl"]
    if device.type == "cpu" and not any(name and shutil.which(name) for name in names):
        raise CompilerMissing(
            "jit needs a C++ compiler and there is none on the PATH (g++, clang++): install one, or leave jit out"
        )


def compilations() -> int:
    """How many graphs torch.compile has made in this process; grows with every recompilation."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]
