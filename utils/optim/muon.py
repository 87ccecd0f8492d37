"""Muon: momentum whose matrices are made orthogonal before each step (K. Jordan et al., "Muon", 2024; its coefficients)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic Newton-Schulz step, Muon's own: steep at zero, ends near one
STEPS = 5
# An Adam update's usual size per weight: with it Muon runs at rates that suit AdamW (J. Liu et al., "Muon is scalable", 2025).
ADAM_RMS = 0.2


def orthogonalized(matrices: Tensor, steps: int = STEPS) -> Tensor:
    """Matrices (n, rows, columns) with their singular values brought near one (0.7 to 1.2), by Newton-Schulz; zeros stay zeros."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        gram = x @ x.mT  # (n, short, short)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for weights of two and more dimensions, AdamW for the others (BatchNorm, biases), at the same rate.

    A convolution's kernel (out, in, h, w) counts as a matrix (out, in · h · w). `torch.optim.Muon` takes matrices alone.

    Args:
        parameters: parameters or groups, as of every torch optimizer.
        lr: with an AdamW's rate an update of a matrix is as large as AdamW's.
        weight_decay: decoupled: a weight shrinks by `lr · weight_decay` in each step.
        momentum: of the matrices, in 0..1; Nesterov's.
        betas: of AdamW.
        eps: of AdamW.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ):
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas, "eps": eps}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            learning = [(p, p.grad) for p in group["params"] if p.grad is not None]
            for parameter, _ in learning:
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
            self.step_matrices([(p, gradient) for p, gradient in learning if p.ndim > 1], group)
            self.step_vectors([p for p, _ in learning if p.ndim < 2], group)
        return loss

    def step_matrices(self, learning: Iterable[tuple[nn.Parameter, Tensor]], group: dict[str, Any]) -> None:
        """Muon's update, from (parameter, gradient); matrices of one size are made orthogonal together, which makes it cheap."""
        alike: dict[torch.Size, list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
        for parameter, gradient in learning:
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(gradient, 1 - group["momentum"])
            ahead = gradient.lerp(state["momentum"], group["momentum"]).flatten(1)  # (out, in * h * w)
            alike[ahead.shape].append((parameter, ahead))
        for (rows, columns), members in alike.items():
            updates = orthogonalized(torch.stack([ahead for _, ahead in members]))
            # An orthogonal matrix has entries of about 1 / sqrt(longer side).
            size = ADAM_RMS * max(rows, columns) ** 0.5
            for (parameter, _), update in zip(members, updates, strict=True):
                parameter.add_(update.view_as(parameter), alpha=-group["lr"] * size)

    def step_vectors(self, parameters: Iterable[nn.Parameter], group: dict[str, Any]) -> None:
        """AdamW's update (the decay is done)."""
        first, second = group["betas"]
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state.update(step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
            state["step"] += 1
            mean = state["mean"].lerp_(parameter.grad, 1 - first) / (1 - first ** state["step"])
            square = state["square"].mul_(second).addcmul_(parameter.grad, parameter.grad, value=1 - second)
            root = (square / (1 - second ** state["step"])).sqrt_().add_(group["eps"])
            parameter.addcdiv_(mean, root, value=-group["lr"])
