"""The application: what answers on which path."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from .. import __version__
from ..data.images.decoded import DecodedImage
from ..data.images.encode import FORMATS
from ..editor.fields import FIELDS, prompt_of_form
from ..interactive.mask_image import gray_of
from ..interactive.prompt import Prompt
from ..quality.words import verdict
from .batching import Batcher, Closed, QueuedJob
from .codec import Codec, finished
from .errors import GONE, RESPONSES, ApiError, add_handlers, explain
from .hosts import HostCheck
from .page import PAGE, PAGE_HEADERS
from .query import TYPES, MendingQuery, RequestParams, check_names, parse_query
from .room import Room
from .settings import Limits
from .uploads import Body, file_of, mask_of, words_of

if TYPE_CHECKING:
    from ..remover.image_types import Result
    from ..remover.remover import Remover

MEDIA = {name: f"image/{kind.lower()}" for name, kind in FORMATS.items()}
T = TypeVar("T")
BESIDE = ("mask", *FIELDS)  # parts of a form that may be beside its file
LARGE, LARGE_PART = 2, 4  # two images at a time that have more than a quarter of the pixels that one may have


def form_of(files: Mapping[str, str], words: Mapping[str, str] | None = None) -> dict[str, Any]:
    """OpenAPI's words for a form of these parts, name → description; the body is read by hand, so that its bytes can be counted."""
    parts = {name: {"type": "string", "format": "binary", "description": text} for name, text in files.items()}
    parts |= {name: {"type": "string", "description": text} for name, text in (words or {}).items()}
    schema = {"type": "object", "required": ["file"], "properties": parts}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


FORM = form_of({"file": "the image", "mask": "a coarse mask of it, of any size"}, FIELDS)
PICTURE = {
    "description": "the picture; Server-Timing says how long it waited and how long it took, Bbox where the object is in the "
    "image: left,top,width,height, Cutout-Quality how good its map is likely to be (the expected IoU, 0 to 1), where the model has "
    "such an estimate",
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in dict.fromkeys(MEDIA.values())},
}


class Health(BaseModel):
    """How the server does."""

    status: str  # ok; busy: a new request has to wait, or is refused; broken: nothing is computed any more
    reason: str  # why it is not ok
    version: str
    modes: dict[str, str]  # name, network and device
    under_way: int
    waiting: int
    images: int  # done since the start
    batches: int
    seconds_per_image: float
    limits: dict[str, float]


class Service:
    """Networks, queue and limits, and the way of one request through them."""

    def __init__(self, removers: "Mapping[str, Remover]", limits: Limits, codec: Codec):
        self.removers, self.limits, self.codec = dict(removers), limits, codec
        self.batcher = Batcher(self.removers, limits)
        self.large = Batcher(self.removers, limits)  # of its own, so that no large image keeps a small one waiting
        self.under_way = 0  # only the event loop counts
        self._pixels = Room(limits.pixels)  # of decoded images that are not large
        self._large_places = Room(LARGE)

    def close(self) -> None:
        """Finish what waits for the networks, then end."""
        self.batcher.close()
        self.large.close()

    async def answer(self, request: Request, query: tuple[Any, ...]) -> Response:
        """The picture that a request asks for. Raises ApiError."""
        params, format = parse_query(self.removers, self.limits.pixels, *query)
        return await self.respond(request, Body.form, lambda form: self._cut(form, params, format))

    async def respond(
        self, request: Request, read: Callable[[Body], Awaitable[T]], work: Callable[[T], Coroutine[Any, Any, Response]]
    ) -> Response:
        """The answer to a request, within its limits: `read` takes the body, `work` makes the answer of it. Raises ApiError."""
        with self._place():
            try:
                return await self._respond(Body(request, self.limits), read, work)
            except ApiError as error:
                if error.status_code == GONE:
                    return Response(status_code=GONE)
                raise

    @contextlib.contextmanager
    def _place(self):
        """One of the places for requests under way."""
        if self.under_way >= self.limits.requests:
            raise ApiError(
                503, f"{self.under_way} requests are under way, which is the limit; try again later", self._retry()
            )
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def _retry(self) -> dict[str, str]:
        seconds = math.ceil(self.batcher.seconds_per_image * (self.under_way + 1))
        return {"Retry-After": str(min(max(seconds, 1), math.ceil(self.limits.seconds)))}

    async def _respond(self, body: Body, read: Callable, work: Callable) -> Response:
        """One deadline for everything: sending, waiting, decoding, computing, encoding."""
        deadline = asyncio.get_running_loop().time() + self.limits.seconds
        try:
            async with asyncio.timeout_at(deadline):
                sent = await read(body)
        except TimeoutError:
            raise ApiError(408, f"the upload took longer than {self.limits.seconds:g} s") from None
        try:
            return await self._until(deadline, body, work(sent))
        finally:
            if isinstance(sent, FormData):
                await sent.close()  # its temporary files

    async def _until(self, deadline: float, body: Body, work: Coroutine[Any, Any, Response]) -> Response:
        """The outcome of `work`, which ends at once where the time is over or the client has gone."""
        result, gone = asyncio.ensure_future(work), asyncio.ensure_future(body.disconnected())
        both: set[asyncio.Future[Any]] = {result, gone}
        try:
            left = deadline - asyncio.get_running_loop().time()
            await asyncio.wait(both, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return _outcome(result)
            if gone.done():
                raise ApiError(GONE, "the client went away")
            raise ApiError(504, f"no result within {self.limits.seconds:g} s; try again later", self._retry())
        finally:
            for one in both:
                one.cancel()
            await asyncio.wait(both)

    async def pixels_of(self, *files: BinaryIO) -> int:
        """How many pixels images have by their headers. Raises Refused."""
        return sum([math.prod(await finished(self.codec.measure(file))) for file in files])

    def is_large(self, pixels: int) -> bool:
        return pixels > self.limits.pixels / LARGE_PART

    def room(self, pixels: int) -> contextlib.AbstractAsyncContextManager[None]:
        """Inside, images of so many pixels may be decoded."""
        return self._large_places.hold(1) if self.is_large(pixels) else self._pixels.hold(pixels)

    async def _job(self, form: FormData, params: RequestParams) -> QueuedJob:
        """Image and prompt, decoded. Raises Refused, PromptError."""
        image, file = await finished(self.codec.decode(file_of(form, BESIDE))), mask_of(form)
        mask = None if file is None else await finished(self.codec.decode(file))
        prompt = await run_in_threadpool(checked_prompt, words_of(form, FIELDS), mask, image.array.shape[:2])
        return QueuedJob(image, params, prompt)

    async def _cut(self, form: FormData, params: RequestParams, format: str) -> Response:
        file, mask = file_of(form, BESIDE), mask_of(form)
        pixels = await self.pixels_of(file, *([] if mask is None else [mask]))
        arrived = time.monotonic()
        async with self.room(pixels):
            started = time.monotonic()
            job = await self._job(form, params)
            decoded = time.monotonic()
            result = await self._computed(job, self.large if self.is_large(pixels) else self.batcher)
            bbox = await run_in_threadpool(lambda: result.bbox)  # in here, since it takes memory by the pixel
            computed = time.monotonic()
            data = await finished(self.codec.encode(result.array, format, result.metadata))
        seconds = {
            "wait": started - arrived + job.waited,
            "decode": decoded - started,
            "work": computed - decoded - job.waited,
            "encode": time.monotonic() - computed,
        }
        timing = ", ".join(f"{name};dur={value * 1000:.1f}" for name, value in seconds.items())
        headers = {"Server-Timing": timing, **quality_headers(result.quality)}
        headers |= {"Bbox": ",".join(map(str, bbox))} if bbox else {}
        return Response(data, media_type=MEDIA[format], headers=headers)

    async def _computed(self, job: QueuedJob, batcher: Batcher) -> "Result":
        try:
            batcher.submit(job)
            return await asyncio.wrap_future(job.future)
        except Closed as error:
            raise ApiError(503, str(error), self._retry()) from None
        finally:
            batcher.cancel(job)

    def health(self) -> Health:
        status, reason = self._state()
        return Health(
            status=status,
            reason=reason,
            version=__version__,
            modes={name: remover.describe() for name, remover in self.removers.items()},
            under_way=self.under_way,
            waiting=self.batcher.waiting + self.large.waiting,
            images=self.batcher.images + self.large.images,
            batches=self.batcher.batches + self.large.batches,
            seconds_per_image=round(self.batcher.seconds_per_image, 4),
            limits=vars(self.limits),
        )

    def _state(self) -> tuple[str, str]:
        """Status and reason."""
        computing = max(self.batcher.computing, self.large.computing)
        if not (self.batcher.alive and self.large.alive):
            return "broken", "a thread that runs the networks has ended; start the server again"
        if self.codec.broken:
            return "broken", self.codec.broken
        if computing > self.limits.seconds:
            return "broken", f"one batch is being computed for {computing:.0f} s, longer than a request may take"
        if self.under_way >= self.limits.requests:
            return "busy", f"{self.under_way} requests are under way, which is the limit"
        if self.batcher.waiting or self.large.waiting or self.codec.waiting:
            return "busy", f"{self.under_way} requests are under way"
        return "ok", ""


def checked_prompt(words: Mapping[str, str], mask: DecodedImage | None, shape: tuple[int, int]) -> Prompt | None:
    """The prompt of a form's fields and its mask for an image of that shape. Raises PromptError."""
    prompt = prompt_of_form(words, None if mask is None else gray_of(mask))
    if prompt is not None:
        prompt.check(shape)
    return prompt


def quality_headers(quality: float | None) -> dict[str, str]:
    """The estimated quality as a number for programs, and in words for the page; nothing where there is none."""
    return {} if quality is None else {"Cutout-Quality": f"{quality:.3f}", "Cutout-Verdict": verdict(quality)}


def _outcome(result: "asyncio.Future[Response]") -> Response:
    error = result.exception()
    if error is not None:
        raise explain(error) from error
    return result.result()


def create_app(
    removers: "Mapping[str, Remover]",
    limits: Limits | None = None,
    names: frozenset[str] | None = None,
    codec: Codec | None = None,
) -> FastAPI:
    """The application around loaded networks, the default mode first.

    names: of this machine, where requests that name another one are refused; None: any name will do.
    codec: processes that decode and encode, which the caller closes; None: own ones.
    """
    limits = limits or Limits()
    service = Service(removers, limits, codec or Codec(limits.pixels, limits.decoding, limits.seconds))

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.close)
        if codec is None:
            await run_in_threadpool(service.codec.close)

    app = FastAPI(
        title="inspyrenet",
        version=__version__,
        description="Cut objects out of images.",
        docs_url=None,  # it would load its parts from another machine; /docs is a page of our own
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(HostCheck, names=names)
    app.state.service = service
    add_handlers(app)
    add_routes(app, service)
    return app


def add_routes(app: FastAPI, service: Service) -> None:
    """Paths and what answers there."""
    modes = f"{' or '.join(service.removers)}; default: {next(iter(service.removers))}"

    @app.post(
        "/api/remove",
        summary="Cut the object out of an image",
        response_class=Response,
        responses={200: PICTURE, **RESPONSES},
        openapi_extra={"requestBody": FORM},
    )
    async def remove(
        request: Request,
        mending: Annotated[MendingQuery, Depends()],
        type: Annotated[str, Query(description=TYPES)] = "rgba",
        mode: Annotated[str | None, Query(description=modes)] = None,
        format: Annotated[str, Query(description=", ".join(FORMATS))] = "png",
        threshold: Annotated[
            float | None, Query(ge=0, le=1, description="hard edges: more than this is object")
        ] = None,
        reverse: Annotated[bool, Query(description="take the object away, keep the rest")] = False,
        keep_metadata: Annotated[bool, Query(description="keep EXIF data, such as camera, author and place")] = False,
    ) -> Response:
        names = ("type", "mode", "format", "threshold", "reverse", "keep_metadata")
        check_names(request.query_params, (*names, *vars(mending)))
        return await service.answer(request, (mode, type, format, threshold, reverse, keep_metadata, vars(mending)))

    @app.get("/api/health", summary="How the server does: ok, busy, or broken (503)")
    async def health(response: Response) -> Health:
        health = service.health()
        response.status_code = 503 if health.status == "broken" else 200
        return health

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE, headers=PAGE_HEADERS)
