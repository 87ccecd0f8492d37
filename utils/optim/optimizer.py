"""Optimizers over two speeds: a trained encoder learns slowly, a new head faster."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .muon import Muon

FUSED = ("cpu", "cuda", "mps")  # devices on which torch updates all parameters in one kernel
ENCODER, HEAD = "encoder", "head"


def parameter_groups(
    model: nn.Module,
    encoder: Iterable[str] = ("backbone.",),
    fresh: Iterable[str] = (),
    layers: Sequence[Sequence[nn.Parameter]] = (),
) -> dict[str, list[nn.Parameter]]:
    """A model's learning parameters, those whose names begin with one of `encoder` apart from the rest.

    fresh: what has one of these in its name is not pretrained, and counts as the rest. layers: of the encoder, first to last;
    they make groups encoder.0, encoder.1 and so on, and what is in none of them learns with the last.
    Frozen parameters (`requires_grad` off) are left out.

    Raises:
        ValueError: nothing learns.
    """
    prefixes, fresh = tuple(encoder), tuple(fresh)
    numbers = {id(parameter): number for number, layer in enumerate(layers) for parameter in layer}
    names = [f"{ENCODER}.{number}" for number in range(len(layers))] or [ENCODER]
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in (*names, HEAD)}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            inside = name.startswith(prefixes) and not any(part in name for part in fresh)
            groups[names[numbers.get(id(parameter), -1)] if inside else HEAD].append(parameter)
    if not any(groups.values()):
        raise ValueError("every parameter is frozen: there is nothing to train")
    return groups


def build_optimizer(
    groups: Mapping[str, Iterable[nn.Parameter]],
    name: str,
    lr: float,
    *,
    head_factor: float = 10.0,
    layer_decay: float = 1.0,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    betas: tuple[float, float] = (0.9, 0.999),
    scale_lr: str = "none",
    processes: int = 1,
) -> torch.optim.Optimizer:
    """Optimizer with one group per entry of `groups`, each with its `name` and its base rate in `initial_lr`.

    Args:
        groups: "encoder" learns at `lr`, every other group at `lr · head_factor`; empty groups are left out. Of "encoder.0",
            "encoder.1" and so on the last learns at `lr`, each one before it at `layer_decay` times the rate of the next.
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
    deepest = max(layer_number(group) for group in groups) if groups else 0
    listed: list[dict[str, Any]] = []
    for group, parameters in groups.items():
        rate = scaled * (
            head_factor if not group.startswith(ENCODER) else layer_decay ** (deepest - layer_number(group))
        )
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


def layer_number(group: str) -> int:
    """5 of "encoder.5"; 0 of a group that is not a layer."""
    return int(group.rpartition(".")[2]) if group.startswith(f"{ENCODER}.") else 0


def rate_factor(rule: str, processes: int) -> float:
    """By how much rates grow when `processes` batches make one step.

    Raises:
        ValueError: unknown rule.
    """
    factors = {"none": 1.0, "linear": float(processes), "sqrt": math.sqrt(processes)}
    if rule not in factors:
        raise ValueError(f"unknown scale_lr {rule!r}; choose one of {', '.join(factors)}")
    return factors[rule]
