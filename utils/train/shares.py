"""Which samples an epoch has where groups of them (the data sets) are drawn by weight."""

from collections.abc import Sequence

import torch

Share = tuple[Sequence[int], float]  # indices of a group, its weight
Drawn = int | tuple[int, int]  # an index, or, where it comes for the n-th time in an epoch, (index, n) with n from 1


def counts_of(weights: Sequence[float], total: int) -> list[int]:
    """How many of `total` samples each group gets: total · w / Σw, rounded so that the sum is `total` (largest remainder)."""
    exact = [total * weight / sum(weights) for weight in weights]
    counts = [int(count) for count in exact]
    largest = sorted(range(len(exact)), key=lambda group: (counts[group] - exact[group], group))
    for group in largest[: total - sum(counts)]:
        counts[group] += 1
    return counts


def draw_shares(shares: Sequence[Share], total: int, generator: torch.Generator) -> list[Drawn]:
    """The `total` samples of an epoch, in order of groups.

    A group comes as a whole as often as fits into its count; what is left is drawn from it without repetition.
    """
    drawn: list[Drawn] = []
    for (indices, _), count in zip(shares, counts_of([weight for _, weight in shares], total), strict=True):
        passes, rest = divmod(count, len(indices))
        drawn += [_named(index, n) for n in range(passes) for index in indices]
        chosen = torch.randperm(len(indices), generator=generator)[:rest].tolist()
        drawn += [_named(indices[place], passes) for place in sorted(chosen)]
    return drawn


def _named(index: int, repeat: int) -> Drawn:
    return (index, repeat) if repeat else index
