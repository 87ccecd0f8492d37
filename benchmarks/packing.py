"""Reduces and encodes the pairs of data sets, and writes them as zip parts of about equal size. `pack.py` is the command.

The quality of the images is the highest one with which everything fits. It is found on a sample and then verified on the
whole; the same pairs give the same bytes.
"""

import io
import secrets
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from inspyrenet.data.augment.sample import Sample, is_binary
from inspyrenet.data.datasets.packed import part_name
from inspyrenet.data.datasets.pairs import Pair, pick_evenly
from inspyrenet.data.images.preprocess import resize
from inspyrenet.data.images.read import read_image
from inspyrenet.utils.system.cores import usable_cores

FORMATS = {
    "webp": {"method": 6},
    # Tuned for PSNR: the mean is that of libaom's default, the worst image 2 dB better. Speed 5 takes four times as long.
    "avif": {"speed": 6, "codec": "aom", "max_threads": 1, "advanced": {"tune": "psnr"}},
}
QUALITIES = (1, 100)
SAMPLE = 256  # images on which the quality is sought
ENTRY_BYTES, END_BYTES = 30 + 46, 22  # of a zip: the two headers of a file without their name, and the end

T, R = TypeVar("T"), TypeVar("R")


class PackingError(ValueError):
    """Something that cannot be packed as it was asked for; the message says what would do."""


@dataclass
class Packing:
    """The encoded pairs: masks, and images at one quality, in the order of `pairs`."""

    pairs: Sequence[Pair]
    count: int  # parts per set
    quality: int  # 1..100, as Pillow means it
    images: list[bytes]
    masks: list[bytes]
    kind: str

    def entries(self, dataset: str) -> list[tuple[tuple[str, bytes], tuple[str, bytes]]]:
        """((name, bytes) of the image, and of the mask) of every pair of a set."""
        every = zip(self.pairs, self.images, self.masks, strict=True)
        return [
            tuple(zip(entry_names(pair, self.kind), data, strict=True))
            for pair, *data in every
            if pair.dataset == dataset
        ]


@dataclass
class Packer:
    """Encodes `pairs` for `count` parts per set; long sides are reduced to `size`. Masks are encoded once."""

    pairs: Sequence[Pair]
    size: int
    kind: str
    count: int
    limit: int  # bytes, of all parts
    known: dict[int, float] = field(default_factory=dict)  # quality → bytes of all images by the sample

    def pack(self, quality: int | None = None) -> Packing:
        """Everything encoded, at `quality` or at the highest one that fits. Raises PackingError where it does not fit."""
        self._refuse_small_sets()
        if quality is not None:
            packing = self.encode(quality)
            self._refuse_excess(packing)
            return packing
        return self._highest()

    def encode(self, quality: int) -> Packing:
        """Everything encoded at this quality."""
        images = in_threads(
            lambda pair: encode_image(reduced_image(pair, self.size), self.kind, quality),
            self.pairs,
            f"images, quality {quality}",
        )
        return Packing(self.pairs, self.count, quality, images, self.masks, self.kind)

    @cached_property
    def masks(self) -> list[bytes]:
        """Encoded masks of all pairs."""
        return in_threads(lambda pair: encode_mask(reduced_mask(pair, self.size)), self.pairs, "masks")

    @cached_property
    def sample(self) -> list[np.ndarray]:
        """Reduced images, evenly spread."""
        chosen = pick_evenly(self.pairs, SAMPLE)
        return in_threads(lambda pair: reduced_image(pair, self.size), chosen, "sample")

    @cached_property
    def fixed(self) -> int:
        """Bytes of all parts but for the images' data."""
        entries = sum(entry_bytes(name) for pair in self.pairs for name in entry_names(pair, self.kind))
        parts = self.count * len({pair.dataset for pair in self.pairs})
        return sum(map(len, self.masks)) + entries + END_BYTES * parts

    def total(self, packing: Packing) -> int:
        """Bytes of all parts."""
        return self.fixed + sum(map(len, packing.images))

    def _highest(self) -> Packing:
        """The packing of the highest quality that fits; the whole corrects what the sample says."""
        correction, ceiling, best = 1.0, QUALITIES[1], None
        while True:
            quality = max(min(self._fitting(correction), ceiling), QUALITIES[0])
            if best is not None and quality <= best.quality:
                return best
            packing = self.encode(quality)
            correction = sum(map(len, packing.images)) / self._estimate(quality)
            if self.total(packing) <= self.limit:
                best = packing
            elif quality == QUALITIES[0]:
                self._refuse_excess(packing, "even the lowest ")
            else:
                ceiling = quality - 1

    def _fitting(self, correction: float) -> int:
        """The highest quality that fits by the sample, by bisection; one below the lowest where none does."""
        low, high = QUALITIES[0] - 1, QUALITIES[1]
        while low < high:
            middle = (low + high + 1) // 2
            if self.fixed + correction * self._estimate(middle) <= self.limit:
                low = middle
            else:
                high = middle - 1
        return low

    def _estimate(self, quality: int) -> float:
        """Bytes of all images by the sample."""
        if quality not in self.known:
            sizes = in_threads(lambda image: len(encode_image(image, self.kind, quality)), self.sample)
            self.known[quality] = sum(sizes) / len(sizes) * len(self.pairs)
        return self.known[quality]

    def _refuse_excess(self, packing: Packing, when: str = "") -> None:
        excess = self.total(packing) - self.limit
        if excess > 0:
            raise PackingError(
                f"{when}quality {packing.quality} makes {self.total(packing) / 1e6:.3f} MB, {excess / 1e6:.3f} MB over "
                f"--limit-mb {self.limit / 1e6:g}: allow more, or reduce --size or --quality"
            )

    def _refuse_small_sets(self) -> None:
        for dataset in dict.fromkeys(pair.dataset for pair in self.pairs):
            pairs = sum(pair.dataset == dataset for pair in self.pairs)
            if pairs < self.count:
                raise PackingError(f"{dataset} has {pairs} pairs: --parts {self.count} are too many")


def entry_names(pair: Pair, kind: str) -> tuple[str, str]:
    """What the image and the mask of a pair are called in a part."""
    return f"images/{pair.name}.{kind}", f"masks/{pair.name}.png"


def entry_bytes(name: str) -> int:
    """Bytes of a zip that an uncompressed file takes beside its data: the name is there twice."""
    return ENTRY_BYTES + 2 * len(name.encode())


# -- one pair -----------------------------------------------------------------------------------------------------


def reduced_image(pair: Pair, size: int) -> np.ndarray:
    """uint8 (H, W, 3), long side at most `size`, antialiased."""
    image = read_image(pair.image)
    return resize(image, reduced_size(image.shape[:2], size))


def reduced_mask(pair: Pair, size: int) -> np.ndarray:
    """uint8 (H, W), long side at most `size`; of 0 and 255 alone where the mask was."""
    mask = pair.read_mask()
    return resize(mask, reduced_size(mask.shape, size), smooth=not is_binary(mask))


def reduced(pair: Pair, size: int) -> Sample:
    """Image and mask at the size at which they are packed, before they are encoded."""
    return Sample(reduced_image(pair, size), reduced_mask(pair, size))


def reduced_size(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """(height, width) with the long side at most `size`; never enlarged."""
    scale = min(1.0, size / max(shape))
    return tuple(max(1, round(side * scale)) for side in shape)


def encode_image(image: np.ndarray, kind: str, quality: int) -> bytes:
    """The bytes of a lossy file without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind.upper(), quality=quality, **FORMATS[kind])
    return buffer.getvalue()


def encode_mask(mask: np.ndarray) -> bytes:
    """The bytes of a PNG with 1 bit per pixel where 0 and 255 are all there is, else with 8.

    By OpenCV: it leaves single bits unfiltered, which takes a fifth less than Pillow's files.
    """
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_BILEVEL, int(is_binary(mask))]
    return cv2.imencode(".png", mask, flags)[1].tobytes()


def in_threads(work: Callable[[T], R], items: Sequence[T], label: str | None = None) -> list[R]:
    """`work` of every item, in order, on all cores: decoding and encoding let other threads run."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        return list(tqdm(pool.map(work, items), total=len(items), desc=label, disable=None if label else True))


# -- files --------------------------------------------------------------------------------------------------------


def write_parts(packing: Packing, out: Path) -> list[Path]:
    """Write <out>/<set>/<set>-1of4.zip and so on; all get their names when the last one is whole."""
    named: list[tuple[Path, Path]] = []
    try:
        for dataset in dict.fromkeys(pair.dataset for pair in packing.pairs):
            folder = out / dataset
            folder.mkdir(parents=True, exist_ok=True)
            for index, entries in enumerate(split_evenly(packing.entries(dataset), packing.count), 1):
                temporary = folder / f".{secrets.token_hex(8)}.part"
                named.append((temporary, folder / part_name(dataset, index, packing.count)))
                _write_zip(temporary, (file for pair in entries for file in pair))
        for temporary, path in named:
            temporary.rename(path)
    finally:
        for temporary, _ in named:
            temporary.unlink(missing_ok=True)
    return [path for _, path in named]


def split_evenly(entries: Sequence, count: int) -> list[list]:
    """Consecutive runs of pairs with about the same bytes; none is empty."""
    ends = np.cumsum([sum(entry_bytes(name) + len(data) for name, data in pair) for pair in entries])
    cuts = [0]
    for index in range(1, count):
        nearest = int(np.abs(ends - ends[-1] * index / count).argmin()) + 1
        cuts.append(min(max(nearest, cuts[-1] + 1), len(entries) - count + index))
    return [list(entries[start:end]) for start, end in zip(cuts, [*cuts[1:], len(entries)], strict=True)]


def _write_zip(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Uncompressed, with one date for all, so that the bytes depend on names and contents alone."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
            archive.writestr(entry, data)
