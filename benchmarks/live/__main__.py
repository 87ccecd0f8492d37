"""How old a camera's pictures are when their results come out, and how many are dropped, with a camera that is a clock.

    .venv/bin/python -m benchmarks.live --size 720 1280 --seconds 20

Painted pictures come 30 times a second, whoever has time for them; the bundled model cuts them out as `inspyrenet b --camera` does.
"""

import sys
import time

import numpy as np

from inspyrenet.commands.parser import Parser
from inspyrenet.remover.compositing import style_of
from inspyrenet.remover.remover import Remover
from inspyrenet.video.camera import HEIGHT, WIDTH, Camera
from inspyrenet.video.process import FrameOptions, cut_video, drops_of
from inspyrenet.video.raw import RawWriter

RATE = 30


class Clock:
    """Stands for OpenCV's capture; a picture's first pixels are the number of it."""

    def __init__(self, size: tuple[int, int], seconds: float):
        self.size, self.taken = size, []
        self._count, self._start = round(seconds * RATE), time.perf_counter()
        self._ground = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)

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
        picture = self._ground.copy()
        picture[0, 0] = number % 251, number // 251, 0
        self.taken.append(time.perf_counter())
        return True, picture


class Screen:
    """Stands for stdout; notes when each picture of known first pixels comes."""

    def __init__(self, camera: Clock):
        self.camera, self.ages = camera, []

    def write(self, data: memoryview) -> None:
        _, green, blue = np.frombuffer(data, np.uint8)[:3]
        self.ages.append(time.perf_counter() - self.camera.taken[int(blue) + 251 * int(green)])

    def flush(self) -> None:
        pass


class Marked:
    """A remover whose results keep the first pixel, by which the screen knows them."""

    def __init__(self, remover: Remover):
        self._remover = remover
        self.network, self.device, self.edges, self.quality = remover.network, remover.device, "none", None

    def process_batch(self, pictures: list, *rest) -> list:
        results = self._remover.process_batch(pictures, *rest)
        for result, picture in zip(results, pictures, strict=True):
            result[0, 0] = picture[0, 0]
        return results


def main(argv: list[str] | None = None) -> int:
    """Prints the figures; 0 when done."""
    parser = Parser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--type", default="green")
    options = parser.parse_args(argv)
    remover = Remover(device="cpu", edges="none")
    remover.process(np.zeros((*options.size, 3), np.uint8), "map")  # the first one takes longer
    for live in (True, False):
        capture = Clock(tuple(options.size), options.seconds)
        screen = Screen(capture)
        look = FrameOptions(style_of(options.type), steady=False, live=live)
        outcome = cut_video(Camera(0, capture), RawWriter(screen), Marked(remover), look)
        middle, high = np.percentile(screen.ages, [50, 95])
        way = "live" if live else "recorded"
        print(f"{way}: {middle * 1000:.0f} ms, 95 % below {high * 1000:.0f} ms; {drops_of(outcome)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
