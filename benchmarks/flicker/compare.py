"""How still maps hold, and how right they are: on painted clips with exact masks, and flicker alone on a video.

    python -m benchmarks.flicker.compare --json benchmarks/results/flicker.json
    python -m benchmarks.flicker.compare --video clip.mp4 --frames 48

The exact masks are measured, too: what flow itself gets wrong at their edges counts as flicker of every way.

flicker: mean absolute difference, in gray levels, between a map and the one before, which is moved to it by optical flow (DIS),
wherever the pixel was seen in the picture before. IoU and boundary IoU: of the map above 128, mean of all pictures. A video has no
masks: key frames are compared with the maps of `both joined`.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.flicker.clips import FRAMES, HELD_OUT, TUNING, Frame, painted_clip
from benchmarks.interactive.clicks import boundary_iou, iou
from inspyrenet import Remover
from inspyrenet.commands.parser import Parser
from inspyrenet.data.images.preprocess import to_map
from inspyrenet.networks.network import Network
from inspyrenet.utils.system.timing import describe_machine
from inspyrenet.video.flow import OpticalFlow, moved
from inspyrenet.video.keys import KeyedNetwork
from inspyrenet.video.reading import VideoFile
from inspyrenet.video.source import Picture
from inspyrenet.video.steady import SteadyNetwork

WAYS = {
    "each by itself": lambda network: network,
    "coarse map joined": lambda network: SteadyNetwork(network, keep=0),
    "map joined": lambda network: SteadyNetwork(network, keep_coarse=0),
    "both joined": SteadyNetwork,
    "key frames": KeyedNetwork,
}
SEEDS = {"tuning": TUNING, "held out": HELD_OUT}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("--ckpt", help="in place of the bundled model")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--video", type=Path, help="in place of painted clips: flicker alone")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each clip, or of the video")
    parser.add_argument("--json", type=Path, help="where figures go")
    options = parser.parse_args(argv)
    network = Remover(ckpt=options.ckpt).network
    if options.video:
        sets = {options.video.name: [list(frames_of(options.video, options.frames))]}
    else:
        sets = {name: [list(painted_clip(seed, options.frames)) for seed in seeds] for name, seeds in SEEDS.items()}
    report = {"machine": describe_machine(torch.device("cpu")), "network": network.describe()}
    for name, clips in sets.items():
        report[name] = compared(clips, network, options.ways)
        print(name, json.dumps(report[name], indent=1), flush=True)
        if options.json:
            options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def frames_of(video: Path, count: int) -> Iterator[Frame]:
    """The first pictures of a video, without masks."""
    pictures = (item.array for item in VideoFile(video) if isinstance(item, Picture))
    for number, image in enumerate(islice(pictures, count)):
        yield Frame(image, None, first=not number)


def compared(clips: list[list[Frame]], network: Network, ways: list[str]) -> dict[str, dict]:
    """Way → means over the clips."""
    found: dict[str, list[dict[str, float]]] = {}
    for clip in clips:
        motions, painted = motions_of(clip), clip[0].mask is not None
        for way in ways:
            network_of = WAYS[way](network)
            started = time.process_time()
            maps = [saliency(network_of, frame.image) for frame in clip]
            seconds = (time.process_time() - started) / len(clip)
            keys = getattr(network_of, "keys", len(clip)) / len(clip)
            costs = {"cpu seconds of a picture": seconds, "share that the network sees": keys}
            found.setdefault(way, []).append({**costs, **measured(clip, motions, maps)})
            if not painted and way == "both joined":
                clip = [replace(frame, mask=one) for frame, one in zip(clip, maps, strict=True)]
        if painted:
            masks = [frame.mask for frame in clip]
            found.setdefault("exact masks", []).append(measured(clip, motions, masks))
    return {way: _summary(ones) for way, ones in found.items()}


def _summary(ones: list[dict[str, float]]) -> dict[str, float | list[float]]:
    """Means over clips, and the IoU of each."""
    means = {key: round(float(np.mean([one[key] for one in ones])), 4) for key in ones[0]}
    return {**means, "IoU of clips": [round(one["IoU"], 4) for one in ones]} if "IoU" in means else means


def motions_of(frames: list[Frame]) -> list[tuple[np.ndarray, np.ndarray] | None]:
    """Where each pixel was before, and whether it was seen; None at the beginning and after a cut."""
    flow, grays = OpticalFlow(fine=True), [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames]
    befores = [grays[0], *grays]
    return [None if frame.first else flow.back(*pair) for frame, *pair in zip(frames, grays, befores[:-1], strict=True)]


def measured(frames: list[Frame], motions: list, maps: list[np.ndarray]) -> dict[str, float]:
    """Maps of one clip, uint8 (H, W)."""
    changes = [flicker(maps[at], maps[at - 1], *motion) for at, motion in enumerate(motions) if motion]
    scores = {"flicker": float(np.mean(changes))}
    if frames[0].mask is not None:
        pairs = [(found >= 128, frame.mask >= 128) for found, frame in zip(maps, frames, strict=True)]
        scores["IoU"] = float(np.mean([iou(*pair) for pair in pairs]))
        scores["boundary IoU"] = float(np.mean([boundary_iou(*pair) for pair in pairs]))
    return scores


def saliency(network: Network, image: np.ndarray) -> np.ndarray:
    """uint8 (H, W)."""
    array, copy = network.preprocess(image)
    maps = network(array[None], None if copy is None else copy[None])
    return to_map(maps.probability, image.shape[:2], network.normalize)


def flicker(current: np.ndarray, before: np.ndarray, place: np.ndarray, seen: np.ndarray) -> float:
    """Gray levels."""
    return float(np.abs(current.astype(np.float32) - moved(before.astype(np.float32), place))[seen].mean())


if __name__ == "__main__":
    sys.exit(main())
