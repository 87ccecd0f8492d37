"""Images of a store, fetched while those before them are cut out."""

import io
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from ..cloud import store
from ..cloud.path import is_url
from ..cloud.store import State
from ..data.images.bounds import MAX_PIXELS
from ..data.images.read import ImageError, check_pixels, decoding, identify
from .inputs import Item

AHEAD = 8  # objects that are held, or on their way


class Fetched:
    """Content of those items that are objects, in their order; `AHEAD` of them at once, more where that many are asked for."""

    def __init__(self, items: Sequence[Item], pool: Executor):
        self._left = deque(item.path for item in items if is_url(item.path))
        self._pool = pool
        self._lock = threading.RLock()  # reentrant, since `pixels` calls `_start`; several threads call `take`
        self._started: dict[str, Future[tuple[State, bytes]]] = {}
        for _ in range(AHEAD):
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._left:
                path = self._left.popleft()
                self._started[path] = self._pool.submit(_fetch, path)

    def pixels(self, path: str) -> int:
        """As `count_pixels`: by the header, 0 where it cannot be read. Items are asked for in their order."""
        with self._lock:
            while self._left and path not in self._started:  # a group of small images may be larger than AHEAD
                self._start()
        try:
            _, data = self._started[path].result()
            with decoding(path), identify(io.BytesIO(data), path) as image:
                check_pixels(path, *image.size, MAX_PIXELS)
                return image.width * image.height
        except (ImageError, OSError):
            return 0

    def take(self, path: str) -> tuple[State, bytes]:
        """State and content, which is let go of; the next one starts. Raises CloudError."""
        try:
            return self._started.pop(path).result()
        finally:
            self._start()


def _fetch(path: str) -> tuple[State, bytes]:
    return store.state(path), store.read(path)
