"""Learning rates as pure functions of the iteration, and the object that writes them into an optimizer.

One iteration is one optimizer step. Nothing here is stateful: the rate at iteration i depends on i, the planned
length and the base rate alone, so a resumed run cannot drift from a straight one.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from torch.optim import Optimizer

Curve = Callable[[float, float, float, float], float]

WARMUP_START = 0.1  # the ramp begins at this share of the base rate


class WarmupError(ValueError):
    """The warm-up does not fit into the run."""


def progress(iteration: int, total: int) -> float:
    """Share of the run that is done, held within 0..1 (past the end a power of a negative number would be complex)."""
    return min(max(iteration / total, 0.0), 1.0)


def poly(done: float, base: float, minimum: float, power: float) -> float:
    """`(base - minimum)(1 - done)^power + minimum`, the published schedule."""
    return (base - minimum) * (1.0 - done) ** power + minimum


def cosine(done: float, base: float, minimum: float, power: float) -> float:
    """Half a cosine from `base` to `minimum`; `power` plays no part."""
    return (base - minimum) * 0.5 * (1.0 + math.cos(math.pi * done)) + minimum


def constant(done: float, base: float, minimum: float, power: float) -> float:
    """`base` throughout; `minimum` and `power` play no part."""
    return base


def warmup(iteration: int, length: int, base: float) -> float:
    """Linear ramp from a tenth of `base` to `base` over `length` iterations; infinity once it is over."""
    if iteration >= length:
        return math.inf
    share = iteration / length
    return base * (WARMUP_START * (1.0 - share) + share)


CURVES: dict[str, Curve] = {"PolyLr": poly, "Cosine": cosine, "Constant": constant}


@dataclass(frozen=True)
class Schedule:
    """A learning-rate plan over `total` iterations.

    During the first `warmup_iteration` iterations the rate is the smaller of the curve and the ramp.

    Args:
        name: a key of `CURVES`.
        total: iterations (optimizer steps) of the whole run.
        warmup_iteration: length of the ramp; it must be shorter than the run (see `plan_lr`).
        minimum: the rate at the end; where it lies above a group's base rate, that group stays at its base rate.
        power: of PolyLr.

    Raises:
        ValueError: unknown name, or a number out of range.
        WarmupError: the ramp is as long as the run or longer.
    """

    name: str
    total: int
    warmup_iteration: int = 0
    minimum: float = 1e-7
    power: float = 0.9

    def __post_init__(self) -> None:
        if self.name not in CURVES:
            raise ValueError(f"unknown schedule {self.name!r}; choose one of {', '.join(CURVES)}")
        if self.total < 1 or self.warmup_iteration < 0 or self.minimum < 0 or self.power <= 0:
            raise ValueError(
                f"a schedule needs total ≥ 1, warmup_iteration ≥ 0, minimum ≥ 0 and power > 0, not {asdict(self)}"
            )
        if self.warmup_iteration and self.warmup_iteration >= self.total:
            raise WarmupError(
                f"warmup_iteration is {self.warmup_iteration} but the whole run has only {self.total} iterations: "
                f"set warmup_iteration to {fitting_warmup(self.total)} or train longer "
                "(fit_warmup: true, the default, scales it by itself)"
            )

    def rate(self, iteration: int, base: float) -> float:
        """Rate at `iteration` (counted from 0) for a group whose base rate is `base`."""
        minimum = min(self.minimum, base)
        value = CURVES[self.name](progress(iteration, self.total), base, minimum, self.power)
        return min(value, warmup(iteration, self.warmup_iteration, base))

    def apply(self, optimizer: Optimizer, iteration: int) -> list[float]:
        """Write the rates of `iteration` into the optimizer's groups and return them, in the groups' order.

        The base rate of a group is its `initial_lr`, which is set from `lr` on the first call.
        """
        rates = []
        for group in optimizer.param_groups:
            group["lr"] = self.rate(iteration, float(group.setdefault("initial_lr", group["lr"])))
            rates.append(group["lr"])
        return rates

    def state_dict(self) -> dict[str, str | int | float]:
        """The plan as plain values, to be kept in a checkpoint and compared on resume."""
        return asdict(self)

    def extended(self, total: int) -> "Schedule":
        """The same plan over another number of iterations."""
        return replace(self, total=total)


def fitting_warmup(total: int) -> int:
    """A warm-up that suits a short run: the published share of the run, 12,000 of 105,000 iterations, or about 11 %."""
    return max(total * 12_000 // 105_000, 0)


def plan_lr(
    name: str,
    total: int,
    warmup_iteration: int = 0,
    *,
    minimum: float = 1e-7,
    power: float = 0.9,
    fit_warmup: bool = False,
) -> tuple[Schedule, str | None]:
    """Build a schedule; with `fit_warmup`, shorten a warm-up that does not fit instead of refusing it.

    Returns:
        The schedule, and a sentence for the log if the warm-up was shortened (else None).

    Raises:
        WarmupError: the warm-up does not fit and `fit_warmup` is off; the message proposes a value.
    """
    note = None
    if fit_warmup and warmup_iteration and warmup_iteration >= total:
        fitted = fitting_warmup(total)
        note = (
            f"warm-up shortened from {warmup_iteration} to {fitted} iterations, because the whole run has {total} "
            "(Train.Scheduler.warmup_iteration sets it)"
        )
        warmup_iteration = fitted
    return Schedule(name, total, warmup_iteration, minimum, power), note
