"""Maps that hold still: what the network says of a picture is joined with what it said of the picture before, moved along.

Wherever a pixel was seen in the picture before, logit = own + keep · trust · (before − own), where `before` is the joined map of
the picture before at the place that optical flow finds, and trust is exp(−(difference / TAU)²) of the two places' colors, in the
channel that differs most, once a change of the light of the whole picture is taken out. Trust is 0 where something came into
view, and everywhere after a cut. An InSPyReNet is joined twice: its coarse map S3, from which the finer stages of each picture
run on, and the map that they give. Networks without parts, and those that blend two sizes, are joined in the map alone.
"""

from copy import copy
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from ..data.images.preprocess import Preprocess, Stretch
from ..networks.network import Network, NetworkMaps, Parts, logits_of, sigmoid
from .errors import load_cv2
from .flow import OpticalFlow, moved, scaled

KEEP_COARSE, KEEP = 0.8, 0.85  # of S3 and of the map: chosen on painted clips, docs/video.md
TAU = 20.0  # levels of 255, means of about 5×5 pixels
CUT = 0.5  # less of the picture than this was seen before: a cut
LONGEST, SHORTEST = 384, 64  # pixels of the sides that flow is found at


class Motion(NamedTuple):
    """From a picture back to the one before, on a small grid. place: float32 (h, w, 2), (x, y). trust: float32 (h, w), 0..1."""

    place: np.ndarray
    trust: np.ndarray


class MotionFinder:
    """Of pictures uint8 RGB (h, w, 3), one after the other."""

    def __init__(self) -> None:
        self._flow = OpticalFlow()
        self._before: np.ndarray | None = None

    def __call__(self, image: np.ndarray) -> Motion | None:
        """None for the first picture, after a cut, and where pictures become larger or smaller."""
        before, self._before = self._before, image
        if before is None or before.shape != image.shape:
            return None
        place, seen = self._flow.back(_gray(image), _gray(before))
        if seen.mean() < CUT:
            return None
        now, then = image.astype(np.float32), moved(before, place).astype(np.float32)
        apart = load_cv2().GaussianBlur(np.abs(now - _light(now, then, seen) * then), (0, 0), 1.5)
        red, green, blue = np.moveaxis(apart, -1, 0)
        return Motion(place, seen * np.exp(-((np.maximum(np.maximum(red, green), blue) / TAU) ** 2)))


def _light(now: np.ndarray, then: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How much brighter each channel has become, float32 (3,): the median of some of the pixels that were seen before."""
    some = np.flatnonzero(seen)[::16]  # in less time
    now, then = (image.reshape(-1, 3)[some] for image in (now, then))
    return np.median((now + 1) / (then + 1), 0)


def _gray(image: np.ndarray) -> np.ndarray:
    cv2 = load_cv2()
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


class Carried:
    """A map in logits (H, W), carried from picture to picture. keep: the share of what was, where trust is 1."""

    def __init__(self, keep: float):
        self._keep = keep
        self._before: np.ndarray | None = None

    def __call__(self, own: np.ndarray, motion: Motion | None) -> np.ndarray:
        """The joined map, float32."""
        before = self._before
        if before is not None and motion is not None and before.shape == own.shape:
            place, trust = _on_grid(motion, own.shape)
            own = own + self._keep * trust * (moved(before, place) - own)
        self._before = own
        return own

    def along(self, motion: Motion) -> None:
        """To a picture that has no map of its own."""
        if self._before is not None:
            self._before = moved(self._before, _on_grid(motion, self._before.shape).place)


def _on_grid(motion: Motion, shape: tuple[int, ...]) -> Motion:
    """A motion for a map (H, W) of another size."""
    grid = motion.trust.shape
    if grid == shape:
        return motion
    scale = np.array((shape[1] / grid[1], shape[0] / grid[0]), np.float32)
    return Motion((scaled(motion.place, shape) + 0.5) * scale - 0.5, scaled(motion.trust, shape))


class SteadyNetwork:
    """A network that remembers the last picture of one video; see `Network`. For one thread. Levels are those of each picture.

    Raises VideoExtraMissing without OpenCV.
    """

    def __init__(self, network: Network, keep_coarse: float = KEEP_COARSE, keep: float = KEEP):
        self._network = network
        self.name: str = network.name
        self.weights: Path = network.weights
        self.device: str = network.device
        self.preprocess: Preprocess = network.preprocess
        self.normalize: Stretch = network.normalize
        self.merging: bool = network.merging
        self.batch_size: int = network.batch_size
        self._motion, self._coarse, self._map = MotionFinder(), Carried(keep_coarse), Carried(keep)

    def __copy__(self) -> Self:
        """The same network, which remembers the same; what one of them sees from now on, the other does not."""
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _motion=copy(self._motion), _coarse=copy(self._coarse), _map=copy(self._map))
        return twin

    @property
    def parts(self) -> Parts | None:
        """See `Network`."""
        return self._network.parts

    def describe(self) -> str:
        """See `Network`."""
        return self._network.describe()

    def __call__(self, image: np.ndarray, resized: np.ndarray | None = None, levels: bool = False) -> NetworkMaps:
        """See `Network`; the images follow one another."""
        if levels:
            return self._network(image, resized, levels)
        parts = self.parts
        if parts is None or parts.threshold is not None:
            own, motions = logits_of(self._network(image, resized).probability), self._motions(image)
        else:
            features, s3 = parts.encode(image)
            motions = self._motions(image)
            own = parts.decode(features, _joined(s3, motions, self._coarse), ["S0"])[0]
        return NetworkMaps(sigmoid(_joined(own, motions, self._map)))

    def _motions(self, images: np.ndarray) -> list[Motion | None]:
        return [self._motion(self._small(image)) for image in images]

    def _small(self, image: np.ndarray) -> np.ndarray:
        """What the network sees (3, H, W) → uint8 RGB (h, w, 3), small enough for flow to be found in little time."""
        mean, std = self.preprocess.mean, self.preprocess.std
        planes = image.transpose(1, 2, 0)
        if mean is not None and std is not None:
            planes = planes * np.array(std, np.float32) + np.array(mean, np.float32)
        pixels = (255 * planes).round().clip(0, 255).astype(np.uint8)
        scale = min(1.0, LONGEST / max(pixels.shape[:2]))
        return scaled(pixels, tuple(max(SHORTEST, round(side * scale)) for side in pixels.shape[:2]))


def _joined(layers: np.ndarray, motions: list[Motion | None], carried: Carried) -> np.ndarray:
    """(B, 1, h, w), the pictures in their order."""
    return np.stack([carried(layer[0], motion)[None] for layer, motion in zip(layers, motions, strict=True)])
