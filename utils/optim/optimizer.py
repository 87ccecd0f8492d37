"""Optimizers over two speeds: a trained encoder learns slowly, a new head faster."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from .muon import Muon

FUSED = ("cpu", "cuda", "mps")  # devices on which torch updates all parameters in one kernel
ENCODER, HEAD = "encoder", "head"


def parameter_groups(model: nn.Module, encoder: Iterable[str] = ("backbone.",)) -> dict[str, list[nn.Parameter]]:
    """A model's learning parameters, those whose names begin with one of `encoder` apart from the rest.

    Frozen parameters (`requires_grad` off) are left out.

    Raises:
        ValueError: nothing learns.
    """
    prefixes = tuple(encoder)
    groups: dict[str, list[nn.Parameter]] = {ENCODER: [], HEAD: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[ENCODER if name.startswith(prefixes) else HEAD].append(parameter)
    if not any(groups.values()):
        raise ValueError("every parameter is frozen: there is nothing to train")
    return groups


def build_optimizer(
    groups: Mapping[str, Iterable[nn.Parameter]],
    name: str,
    lr: float,
    *,
    head_factor: float = 10.0,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    betas: tuple[float, float] = (0.9, 0.999),
    scale_lr: str = "none",
    processes: int = 1,
) -> torch.optim.Optimizer:
    """Optimizer with one group per entry of `groups`, each with its `name` and its base rate in `initial_lr`.

    Args:
        groups: "encoder" learns at `lr`, every other group at `lr · head_factor`; empty groups are left out.
        name: "Adam", "AdamW" or "SGD", fused where the device has it; or "Muon" (`utils.muon`).
        momentum: of SGD and Muon.
        betas: of Adam and AdamW, and of Muon for what is no matrix.
        scale_lr: how rates grow with the number of processes, whose batches add up: "none", "linear", "sqrt".

    Raises:
        ValueError: unknown name or rule, or no parameters.
    """
    kinds = {"Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW, "SGD": torch.optim.SGD, "Muon": Muon}
    if name not in kinds:
        raise ValueError(f"unknown optimizer {name!r}; choose one of {', '.join(kinds)}")
    scaled = lr * rate_factor(scale_lr, processes)
    listed: list[dict[str, Any]] = []
    for group, parameters in groups.items():
        rate = scaled if group == ENCODER else scaled * head_factor
        if parameters := list(parameters):
            listed.append({"params": parameters, "lr": rate, "initial_lr": rate, "name": group})
    if not listed:
        raise ValueError("the optimizer was given no parameters: is everything frozen?")
    own: dict[str, Any] = {"weight_decay": weight_decay}
    if name in ("SGD", "Muon"):
        own["momentum"] = momentum
    if name != "SGD":
        own["betas"] = tuple(betas)
    if name != "Muon":
        tensors = [p for group in listed for p in group["params"]]
        own["fused"] = all(p.device.type in FUSED and p.is_floating_point() for p in tensors)
    return kinds[name](listed, lr=scaled, **own)


def rate_factor(rule: str, processes: int) -> float:
    """By how much rates grow when `processes` batches make one step.

    Raises:
        ValueError: unknown rule.
    """
    factors = {"none": 1.0, "linear": float(processes), "sqrt": math.sqrt(processes)}
    if rule not in factors:
        raise ValueError(f"unknown scale_lr {rule!r}; choose one of {', '.join(factors)}")
    return factors[rule]
