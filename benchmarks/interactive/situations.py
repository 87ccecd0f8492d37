"""Situations that a prompt head learns in: an image's features, a map that is there, and which object is meant."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

EMPTY = -6.0  # logits of a map without any object
DIFFICULT, OFTEN = 0.85, 4.0  # pairs whose own map has a lower IoU come so many times as often
MOSAIC, CUTS = 0.3, (0.4, 0.5, 0.6)  # how often two images share a map, and where the border is
MINE, OTHER = 0.4, 0.8  # of mosaics: the first object is meant, the second; above, both are
NOTHING, DAMAGED = 0.2, 0.35  # how often no map is there yet; above, up to here, a damaged one


@dataclass
class Situation:
    """maps: colors, x2, f3, own (B, ·, h, w). meant (B, 1, h, w): what of each cell is object. current: logits there."""

    maps: dict[str, Tensor]
    meant: Tensor
    current: Tensor


def weights(data: dict[str, np.ndarray]) -> np.ndarray:
    """How likely each pair is drawn: those that the network fails on more often."""
    own, meant = np.asarray(data["own"]) > 0, _cells(data["mask"]) > 0.5
    iou = (own & meant).sum((1, 2)) / np.maximum(1, (own | meant).sum((1, 2)))
    found = np.where(iou < DIFFICULT, OFTEN, 1.0)
    return found / found.sum()


def situation(data: dict[str, np.ndarray], pairs: np.ndarray) -> Situation:
    """The pairs as they are: the network's own map is there."""
    maps = {name: torch.from_numpy(np.asarray(data[name][pairs], np.float32)) for name in ("colors", "x2", "f3", "own")}
    maps["own"] = maps["own"][:, None]
    return Situation(maps, torch.from_numpy(_cells(data["mask"][pairs]))[:, None], maps["own"].clone())


def varied(data: dict[str, np.ndarray], pairs: np.ndarray, rng: np.random.Generator) -> Situation:
    """The pairs as mosaics and mirrored, with other maps in place of the network's own."""
    made = situation(data, pairs)
    before = Situation({name: maps.clone() for name, maps in made.maps.items()}, made.meant.clone(), made.current)
    for row in np.flatnonzero(rng.random(len(pairs)) < MOSAIC):
        _mosaic(made, before, int(row), int(row) - 1, rng)
    mirrored = torch.from_numpy(rng.random(len(pairs)) < 0.5)
    for maps in (*made.maps.values(), made.meant):
        maps[mirrored] = maps[mirrored].flip(-1)
    made.current = made.maps["own"].clone()
    drawn = torch.from_numpy(rng.random(len(pairs)))
    made.current[drawn < NOTHING] = EMPTY
    damaged = (drawn >= NOTHING) & (drawn < DAMAGED)
    made.current[damaged] = _damaged(made.meant[damaged], rng)
    return made


def _mosaic(made: Situation, before: Situation, row: int, other: int, rng: np.random.Generator) -> None:
    """The right or lower part of an image becomes another one's; one of the objects is meant, or both."""
    side = -1 - int(rng.integers(2))
    length = made.meant.shape[side]
    cut = round(length * CUTS[rng.integers(len(CUTS))])
    part = [slice(None)] * 3
    part[side] = slice(cut, None)
    mine, others = before.meant[row].clone(), torch.zeros_like(before.meant[row])
    mine[tuple(part)] = 0
    others[tuple(part)] = before.meant[other][tuple(part)]
    for name, maps in made.maps.items():
        maps[row][tuple(part)] = before.maps[name][other][tuple(part)]
    drawn = rng.random()
    meant = mine if drawn < MINE else others if drawn < OTHER else mine + others
    made.meant[row] = meant if meant.max() > 0.5 else mine + others


def _damaged(meant: Tensor, rng: np.random.Generator) -> Tensor:
    """The right map, blurred, with coarse noise: logits."""
    noise = rng.normal(0, 0.15, (len(meant), 1, 5, 5)).astype(np.float32)
    blurred = F.avg_pool2d(meant, 9, 1, 4) + F.interpolate(torch.from_numpy(noise), size=meant.shape[-2:])
    return ((blurred - 0.4) * 12).clamp(EMPTY, -EMPTY)


def _cells(masks: np.ndarray) -> np.ndarray:
    """uint8 (B, 4h, 4w) → how much of each cell is object, float32 (B, h, w)."""
    number, height, width = masks.shape
    return masks.reshape(number, height // 4, 4, width // 4, 4).mean((2, 4), dtype=np.float32) / 255
