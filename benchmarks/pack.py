"""Packs data sets into a few small zip files that a rented machine can be sent, and says what that costs and all that travels.

    python benchmarks/pack.py data/Train_Dataset/DUTS-TR packed --size 288 --limit-mb 40 --parts 4 \\
        --weights data/backbone_ckpt/encoder.safetensors --wheels wheels --travel-limit-mb 250

DATA is a set, or a folder of sets. Every set becomes OUT/<set>/<set>-1of4.zip and so on, which the project reads like the
folder it was (docs/training.md). Images are lossy, at the highest quality that fits; masks are lossless. The costs: how far the
images are from the unpacked ones of the same size, and the max F of a trained network on pairs of both.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from held_out import scores
from packing import FORMATS, QUALITIES, Packer, PackingError, in_threads, reduced, write_parts

from inspyrenet.commands.errors import reported
from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.files import is_set
from inspyrenet.data.datasets.packed import find_parts
from inspyrenet.data.datasets.pairs import Pair, find_pairs, pick_evenly
from inspyrenet.data.datasets.torch_datasets import read_pair
from inspyrenet.data.hub.archives import unpack_parts
from inspyrenet.engine.presets import BUNDLED_CONFIG, BUNDLED_WEIGHTS
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.system.device import resolve_device
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.train.checkpoint import CheckpointFolder, read_weights

SCORED = 200  # pairs
BEST_PSNR = 99.0  # dB, of images that did not change at all
MB = 1e6


def sets_of(data: Path) -> tuple[Path, list[str]]:
    """(root, names of the sets): DATA itself where it holds images or parts, else its folders that do.

    Raises PackingError where there is none.
    """
    data = Path(data).absolute()
    if is_set(data):
        return data.parent, [data.name]
    names = sorted(folder.name for folder in data.iterdir() if is_set(folder)) if data.is_dir() else []
    if not names:
        raise PackingError(f"{data}: neither a set with folders images and masks nor a folder of such sets")
    return data, names


def refuse_occupied(out: Path, names: Sequence[str]) -> None:
    """Raises PackingError where a set's folder in OUT has something in it already."""
    for name in names:
        folder = out / name
        if folder.is_dir() and any(folder.iterdir()):
            raise PackingError(f"{folder} is not empty: remove it, or choose another folder for the parts")


# -- what packing costs -------------------------------------------------------------------------------------------


def unpack(out: Path, names: Sequence[str], folder: Path) -> list[Pair]:
    """The pairs that a reader of the written parts gets, unpacked into `folder`."""
    for name in names:
        unpack_parts(find_parts(out / name), folder / name)
    return find_pairs(folder, names)


def changes(before: Sequence[Pair], after: Sequence[Pair], size: int) -> tuple[np.ndarray, float]:
    """(PSNR of every image in dB, share of mask pixels that changed in 0..1), against the pairs reduced to `size`."""

    def compare(both: tuple[Pair, Pair]) -> tuple[float, int, int]:
        old, new = reduced(both[0], size), read_pair(both[1])
        return psnr(old.image, new.image), int(np.count_nonzero(old.mask != new.mask)), old.mask.size

    found = in_threads(compare, list(zip(before, after, strict=True)), "comparing")
    decibels, changed, pixels = (np.array(column) for column in zip(*found, strict=True))
    return decibels, float(changed.sum() / pixels.sum())


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 images in dB; BEST_PSNR where they are equal."""
    error = np.mean(np.square(first.astype(np.float32) - second))
    return BEST_PSNR if error == 0 else float(min(BEST_PSNR, 10 * np.log10(255**2 / error)))


def max_f(options: argparse.Namespace, groups: Sequence[Sequence[Pair]]) -> list[float]:
    """Max F of the trained network on each group, every pair at its own size."""
    config = load_config([options.config])[0]
    weights = options.ckpt if options.ckpt.is_file() else CheckpointFolder(options.ckpt).weights_file()
    state, device = read_weights(weights), resolve_device(options.device)
    return [scores(config, state, list(pairs), device)["maxFm"] for pairs in groups]


def print_costs(options: argparse.Namespace, pairs: Sequence[Pair], names: Sequence[str]) -> None:
    """Print what the packed pairs lost, as a reader of the written files sees them."""
    with tempfile.TemporaryDirectory() as folder:
        packed = unpack(options.out, names, Path(folder))
        by_name = {(pair.dataset, pair.name): pair for pair in packed}
        packed = [by_name[pair.dataset, pair.name] for pair in pairs]
        decibels, share = changes(pairs, packed, options.size)
        worst = pairs[int(decibels.argmin())]
        print(f"PSNR of the images    mean {decibels.mean():.2f} dB, worst {decibels.min():.2f} dB ({worst.name})")
        print(f"mask pixels changed   {100 * share:.4f} %", flush=True)
        if not options.no_score:
            before, after = max_f(options, [pick_evenly(group, SCORED) for group in (pairs, packed)])
            count = min(SCORED, len(pairs))
            print(f"max F on {count} pairs     original {before:.4f}, packed {after:.4f}, {after - before:+.4f}")


# -- what travels -------------------------------------------------------------------------------------------------


def clone_bytes(root: Path) -> int:
    """Bytes of the files that git tracks. Raises PackingError outside of a clone."""
    done = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackingError(f"{root}: git cannot list the files of the clone ({done.stderr.strip()})")
    files = [root / name for name in done.stdout.split("\0") if name]
    return sum(path.lstat().st_size for path in files if path.exists() or path.is_symlink())


def wheels_bytes(folder: Path | None) -> int:
    """Bytes of all files of a folder; 0 without one. Raises PackingError where there is none."""
    if folder is None:
        return 0
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    if not sizes:
        raise PackingError(f"--wheels {folder}: no files there")
    return sum(sizes)


def travel_sizes(options: argparse.Namespace) -> dict[str, int]:
    """What travels beside the data → bytes. Raises PackingError where something is absent."""
    for path in options.weights:
        if not path.is_file():
            raise PackingError(f"--weights {path}: no such file")
    return {
        "clone": clone_bytes(Path(__file__).resolve().parents[1]),
        "start weights": sum(path.stat().st_size for path in options.weights),
        "wheels": wheels_bytes(options.wheels),
    }


def print_sizes(sizes: dict[str, int]) -> None:
    """Print all that travels and its sum."""
    for name, size in [*sizes.items(), ("all that travels", sum(sizes.values()))]:
        print(f"{name:20} {size / MB:9.2f} MB")


def check_travel_limit(sizes: dict[str, int], limit_mb: float | None) -> None:
    """Raises PackingError where all that travels is over the limit."""
    total = sum(sizes.values()) / MB
    if limit_mb is not None and total > limit_mb:
        largest = max(sizes, key=sizes.__getitem__)
        raise PackingError(
            f"{', '.join(sizes)} are {total:.2f} MB together, {total - limit_mb:.2f} MB over --travel-limit-mb "
            f"{limit_mb:g}; the largest of them is {largest} with {sizes[largest] / MB:.2f} MB"
        )


# -- command ------------------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = Parser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="a set with images and masks, or a folder of sets")
    add("out", type=Path, metavar="OUT", help="where the parts go: OUT/<set>/<set>-1of4.zip")
    add("--size", type=int, required=True, help="pixels of the long side; smaller images stay as they are")
    add("--limit-mb", type=float, required=True, help="millions of bytes that all parts of all sets may have")
    add("--parts", type=int, required=True, help="files per set")
    add(
        "--format",
        choices=sorted(FORMATS),
        default="avif",
        help="of the images; reading AVIF takes Pillow 11.3 or newer",
    )
    add("--quality", type=int, help=f"of the images, {QUALITIES[0]} to {QUALITIES[1]}; default: the highest that fits")
    add("--config", type=Path, default=BUNDLED_CONFIG, help="of the network that scores; default: the bundled model")
    add("--ckpt", type=Path, default=BUNDLED_WEIGHTS, help="its weights, or the folder of its run")
    add("--no-score", action="store_true", help="do not score a network on both")
    add("--device", default="auto")
    add("--weights", type=Path, nargs="+", default=[], help="files of weights that training starts from")
    add("--wheels", type=Path, help="folder of the packages that are installed there")
    add("--travel-limit-mb", type=float, help="millions of bytes that all that travels may have")
    return parser


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed and checked."""
    parser = build_parser()
    options = parser.parse_args(argv)
    for name in ("size", "limit_mb", "parts"):
        if getattr(options, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} must be above 0")
    if options.quality is not None and not QUALITIES[0] <= options.quality <= QUALITIES[1]:
        parser.error(f"--quality must be {QUALITIES[0]} to {QUALITIES[1]}")
    return options


def run(options: argparse.Namespace) -> None:
    """Pack, verify, say what it costs and what travels. Raises PackingError where it does not fit."""
    started, sizes = time.monotonic(), travel_sizes(options)
    check_travel_limit(sizes, options.travel_limit_mb)  # what is too much even without data
    root, names = sets_of(options.data)
    refuse_occupied(options.out, names)
    pairs = find_pairs(root, names)
    packer = Packer(pairs, options.size, options.format, options.parts, int(options.limit_mb * MB))
    packing = packer.pack(options.quality)
    parts = write_parts(packing, options.out)
    sizes["data parts"] = sum(path.stat().st_size for path in parts)
    print(
        f"{len(pairs)} pairs at {options.size} pixels in {len(parts)} parts, {sizes['data parts'] / MB:.2f} MB: ",
        end="",
    )
    print(f"{options.format} of quality {packing.quality}, {time.monotonic() - started:.0f} s", flush=True)
    for path in parts:
        print(f"  {path}  {path.stat().st_size / MB:.2f} MB")
    print_costs(options, pairs, names)
    print_sizes(sizes)
    check_travel_limit(sizes, options.travel_limit_mb)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 where something does not fit or is not there."""
    options = read_options(argv)
    flush_denormals()
    with reported() as outcome:
        try:
            run(options)
        except PackingError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
