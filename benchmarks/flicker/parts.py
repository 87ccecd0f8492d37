"""What each part of cutting out a video costs: milliseconds of one CPU core for each picture, one part after the other.

    python -m benchmarks.flicker.parts clip.mp4 --frames 120 --json benchmarks/results/video_parts.json

decoding: to RGB. input: the picture as the network takes it. network: encoder and decoder. carrying: optical flow, colors,
and the map moved along. map: at the picture's size. compositing: of type green. encoding: H.264.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import torch

from inspyrenet import Remover
from inspyrenet.commands.parser import Parser
from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.remover.compositing import style_of
from inspyrenet.utils.system.allocator import freed_memory_kept
from inspyrenet.utils.system.timing import describe_machine
from inspyrenet.video.formats import encoding_of
from inspyrenet.video.keys import KeyedNetwork
from inspyrenet.video.reading import VideoFile
from inspyrenet.video.source import Picture
from inspyrenet.video.steady import SteadyNetwork
from inspyrenet.video.writing import VideoWriter

WAYS = {"best": SteadyNetwork, "fast": KeyedNetwork}


class Stopwatch:
    """Seconds of the processor by name."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def time(self, name: str, function: Callable, *arguments: Any) -> Any:
        """What the function gives."""
        started = time.process_time()
        try:
            return function(*arguments)
        finally:
            self.seconds[name] += time.process_time() - started


class Timed:
    """A network, or its parts, whose calls are timed as `network`."""

    def __init__(self, inner: Any, watch: Stopwatch):
        self._inner, self._watch = inner, watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "parts":
            return Timed(found, self._watch)
        return (lambda *given: self._watch.time("network", found, *given)) if name in ("encode", "decode") else found


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--json", type=Path, help="where figures go")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    report = {"machine": describe_machine(torch.device("cpu")), "videos": []}
    for video in options.video:
        for way in WAYS:
            with freed_memory_kept():
                report["videos"].append({"video": video.name, "way": way, **measured(video, way, options.frames)})
            print(json.dumps(report["videos"][-1]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def measured(video: Path, way: str, count: int) -> dict[str, float]:
    """Milliseconds of each part, their sum, and the share of the pictures that the network saw.

    All pictures are decoded first and encoded last: codecs have threads of their own, which else would count elsewhere.
    """
    watch, remover, style = Stopwatch(), Remover(edges="none"), style_of("green")
    network, source = WAYS[way](Timed(remover.network, watch)), VideoFile(video)
    pictures = watch.time("decoding", lambda: list(islice((one for one in source if isinstance(one, Picture)), count)))
    results = []
    for picture in pictures:
        image = DecodedImage(picture.array)
        array, _ = watch.time("input", network.preprocess, image.array)
        maps = watch.time("carrying", network, array[None])
        saliency = watch.time("map", remover.map_of, maps, image)
        result = watch.time("compositing", remover.compose, image, saliency, style)
        results.append(replace(picture, array=result.array))
    with tempfile.TemporaryDirectory() as folder:
        writer = VideoWriter(Path(folder, "out.mp4"), encoding_of("mp4", transparent=False), source)
        watch.time("encoding", lambda: (*map(writer.picture, results), writer.finish(writer.target)))
    source.close()
    watch.seconds["carrying"] -= watch.seconds["network"]
    count = len(pictures)
    parts = {name: round(1000 * seconds / count, 2) for name, seconds in watch.seconds.items()}
    return {**parts, "sum": round(sum(parts.values()), 2), "keys": round(getattr(network, "keys", count) / count, 4)}


if __name__ == "__main__":
    sys.exit(main())
