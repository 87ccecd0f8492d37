"""Workers without a network, for tests of what is around it: they start without torch, and die when a picture tells them to."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from inspyrenet.batch import job, worker
from inspyrenet.batch.network import Network
from inspyrenet.batch.worker import Settings, Worker
from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.remover.image_types import Result

NETWORK = Network("fake", NetworkOptions(device="cpu"), "0" * 64)
DEADLY, DEADLY_ONCE, HEAVY, ODD = (
    13,
    17,
    19,
    23,
)  # widths of pictures: kills each worker; only one; too large in a batch; a bug


class FakeRemover:
    """The red channel as the map."""

    batch_size = 1

    def __init__(self, folder: Path, pause: float = 0.0):
        self.folder, self.pause = folder, pause

    def predict(self, images: Sequence[DecodedImage], levels: bool) -> list[np.ndarray]:
        if len(images) > 1 and any(image.array.shape[1] == HEAVY for image in images):
            raise RuntimeError("not enough memory")
        return [self._map(image) for image in images]

    def _map(self, image: DecodedImage) -> np.ndarray:
        time.sleep(self.pause)
        width = image.array.shape[1]
        once = self.folder / "died"
        if width == DEADLY or (width == DEADLY_ONCE and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if width == ODD:
            raise KeyError("a bug")
        return image.array[..., 0]

    def finish(self, image: DecodedImage, maps: np.ndarray, *look) -> Result:
        return Result(maps)


def make_worker(settings: Settings, name: str, device: str, threads: int) -> Worker:
    """In place of `job.make_worker`. Pictures that take long are asked for by --threshold, in seconds."""
    folder, pause = Path(settings.in_flight).parent, settings.threshold or 0.0
    return Worker(replace(settings, device=device, threads=threads), name, lambda _: FakeRemover(folder, pause))


def make_impatient_worker(settings: Settings, name: str, device: str, threads: int) -> Worker:
    """Gives an image up after it killed one worker, so that a test need not wait for more."""
    worker.TRIES = 1
    return make_worker(settings, name, device, threads)


def make_broken_worker(settings: Settings, name: str, device: str, threads: int) -> Worker:
    raise RuntimeError("the weights do not fit")


def make_dying_worker(settings: Settings, name: str, device: str, threads: int) -> Worker:
    return Worker(settings, name, lambda _: os.kill(os.getpid(), signal.SIGKILL))


def write_pictures(folder: Path, count: int, **widths: int) -> list[Path]:
    """p000.png, p001.png, … of 8×12 pixels; widths: name=width for special ones."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {f"p{number:03d}": 12 for number in range(count)} | widths
    for place, (name, width) in enumerate(sizes.items()):
        Image.fromarray(np.full((8, width, 3), place % 200, np.uint8)).save(folder / f"{name}.png")
    return sorted(folder.glob("*.png"))


def request(folder: Path, **options) -> job.BatchRequest:
    """A request for the pictures in folder/in; results go to folder/out."""
    settings = {"type": "map", "workers": 2, "network": NETWORK.options, "shard_size": 8, "edges": "none"} | options
    return job.BatchRequest(str(folder / "in"), str(folder / "out"), **settings)


def run(request: job.BatchRequest, say=None):
    """`job.run` without a network."""
    before = job.resolve_network, job.make_worker
    job.resolve_network = lambda *_: NETWORK
    job.make_worker = make_worker if job.make_worker.__module__ == job.__name__ else job.make_worker
    try:
        return job.run(request, say)
    finally:
        job.resolve_network, job.make_worker = before


if __name__ == "__main__":  # python -m tests.fake_worker FOLDER WORKERS SECONDS: a command that a test kills
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started deaf to Ctrl-C
    options = {"workers": int(sys.argv[2]), "threshold": float(sys.argv[3])}
    sys.exit(run(request(Path(sys.argv[1]), **options)).exit_code)
