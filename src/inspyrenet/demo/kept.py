"""The images of the last visitors and their maps, so that a moved slider does not run the network again."""

import threading
import time
from collections import OrderedDict
from dataclasses import replace

from .pictures import Prediction

BYTES = 1_000_000_000  # of all images and maps together; the largest image takes 200 MB
SECONDS = 900.0


class Kept:
    """Predictions by the path of their upload; the one that was not used for longest makes room. Safe between threads."""

    def __init__(self, most: int = BYTES, seconds: float = SECONDS):
        self.most, self.seconds = most, seconds
        self.bytes = 0
        self._items: OrderedDict[str, tuple[float, Prediction]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str) -> Prediction | None:
        """None where it is not kept any more; it can be computed again."""
        with self._lock:
            self._drop_old()
            if path not in self._items:
                return None
            prediction = self._items.pop(path)[1]
            self._items[path] = (time.monotonic(), prediction)
            return prediction

    def put(self, path: str, prediction: Prediction) -> None:
        """Keep an image and its map; the levels are on the page already."""
        slim = replace(prediction, stages=[])
        with self._lock:
            self._drop_old()
            if path in self._items:
                self._drop(path)
            size = _size(slim)
            while self._items and self.bytes + size > self.most:
                self._drop(next(iter(self._items)))
            if size <= self.most:
                self._items[path] = (time.monotonic(), slim)
                self.bytes += size

    def sweep(self) -> None:
        """Forget what nobody has used for `seconds`."""
        with self._lock:
            self._drop_old()

    def _drop_old(self) -> None:
        while self._items and time.monotonic() - next(iter(self._items.values()))[0] > self.seconds:
            self._drop(next(iter(self._items)))

    def _drop(self, path: str) -> None:
        self.bytes -= _size(self._items.pop(path)[1])


def _size(prediction: Prediction) -> int:
    source = prediction.source
    arrays = {
        id(one): one for one in (prediction.image, prediction.saliency, source.array, source.alpha) if one is not None
    }
    return sum(one.nbytes for one in arrays.values())
