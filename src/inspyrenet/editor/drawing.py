"""What a request to draw on an image does: open it, ask with a prompt, take the result."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from ..data.images.encode import encode
from ..data.images.preprocess import to_map
from ..interactive.prompt import Prompt, PromptError
from ..serve.app import MEDIA, Service
from ..serve.codec import finished
from ..serve.errors import ApiError
from ..serve.query import RequestParams
from .fields import prompt_of_json
from .sessions import Bounds, Session, Sessions

T = TypeVar("T")
THREADS = 2  # so that a large image that is opened keeps no stroke waiting
SWEEP_SECONDS = 30.0


class Drawing:
    """Images that people draw on, and threads that compute for them."""

    def __init__(self, service: Service, bounds: Bounds):
        self.service, self.sessions = service, Sessions(bounds)
        self._threads = ThreadPoolExecutor(THREADS, "drawing")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Inside, images are forgotten when their time is over; at the end, all are."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            self.sessions.clear()
            await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sessions.sweep()

    async def open(self, file: BinaryIO, mode: str, size: int) -> Response:
        """Keep an image; its id, its size, and the network's own map. Raises ApiError, and what decoding raises."""
        remover = self.service.removers[mode]
        if remover.network.parts is None:
            raise ApiError(422, f"{mode} has no coarse map to draw on; POST /api/remove takes a mask and boxes for it")
        self.sessions.make_room()
        pixels = await self.service.pixels_of(file)
        steps = Steps()
        async with self.service.room(pixels):
            with steps.step("decode"):
                image = await finished(self.service.codec.decode(file))
            with steps.step("work"):
                interactive = await self._computed(remover.interactive, image)
                session = self.sessions.add(remover, image, interactive)
        height, width = interactive.shape

        def opened() -> Response:
            data = base64.b64encode(picture_of(session, Prompt(), size, steps)).decode()
            words = {"id": session.id, "width": width, "height": height, "map": data}
            return JSONResponse(words, headers=steps.headers)

        return await self._computed(opened)

    async def map(self, id: str, words: bytes, size: int) -> Response:
        """The map with a prompt in JSON as a gray PNG of at most `size` pixels a side. Raises ApiError, PromptError."""
        session, steps = self.sessions.get(id), Steps()
        with steps.step("prompt"):
            prompt = await run_in_threadpool(prompt_of_json, words)
        data = await self._computed(picture_of, session, prompt, size, steps)
        return Response(data, media_type=MEDIA["png"], headers=steps.headers)

    async def result(self, id: str, words: bytes, params: RequestParams, format: str) -> Response:
        """The picture with a prompt in JSON, at the size of the image. Raises ApiError, PromptError."""
        session, prompt = self.sessions.get(id), await run_in_threadpool(prompt_of_json, words)
        if params.style.kind == "debug":
            raise PromptError("there is no picture of the network's levels for an image that is drawn on")
        steps = Steps()

        def cut() -> Any:
            with steps.step("work"):
                saliency = session.interactive.saliency(prompt)
                wish = params.style, params.threshold, params.reverse, params.keep_metadata
                return session.remover.compose(session.image, saliency, *wish)

        async with self.service.room(session.image.array.size // 3):
            result = await self._computed(cut)
            with steps.step("encode"):
                data = await finished(self.service.codec.encode(result.array, format, result.metadata))
        return Response(data, media_type=MEDIA[format], headers=steps.headers)

    async def _computed(self, work: Callable[..., T], *arguments: Any) -> T:
        """What a thread makes of it; whoever does not wait any more before its turn, costs nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


class Steps:
    """How long the parts of an answer took."""

    def __init__(self) -> None:
        self.begun, self.seconds = time.perf_counter(), dict[str, float]()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    @property
    def headers(self) -> dict[str, str]:
        """Server-Timing; what is no part's, was waited."""
        wait = time.perf_counter() - self.begun - sum(self.seconds.values())
        parts = {"wait": max(wait, 0.0), **self.seconds}
        return {"Server-Timing": ", ".join(f"{name};dur={value * 1000:.1f}" for name, value in parts.items())}


def picture_of(session: Session, prompt: Prompt, size: int, steps: Steps) -> bytes:
    """The map with a prompt as PNG, no finer than the network's, and no side longer than `size` pixels."""
    with steps.step("work"):
        probability = session.interactive.maps(prompt).probability
        saliency = to_map(probability, shown_shape(session.interactive.shape, probability.shape[2:], size))
    with steps.step("encode"):
        return encode(saliency)


def shown_shape(shape: tuple[int, int], found: tuple[int, ...], size: int) -> tuple[int, int]:
    """(height, width) of a map with the proportions of the image of `shape` that shows all of a map of `found`, up to `size`."""
    height, width = shape
    scale = min(1.0, size / max(shape), max(found[0] / height, found[1] / width))
    return max(1, round(height * scale)), max(1, round(width * scale))
