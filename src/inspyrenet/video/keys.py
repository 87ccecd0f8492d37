"""Key frames: the network sees some pictures, and between them its map is carried along, at a fraction of the time.

A picture goes through the network where there is none before it, after a cut, after EVERY − 1 others, and as soon as what may have
changed unseen adds up to MOST of the object. In all others, each pixel takes the map of the picture before at the place that
optical flow finds, and as far as flow is not trusted there, what the colors nearby say (`colors.py`), as far as those can be
believed. A key frame's own map is joined with what was carried to it.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..data.images.preprocess import Preprocess
from ..interactive.coarse import said_by
from ..networks.network import Network, NetworkMaps, RemoverError, logits_of, sigmoid
from .colors import Colors, colors_of, guess
from .errors import load_cv2
from .flow import moved, scaled
from .steady import LONGEST, Motion, SteadyNetwork

EVERY, MOST = 12, 0.3  # chosen on painted clips, docs/video.md
KEEP = 0.5  # of what was carried to a key frame, where trust is 1
BY_COLOR = 0.2  # share that colors have in a pixel whose flow is trusted
NEAR, PRESENT = 31, 0.05  # of the object: in a square of so many pixels, more than this share is object
SMALLEST = 0.01  # of the picture: a smaller object counts as one of this size


class Before(NamedTuple):
    """The picture before: its colors, and its map in logits, float32 (h, w)."""

    colors: Colors
    found: np.ndarray


def can_carry(preprocess: Preprocess) -> bool:
    """Whether maps are as small as the pictures that flow is found on. Larger ones would lose fine edges."""
    size = preprocess.size
    return preprocess.base_size is None and preprocess.sizing == "static" and max(np.atleast_1d(size)) <= LONGEST


class KeyedNetwork(SteadyNetwork):
    """A network that sees only key frames of one video; see `SteadyNetwork`.

    mask: float32 (H, W) in 0..1 of any size, what is object in the first picture; then that is followed until the first cut, and
    not what the network would choose. keys: how many pictures went through the network.
    Raises VideoExtraMissing without OpenCV, RemoverError where `mask` is given for a network whose coarse map cannot be changed.
    """

    def __init__(self, network: Network, mask: np.ndarray | None = None):
        super().__init__(network, keep_coarse=KEEP)
        if mask is not None:
            _check_follows(network)
        self.keys = 0
        self._said = mask  # what the object is, where it is not for the network to choose
        self._before: Before | None = None
        self._since, self._doubt = 0, 0.0

    def __call__(self, image: np.ndarray, resized: np.ndarray | None = None, levels: bool = False) -> NetworkMaps:
        """See `Network`; the images follow one another."""
        if levels:
            return self._network(image, resized, levels)
        with ThreadPoolExecutor(1, "motion") as ahead:  # beside what needs the map of the picture before
            seen = ahead.map(self._look, image)
            found = [self._next(one, *look)[None] for one, look in zip(image, seen, strict=True)]
        return NetworkMaps(sigmoid(np.stack(found)))

    def _look(self, image: np.ndarray) -> tuple[Colors, Motion | None]:
        """Of one image (3, H, W), after the one before it."""
        small = self._small(image)
        return colors_of(small), self._motion(small)

    def _next(self, image: np.ndarray, colors: Colors, motion: Motion | None) -> np.ndarray:
        """One image (3, H, W) → logits (h, w)."""
        carried = None
        if motion is not None and self._before is not None:
            carried, doubt = _carried(self._before, motion, colors)
            self._doubt += doubt
        self._since += 1
        if motion is None or carried is None or self._since >= EVERY or self._doubt > MOST:
            found = scaled(self._own(image[None], motion, carried), colors.cell.shape)
            if motion is not None and carried is not None:
                found = found + KEEP * motion.trust * (carried - found)
            self.keys, self._since, self._doubt = self.keys + 1, 0, 0.0
        else:
            found = carried
            self._coarse.along(motion)
        self._before = Before(colors, found)
        return found

    def _own(self, image: np.ndarray, motion: Motion | None, carried: np.ndarray | None) -> np.ndarray:
        """What the network says of a key frame (1, 3, H, W), in logits (h, w).

        An InSPyReNet's coarse map is joined with that of the key frame before, or stands for the object that is followed.
        """
        parts = self.parts
        if parts is None:
            return logits_of(self._network(image).probability)[0, 0]
        features, s3 = parts.encode(image)
        if self._said is not None and self.keys:
            self._said = None if carried is None else sigmoid(carried)
        grid = (s3.shape[2], s3.shape[3])
        coarse = self._coarse(s3[0, 0], motion) if self._said is None else said_by(self._said, grid)
        return parts.decode(features, coarse[None, None], ["S0"])[0][0, 0]


def _check_follows(network: Network) -> None:
    """Raises RemoverError for a network with which no mask can be followed."""
    parts = network.parts
    if parts is None or parts.threshold is not None or not can_carry(network.preprocess):
        raise RemoverError(
            f"{network.name} follows no mask through a video: it needs an InSPyReNet that sees pictures of one size, "
            f"{LONGEST} pixels at most, such as the bundled model"
        )


def _carried(before: Before, motion: Motion, colors: Colors) -> tuple[np.ndarray, float]:
    """The map in logits (h, w), carried to the next picture; and how much may have changed unseen, in shares of the object."""
    cv2 = load_cv2()
    told = guess(before.colors, sigmoid(before.found), colors)
    believed = told.known() * moved(told.believed, motion.place)
    along = moved(before.found, motion.place)
    by_color = cv2.GaussianBlur(logits_of(told.after(sigmoid(along))), (0, 0), 0.7)
    found = along + believed * (1 - (1 - BY_COLOR) * motion.trust) * (by_color - along)
    probability = sigmoid(found)
    near = cv2.blur(probability, (NEAR, NEAR)) > PRESENT
    unsure = float(((1 - motion.trust) * (1 - believed))[near].sum())
    return found, unsure / max(float(probability.sum()), SMALLEST * probability.size)
