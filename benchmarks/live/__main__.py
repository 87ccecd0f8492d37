"""How old a camera's pictures are when their results come out, and how many are dropped, with a camera that is a clock.

    .venv/bin/python -m benchmarks.live --size 720 1280 --seconds 20

Painted pictures of a moving object come 30 times a second, whoever has time for them; the bundled model cuts them out as
`inspyrenet b --camera` does.
"""

import json
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.flicker.clips import painted_clip
from inspyrenet.commands.parser import Parser
from inspyrenet.remover.compositing import style_of
from inspyrenet.remover.remover import Remover
from inspyrenet.utils.system.timing import describe_machine
from inspyrenet.video.camera import HEIGHT, WIDTH, Camera
from inspyrenet.video.process import FrameOptions, cut_video, drops_of
from inspyrenet.video.raw import RawWriter

RATE, SEED = 30, 1
MOMENTS = 60  # painted pictures, shown to and fro


class Clock:
    """Stands for OpenCV's capture; a picture's first pixel is the number of it. clip: uint8 (H, W, 3), BGR, shown to and fro."""

    def __init__(self, clip: list[np.ndarray], seconds: float):
        self.size, self.taken = clip[0].shape[:2], []
        self._clip, self._count = cycle([*clip, *clip[-2:0:-1]]), round(seconds * RATE)
        self._start = time.perf_counter()

    def isOpened(self) -> bool:
        return True

    def get(self, property: int) -> float:
        return {HEIGHT: self.size[0], WIDTH: self.size[1]}.get(property, RATE)

    def set(self, property: int, value: float) -> bool:
        return False

    def release(self) -> None:
        pass

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Waits for the time of the next picture, as a camera does."""
        number = len(self.taken)
        if number == self._count:
            return False, None
        time.sleep(max(0.0, self._start + number / RATE - time.perf_counter()))
        picture = next(self._clip).copy()
        picture[0, 0] = number % 251, number // 251, 0
        self.taken.append(time.perf_counter())
        return True, picture


class Screen:
    """Stands for stdout; notes when each picture of known first pixels comes."""

    def __init__(self, camera: Clock):
        self.camera, self.ages = camera, []

    def write(self, data: memoryview) -> int:
        _, green, blue = np.frombuffer(data, np.uint8)[:3]
        self.ages.append(time.perf_counter() - self.camera.taken[int(blue) + 251 * int(green)])
        return len(data)


class Marked(Remover):
    """Its results keep the first pixel, by which the screen knows them."""

    def process_batch(self, images: list, *rest) -> list:
        """See `Remover`."""
        results = super().process_batch(images, *rest)
        for result, image in zip(results, images, strict=True):
            result[0, 0] = image[0, 0]
        return results


def main(argv: list[str] | None = None) -> int:
    """Prints the figures; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    clip = [frame.image[..., ::-1] for frame in painted_clip(SEED, MOMENTS, tuple(options.size))]
    remover = Marked(device="cpu", edges="none")
    rows = [
        measure(remover, Clock(clip, options.seconds), quality, live)
        for quality, live in (("fast", True), ("best", True), ("fast", False))
    ]
    report = {"machine": describe_machine(torch.device("cpu")), "size": options.size, "rate": RATE, "rows": rows}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def measure(remover: Remover, capture: Clock, quality: str, live: bool) -> dict[str, Any]:
    """Ages of the results in ms and what became of the pictures; live: only the newest one waits, not 64 MiB of them."""
    screen = Screen(capture)
    look = FrameOptions(style_of("green"), steady=True, quality=quality, live=live)
    outcome = cut_video(Camera(0, capture), RawWriter(screen), remover, look)
    middle, high = (round(float(age) * 1000) for age in np.percentile(screen.ages, [50, 95]))
    print(
        f"{quality}, {'live' if live else 'recorded'}: {middle} ms, 95 % below {high} ms; {drops_of(outcome)}",
        flush=True,
    )
    return {
        "quality": quality,
        "live": live,
        "ms_median": middle,
        "ms_95": high,
        "shown": outcome.frames,
        "dropped": outcome.dropped,
    }


if __name__ == "__main__":
    sys.exit(main())
