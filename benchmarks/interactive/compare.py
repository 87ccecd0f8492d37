"""Interactive segmentation with simulated clicks: how many it takes, and what the map is after 1, 3 and 5 of them.

    python benchmarks/interactive/compare.py --data data/Test_Dataset/ECSSD --json benchmarks/results/interactive.json
    python benchmarks/interactive/compare.py --data data/Train_Dataset/DUTS-TR --held-out InSPyReNet_Bundled --every 4

Each click goes to the middle of the largest error of the map that is there (the pixel farthest from the border of a connected
region of false pixels), as usual (Sofiiuk et al., "Reviving Iterative Training with Mask Guidance", 2021). NoC@x: clicks until
IoU is x %, at most 20. Ways: "prompts" is this project's; "grabcut" is OpenCV's GrabCut (Rother et al., 2004), which starts from
the same map of the network and gets the same kind of clicks. --mask measures masks at 1/16 of the image's size as prompts.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from clicks import HARD, MOST, Clicks, boundary_iou, iou, next_click
from grabcut import GrabCut

from inspyrenet import Remover
from inspyrenet.commands.parser import Parser
from inspyrenet.data.datasets.pairs import Pair, find_pairs
from inspyrenet.data.images.decoded import read_decoded
from inspyrenet.interactive.prompt import Prompt, Stroke
from inspyrenet.interactive.session import InteractiveImage
from inspyrenet.utils.system.timing import describe_machine

AFTER, LEVELS = (1, 3, 5), (0.85, 0.9)
Ways = dict[str, Callable[[InteractiveImage, np.ndarray], Callable[[Clicks], np.ndarray]]]


def prompts(image: InteractiveImage, pixels: np.ndarray) -> Callable[[Clicks], np.ndarray]:
    """Clicks → map uint8 (H, W), by this project."""
    return lambda clicks: image.saliency(Prompt(strokes=tuple(Stroke((point,), keep) for point, keep in clicks)))


def grabcut(image: InteractiveImage, pixels: np.ndarray) -> Callable[[Clicks], np.ndarray]:
    """Clicks → map uint8 (H, W), by GrabCut."""
    return GrabCut(pixels, image.saliency(Prompt()))


WAYS: Ways = {"prompts": prompts, "grabcut": grabcut}


def clicked(answer: Callable[[Clicks], np.ndarray], mask: np.ndarray, found: np.ndarray, most: int) -> list[float]:
    """IoU after 0, 1, …, `most` clicks; ends early where no figure needs more of them, or no pixel is wrong."""
    clicks: Clicks = []
    scores = [iou(found, mask)]
    while len(scores) <= most and (click := next_click(found, mask)) is not None:
        if len(clicks) >= max(AFTER) and max(scores) >= max(LEVELS):
            break
        clicks.append(click)
        found = answer(clicks) >= 128
        scores.append(iou(found, mask))
    return scores + scores[-1:] * (most + 1 - len(scores))


def measure_clicks(remover: Remover, pair: Pair, ways: list[str], most: int) -> dict[str, list[float]]:
    """Way → IoU after each click, for one pair."""
    pixels, mask = read_pair(pair)
    image = InteractiveImage(remover.network, pixels)
    alone = image.saliency(Prompt()) >= 128
    return {way: clicked(WAYS[way](image, pixels), mask, alone, most) for way in ways}


def measure_masks(remover: Remover, pair: Pair) -> dict[str, list[float]]:
    """What → IoU and boundary IoU with a mask at 1/16 of the image's size, enlarged, as a prompt, and without."""
    pixels, mask = read_pair(pair)
    image = InteractiveImage(remover.network, pixels)
    height, width = mask.shape
    size = max(1, width // 16), max(1, height // 16)
    coarse = cv2.resize(mask * np.float32(1), size, interpolation=cv2.INTER_AREA).clip(0, 1)
    maps = {
        "model alone": image.saliency(Prompt()) >= 128,
        "mask enlarged": cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5,
        "mask as prompt": image.saliency(Prompt(mask=coarse)) >= 128 if coarse.max() >= 0.5 else alone_of(image),
    }
    return {name: [iou(found, mask), boundary_iou(found, mask)] for name, found in maps.items()}


def alone_of(image: InteractiveImage) -> np.ndarray:
    """The model's own map, where the coarse mask has no value of a half."""
    return image.saliency(Prompt()) >= 128


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 (H, W, 3) and mask bool (H, W)."""
    pixels = read_decoded(pair.image).array
    mask = cv2.imread(str(pair.mask), cv2.IMREAD_GRAYSCALE) >= 128
    return pixels, mask


def summary(scores: np.ndarray) -> dict[str, float]:
    """IoU (pictures, clicks + 1) → the figures of a table's row."""
    hard = scores[:, 0] < HARD
    row: dict[str, float] = {"pictures": len(scores), "hard": int(hard.sum()), "iou_alone": float(scores[:, 0].mean())}
    for level in LEVELS:
        reached = scores >= level
        clicks = np.where(reached.any(1), reached.argmax(1), scores.shape[1] - 1)
        row[f"noc@{level * 100:.0f}"] = float(clicks.mean())
        row[f"noc@{level * 100:.0f}_hard"] = float(clicks[hard].mean())
    for after in AFTER:
        row[f"iou@{after}"] = float(scores[:, after].mean())
        row[f"iou@{after}_hard"] = float(scores[hard, after].mean())
    row["hard_reach_.9_in_3"] = float((scores[hard, :4].max(1) >= 0.9).mean())
    row["hard_iou_alone"] = float(scores[hard, 0].mean())
    return row


def main(argv: list[str] | None = None) -> int:
    """Prints and writes a row for each way; 0 when done."""
    options = _parser().parse_args(argv)
    remover = Remover(options.mode, ckpt=options.ckpt, engine=options.engine)
    pairs = _pairs(options, remover.network.weights)[:: options.every]
    started = time.time()

    def one(pair: Pair) -> dict[str, list[float]]:
        return (
            measure_masks(remover, pair) if options.mask else measure_clicks(remover, pair, options.way, options.most)
        )

    with ThreadPoolExecutor(options.threads) as pool:
        found = list(pool.map(one, pairs))
    rows = {}
    for name in found[0]:
        scores = np.array([row[name] for row in found])
        rows[name] = (
            dict(zip(("iou", "boundary_iou"), map(float, scores.mean(0)), strict=True))
            if options.mask
            else summary(scores)
        )
        print(f"{name:16} " + "  ".join(f"{key} {value:.3f}" for key, value in rows[name].items()), flush=True)
    report = {"data": str(options.data), "every": options.every, "network": remover.describe(), "rows": rows}
    print(f"{len(pairs)} pictures in {time.time() - started:.0f} s")
    if options.json:
        kept = json.loads(options.json.read_text(encoding="utf-8")) if options.json.is_file() else []
        text = json.dumps([*kept, {**report, "machine": describe_machine(torch.device("cpu"))}], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _pairs(options: argparse.Namespace, weights: Path) -> list[Pair]:
    if options.held_out is None:
        return find_pairs(options.data.parent, [options.data.name])
    from inspyrenet.tune.trained_split import held_out_pairs
    from inspyrenet.utils.config.load import load_config

    words = [f"Train.Dataset.root={options.data.parent}", f"Train.Dataset.sets=[{options.data.name}]"]
    return held_out_pairs(load_config([options.held_out], words)[0], weights)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="a data set: images and masks")
    add("--held-out", metavar="CONFIG", help="only the pairs that this config's training leaves for validation")
    add("--every", type=int, default=1, help="every so many of the pairs")
    add("--way", nargs="+", choices=WAYS, default=list(WAYS))
    add("--mask", action="store_true", help="coarse masks as prompts, in place of clicks")
    add("--most", type=int, default=MOST, help="clicks on one picture")
    add("--mode", help="as for run/Inference.py")
    add("--ckpt", help="as for run/Inference.py")
    add("--engine", default="auto")
    add("--threads", type=int, default=2, help="pictures beside each other")
    add("--json", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
