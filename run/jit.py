"""Compilation of a network for repeated use, with a clear word where it cannot be had."""

import shutil

import torch
from torch import nn


class CompilerMissing(RuntimeError):
    """torch.compile needs a C++ compiler on CPUs, and there is none."""


def compiled(model: nn.Module) -> nn.Module:
    """The network behind torch.compile, sizes dynamic after the first, so that a folder of many sizes compiles twice.

    The first call takes minutes. Raises CompilerMissing before that where there is no compiler.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    if on_cpu and not any(shutil.which(name) for name in ("g++", "clang++", "c++", "cl")):
        raise CompilerMissing(
            "compiling (--jit) on a CPU needs a C++ compiler: install g++ or clang, or leave --jit out"
        )
    model.compile(dynamic=None)
    return model


def compilations() -> int:
    """How many graphs torch.compile has made in this process; grows with every recompilation."""
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]
