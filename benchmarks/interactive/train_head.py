"""Trains the part that makes of clicks a coarse map (`prompt.onnx`) for an exported InSPyReNet, on its frozen features.

    python benchmarks/interactive/train_head.py --parts src/inspyrenet/weights/default --config InSPyReNet_Bundled \\
        --root data/Train_Dataset --work FOLDER --minutes 40

Pairs and those held out are as the config's Train section says. Clicks are simulated on the coarse map: each goes into the largest
error of what the head made of the clicks before (Sofiiuk et al., 2021), half of the time anywhere well inside it. On a CPU some
thousand steps take half an hour; the features, which are made once, take a few minutes for each thousand pairs.
"""

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from clicks import HARD, iou
from features import kept_features
from situations import Situation, situation, varied, weights
from torch import Tensor
from torch.nn import functional as F

from inspyrenet.commands.parser import Parser
from inspyrenet.data.hub.onnx_files import save_onnx
from inspyrenet.engine import build
from inspyrenet.engine.export import to_onnx
from inspyrenet.engine.train import split_pairs
from inspyrenet.interactive.head import DIGEST, FILE, INPUTS, OUTPUT, closeness
from inspyrenet.lib.modules.prompt_head import PromptHead
from inspyrenet.networks.digest import digest_of
from inspyrenet.networks.exported import ExportedParts
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.system.precision import flush_denormals

BATCH, RATE, RAMP = 24, 3e-3, 100
CLICKS = 4  # at most, in one situation
DISC = 1.5  # cells around a click that it says something about
WELL_INSIDE = 0.6  # of the largest distance from an error's border
FEW = 64  # values of a weight that stay in float32


class Person:
    """Clicks on a batch of maps: labels int8 (B, h, w), 1 keep, −1 remove."""

    def __init__(self, meant: Tensor, rng: np.random.Generator | None):
        self.meant, self.rng = meant[:, 0].numpy() > 0.5, rng
        self.labels = np.zeros(self.meant.shape, np.int8)

    def click(self, current: Tensor) -> None:
        """One more click on each map, logits (B, 1, h, w), that is not right yet."""
        for row, found in enumerate(current[:, 0].numpy() > 0):
            place = self._place(found, self.meant[row])
            if place is not None:
                (y, x), keep = place
                rows, columns = np.ogrid[: found.shape[0], : found.shape[1]]
                self.labels[row][(rows - y) ** 2 + (columns - x) ** 2 <= DISC**2] = 1 if keep else -1

    def _place(self, found: np.ndarray, meant: np.ndarray) -> tuple[tuple[int, int], bool] | None:
        errors = ((meant & ~found, True), (~meant & found, False))
        distances = [
            (cv2.distanceTransform(np.pad(wrong, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1], keep)
            for wrong, keep in errors
        ]
        distance, keep = max(distances, key=lambda one: one[0].max())
        if not distance.max():
            return None
        anywhere = self.rng is not None and self.rng.random() < 0.5
        inside = np.argwhere(distance >= distance.max() * (WELL_INSIDE if anywhere else 1))
        y, x = inside[0 if self.rng is None else self.rng.integers(len(inside))]
        return (int(y), int(x)), keep

    def closeness(self) -> list[Tensor]:
        """What the head is told: keep and remove, (B, 1, h, w)."""
        return [
            torch.from_numpy(np.stack([closeness(one, value) for one in self.labels]))[:, None] for value in (1, -1)
        ]


def answered(head: PromptHead, seen: tuple[Tensor, Tensor], at: Situation, current: Tensor, person: Person) -> Tensor:
    """The head's map after what the person has said so far."""
    return head.answer(*seen, at.maps["own"], current, *person.closeness())


def loss_of(logits: Tensor, meant: Tensor) -> Tensor:
    """Binary cross-entropy and soft IoU."""
    crossed = F.binary_cross_entropy_with_logits(logits, meant)
    p = logits.sigmoid()
    both, either = (p * meant).sum((1, 2, 3)), (p + meant - p * meant).sum((1, 2, 3))
    return crossed + (1 - (both + 1) / (either + 1)).mean()


def train(
    head: PromptHead, data: dict[str, np.ndarray], held: dict[str, np.ndarray], minutes: float, seed: int
) -> None:
    """The learning rate follows the clock: a ramp, then a cosine."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    likely, optimizer = weights(data), torch.optim.AdamW(head.parameters(), RATE, weight_decay=1e-2)
    started, step, told = time.time(), 0, 0.0
    while (done := (time.time() - started) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / RAMP) * (0.5 * (1 + math.cos(math.pi * done)) + 0.01)
        at = varied(data, np.sort(rng.choice(len(likely), BATCH, replace=False, p=likely)), rng)
        person, current = Person(at.meant, rng), at.current
        seen, losses = head.seen(at.maps["colors"], at.maps["x2"], at.maps["f3"]), []
        for _ in range(rng.integers(1, CLICKS + 1)):
            person.click(current)
            found = answered(head, seen, at, current, person)
            losses.append(loss_of(found, at.meant))
            current = found.detach()
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        step += 1
        if time.time() - told > 300:
            told = time.time()
            print(f"step {step}, {told - started:.0f} s: {scores(head, held)}", flush=True)


@torch.no_grad()
def scores(head: PromptHead, data: dict[str, np.ndarray], clicks: int = 3) -> str:
    """IoU of the coarse map after each click, on the pairs whose own map is below HARD, and on all."""
    head.eval()
    rows = []
    for first in range(0, len(data["own"]), BATCH):
        at = situation(data, np.arange(first, min(first + BATCH, len(data["own"]))))
        person, current = Person(at.meant, None), at.current
        seen, found = head.seen(at.maps["colors"], at.maps["x2"], at.maps["f3"]), [current]
        for _ in range(clicks):
            person.click(current)
            current = answered(head, seen, at, current, person)
            found.append(current)
        rows += [
            [iou(one[row, 0].numpy() > 0, at.meant[row, 0].numpy() > 0.5) for one in found]
            for row in range(len(at.meant))
        ]
    head.train()
    table = np.array(rows)
    hard = table[table[:, 0] < HARD]
    return f"{len(hard)} hard {hard.mean(0).round(3).tolist()}, all {table.mean(0).round(3).tolist()}"


def write(head: PromptHead, network: ExportedParts, folder: Path) -> Path:
    """The graph beside the encoder whose features it knows."""
    head.eval().requires_grad_(False)
    for tensor in head.state_dict().values():
        if tensor.is_floating_point() and tensor.numel() > FEW:
            tensor.copy_(tensor.half().float())
    depth, side = head.depth, torch.export.Dim("h", min=2, max=512)
    across = torch.export.Dim("w", min=2, max=512)
    height, width = 4 * 10, 4 * 13
    sizes = {"x2": (depth, 2 * height, 2 * width), "f3": (depth, height, width), "colors": (3, height, width)}
    inputs = [torch.zeros(1, *sizes.get(name, (1, height, width))) for name in INPUTS]
    shapes = [{2: (8 if name == "x2" else 4) * side, 3: (8 if name == "x2" else 4) * across} for name in INPUTS]
    program = torch.export.export(head, tuple(inputs), dynamic_shapes=tuple(shapes))
    metadata = replace(network.metadata, inputs=INPUTS, outputs=(OUTPUT,))
    graph = to_onnx(program, metadata, 20)
    graph.model.metadata_props[DIGEST] = digest_of(folder)
    save_onnx(graph, metadata, folder / FILE, compact=True)
    return folder / FILE


def main(argv: list[str] | None = None) -> int:
    """Trains, scores, writes; 0 when done."""
    options = _parser().parse_args(argv)
    flush_denormals()
    torch.set_num_threads(options.threads)
    network = ExportedParts(options.parts)
    config = load_config([options.config], [f"Train.Dataset.root={options.root}"])[0]
    learned, held = split_pairs(build.section(config, "Train"), config.seed)
    parts = {"learned": learned[:: options.every], "held": held}
    data = {name: kept_features(network, pairs, options.work / name) for name, pairs in parts.items()}
    head = PromptHead(data["learned"]["f3"].shape[1])
    train(head, data["learned"], data["held"], options.minutes, options.seed)
    print(f"{scores(head, data['held'], 5)}\n{write(head, network, options.parts)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add(
        "--parts",
        type=Path,
        required=True,
        help="the folder that run/Export.py --parts wrote; the head is written there",
    )
    add("--config", required=True, help="whose Train section names the pairs")
    add("--root", type=Path, required=True, help="folder of data sets, in place of the config's")
    add("--work", type=Path, required=True, help="folder for the features: half a megabyte for each pair")
    add("--every", type=int, default=2, help="every so many of the pairs to learn from")
    add("--minutes", type=float, default=40)
    add("--threads", type=int, default=2)
    add("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
