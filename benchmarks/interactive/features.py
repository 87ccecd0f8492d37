"""What a prompt head learns from: the frozen encoder's features of many pairs, kept in files."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.data.images.decoded import read_decoded
from inspyrenet.data.images.preprocess import resize
from inspyrenet.networks.digest import digest_of
from inspyrenet.networks.exported import ExportedParts

FINER = 4  # masks are kept at four times the size of S3


def kept_features(network: ExportedParts, pairs: list[Pair], folder: Path) -> dict[str, np.ndarray]:
    """Arrays of all pairs, float16: colors (N, 3, h, w), x2 and f3 (N, D, h, w), own (N, h, w), and masks uint8 (N, 4h, 4w).

    Made once for this network and these pairs, and kept in `folder`; x2 is averaged to the size of S3, as the head does first.
    """
    made, of = folder / "of.json", {"network": digest_of(network.weights), "pairs": [pair.image.name for pair in pairs]}
    if not made.is_file() or json.loads(made.read_text(encoding="utf-8")) != of:
        folder.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        for name, array in _computed(network, pairs).items():
            np.save(folder / f"{name}.npy", array)
        made.write_text(json.dumps(of), encoding="utf-8")
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("colors", "x2", "f3", "own", "mask")}


def _computed(network: ExportedParts, pairs: list[Pair]) -> dict[str, np.ndarray]:
    features, s3 = network.encode(network.preprocess(read_decoded(pairs[0].image).array)[0][None])
    depth, (height, width) = features[1].shape[1], s3.shape[2:]
    shapes = {"colors": (3,), "x2": (depth,), "f3": (depth,), "own": ()}
    arrays = {name: np.zeros((len(pairs), *front, height, width), np.float16) for name, front in shapes.items()}
    arrays["mask"] = np.zeros((len(pairs), FINER * height, FINER * width), np.uint8)

    def fill(place: int) -> None:
        pixels = read_decoded(pairs[place].image).array
        (_, x2, f3), own = network.encode(network.preprocess(pixels)[0][None])
        arrays["colors"][place] = resize(pixels, (height, width)).transpose(2, 0, 1) / np.float16(255)
        arrays["x2"][place] = x2[0].reshape(depth, height, 2, width, 2).mean((2, 4))
        arrays["f3"][place], arrays["own"][place] = f3[0], own[0, 0]
        mask = (cv2.imread(str(pairs[place].mask), cv2.IMREAD_GRAYSCALE) >= 128).astype(np.uint8) * 255
        arrays["mask"][place] = cv2.resize(mask, arrays["mask"].shape[:0:-1], interpolation=cv2.INTER_AREA)

    with ThreadPoolExecutor(2) as pool:
        list(tqdm(pool.map(fill, range(len(pairs))), total=len(pairs), desc="features"))
    return arrays
