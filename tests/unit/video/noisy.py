"""Pictures under a moving camera, and networks whose maps are noisy."""

from pathlib import Path

import numpy as np

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.networks.network import NetworkMaps, sigmoid
from inspyrenet.video.flow import scaled

SIDE = 96


def scene(seed: int = 0, shift: int = 0) -> np.ndarray:
    """uint8 (96, 96): smooth noise, of which the camera sees another part after each step to the right."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 24)).astype(np.float32)
    return scaled(coarse, (SIDE, 2 * SIDE))[:, 20 + shift : 20 + shift + SIDE].astype(np.uint8)


def colored(gray: np.ndarray) -> np.ndarray:
    """uint8 RGB (h, w, 3)."""
    return np.repeat(gray[..., None], 3, 2)


def images(grays: list[np.ndarray]) -> np.ndarray:
    """As the network gets them: (B, 3, h, w) in 0..1."""
    return np.stack([np.repeat(gray[None] / 255, 3, 0).astype(np.float32) for gray in grays])


class Noisy:
    """A network whose map is the picture's own gray, with noise that is new at each picture."""

    name, weights, device, normalize, merging, batch_size = "noisy", Path("noisy"), "cpu", "none", False, 1
    preprocess = Preprocess(size=(SIDE, SIDE), mean=None, std=None)
    parts = None

    def __init__(self, spread: float = 1.0):
        self.rng, self.spread = np.random.default_rng(5), spread

    def describe(self) -> str:
        return self.name

    def logits(self, image: np.ndarray, step: int = 1) -> np.ndarray:
        own = 6 * image[:, :1, ::step, ::step] - 3
        return own + self.spread * self.rng.standard_normal(own.shape, np.float32)

    def __call__(self, image, resized=None, levels=False):
        found = self.logits(image)
        return NetworkMaps(sigmoid(found), (found,) if levels else ())


class NoisyParts(Noisy):
    """The same in parts; S0 is S3 at the picture's size."""

    threshold = None

    @property
    def parts(self):
        return self

    def encode(self, image):
        return [image], self.logits(image, 8)

    def decode(self, features, s3, outputs):
        assert outputs == ["S0"]
        return [s3.repeat(8, 2).repeat(8, 3)]
