"""Compilation of a network for repeated use, with a clear word where it cannot be had."""

import logging
import os
import shutil

import torch
from torch import nn

LOG = logging.getLogger(__name__)


class CompilerMissing(RuntimeError):
    """torch.compile needs a C++ compiler on CPUs, and there is none."""


def compiled(model: nn.Module) -> nn.Module:
    """The network behind torch.compile, in place; sizes become dynamic with the second one, so that many compile twice.

    The first call takes minutes. Raises CompilerMissing before that where there is no compiler.
    """
    check_compiler(next(model.parameters()).device)
    LOG.warning("compiling the network: the first image takes minutes")
    model.compile(dynamic=None)
    return model


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
