"""Images that people draw on: how many are kept, in how much memory, and for how long."""

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..data.images.decoded import DecodedImage
from ..interactive.session import InteractiveImage
from ..serve.errors import ApiError

if TYPE_CHECKING:
    from ..remover.remover import Remover

GONE = 410  # HTTP's word for what is not there any more


@dataclass(frozen=True)
class Bounds:
    """Of all images together; and the seconds without a request after which one may be, and after which it is, forgotten."""

    images: int = 32
    bytes: int = 2_000_000_000
    idle: float = 60.0
    kept: float = 900.0


@dataclass(eq=False)
class Session:
    """One image, and what the network keeps of it. Requests name it by its id, which nobody can guess."""

    remover: "Remover"
    image: DecodedImage
    interactive: InteractiveImage
    used: float  # when it was last asked for
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def nbytes(self) -> int:
        alpha = self.image.alpha
        return self.image.array.nbytes + (0 if alpha is None else alpha.nbytes) + self.interactive.nbytes


class Sessions:
    """All of them, the one that was not used for the longest time first. Belongs to one event loop."""

    def __init__(self, bounds: Bounds, clock: Callable[[], float] = time.monotonic):
        self.bounds, self.clock = bounds, clock
        self._all: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def nbytes(self) -> int:
        return sum(session.nbytes for session in self._all.values())

    def make_room(self, nbytes: int = 0) -> None:
        """Forget what is not used, so that one more image of so many bytes can be kept. Raises ApiError (503, 413)."""
        if nbytes > self.bounds.bytes:
            raise ApiError(413, f"the image needs {nbytes / 1e6:.0f} MB to draw on; scale it down first")
        self.sweep()
        while len(self) >= self.bounds.images or self.nbytes + nbytes > self.bounds.bytes:
            oldest = next(iter(self._all.values()))
            left = self.bounds.idle - (self.clock() - oldest.used)
            if left > 0:
                retry = {"Retry-After": str(math.ceil(left))}
                raise ApiError(
                    503, f"{len(self)} images are being drawn on, which is the limit; try again later", retry
                )
            self.drop(oldest.id)

    def add(self, remover: "Remover", image: DecodedImage, interactive: InteractiveImage) -> Session:
        """Keep an image. Raises ApiError (503, 413) where there is no room."""
        session = Session(remover, image, interactive, self.clock())
        self.make_room(session.nbytes)
        self._all[session.id] = session
        return session

    def get(self, id: str) -> Session:
        """The image of that id. Raises ApiError (410) where it is not kept."""
        self.sweep()
        session = self._all.pop(id, None)
        if session is None:
            minutes = self.bounds.kept / 60
            raise ApiError(
                GONE, f"this image is not here any more, after {minutes:g} minutes at the latest: open it again"
            )
        session.used = self.clock()
        self._all[id] = session  # at the end
        return session

    def drop(self, id: str) -> None:
        """Forget an image, if it is there; what is being computed of it goes on."""
        self._all.pop(id, None)

    def sweep(self) -> None:
        """Forget what nobody has used for long."""
        now = self.clock()
        for session in [one for one in self._all.values() if now - one.used > self.bounds.kept]:
            self.drop(session.id)

    def clear(self) -> None:
        """Forget all."""
        self._all.clear()
