"""What every network that is ready for images promises, and what it gives."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ..data.images.preprocess import Preprocess, Stretch

ON_GPU = 8  # images of a batch
SALIENCY, LAPLACIAN = ("S3", "S2", "S1", "S0"), ("U2", "U1", "U0")  # levels of the pyramid, coarse to fine
NEARLY = 1e-6  # how near to 0 and 1 a probability counts
DYNAMIC = 1280  # bound of the shorter side where neither config nor file says one
NO_MEMORY = re.compile("allocate memory|not enough memory|out of memory|bad.alloc|alloc_failed", re.IGNORECASE)


class RemoverError(RuntimeError):
    """An option that cannot be had here; the message says why."""


class NotEnoughMemory(RemoverError):
    """The memory does not hold what a batch of images takes. Fewer at once, or smaller ones, may fit."""


def lacks_memory(error: Exception) -> bool:
    """Whether a runtime failed for lack of memory: torch, onnxruntime and OpenVINO have words for it, but no class in common."""
    return NO_MEMORY.search(str(error)) is not None


class NetworkMaps(NamedTuple):
    """What a network says of a batch of images of one size, float32.

    probability: (B, 1, h, w), 0..1. saliency and laplacian: the levels in logits, coarse to fine, S3, …, S0 and U2, …, U0, where
    they were asked for and the network has them; both have level j at 1 / 2^j of the size that the network saw. stretched: the
    probability is final, however the network's own maps are normalized.
    """

    probability: np.ndarray
    saliency: tuple[np.ndarray, ...] = ()
    laplacian: tuple[np.ndarray, ...] = ()
    stretched: bool = False

    def of(self, row: int) -> "NetworkMaps":
        """The maps of one image, as a batch of one."""
        one = slice(row, row + 1)
        saliency, laplacian = (tuple(level[one] for level in levels) for levels in (self.saliency, self.laplacian))
        return NetworkMaps(self.probability[one], saliency, laplacian, self.stretched)


class Parts(Protocol):
    """An InSPyReNet in parts: the coarse map S3 that lies between them can be changed.

    threshold: images whose sides are both above it are blended from two sizes; None: none are.
    """

    threshold: int | None

    def encode(self, image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Images (B, 3, H, W) → features x1, x2, f3 and the coarse map S3 (B, 1, H/8, W/8) in logits."""
        ...

    def decode(self, features: Sequence[np.ndarray], s3: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray]:
        """Features and a coarse map, which may be another one → the named levels among S2, S1, S0, U2, U1, U0 in logits."""
        ...

    def blend(
        self, low: np.ndarray, s3: np.ndarray, details: Sequence[np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        """S0 of the base-size copy; S3 and U2, U1, U0 of the image → the named levels of the blended pyramid, S3, …, U0."""
        ...


class Network(Protocol):
    """A network with what `Remover` has to know about it. Any number of threads may call it.

    name: of the model. weights: its file, or folder. device: "cpu", "cuda:0" and the like. preprocess: makes its inputs.
    normalize: as of `to_map`. merging: large images are predicted in patches, one at a time. batch_size: how many images of a long
    row it had best get at once. parts: what a coarse map can be changed between; None: it has none.
    """

    name: str
    weights: Path
    device: str
    preprocess: Preprocess
    normalize: Stretch
    merging: bool
    batch_size: int

    @property
    def parts(self) -> Parts | None: ...

    def describe(self) -> str:
        """Network, device and engine in a few words."""
        ...

    def __call__(self, image: np.ndarray, resized: np.ndarray | None = None, levels: bool = False) -> NetworkMaps:
        """Images (B, 3, H, W) as `preprocess` makes them, and their base-size copies where it makes those."""
        ...


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities; without the overflow that exp(−x) has."""
    return 0.5 * np.tanh(0.5 * logits) + 0.5


def logits_of(probability: np.ndarray) -> np.ndarray:
    """The inverse of `sigmoid`; finite, also for 0 and 1."""
    inside = probability.clip(NEARLY, 1 - NEARLY)
    return np.log(inside / (1 - inside))


def predict(network: Network, images: Sequence[np.ndarray], levels: bool = False) -> list[NetworkMaps]:
    """Maps for each image uint8 RGB (H, W, 3); images that are of one size to the network go through it together."""
    arrays = [network.preprocess(image) for image in images]
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, (array, _) in enumerate(arrays):
        groups.setdefault(array.shape, []).append(place)
    maps: dict[int, NetworkMaps] = {}
    for places in groups.values():
        copies = [copy for place in places if (copy := arrays[place][1]) is not None]
        batch = network(np.stack([arrays[place][0] for place in places]), np.stack(copies) if copies else None, levels)
        maps.update((place, batch.of(row)) for row, place in enumerate(places))
    return [maps[place] for place in range(len(images))]
