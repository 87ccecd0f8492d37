"""The application: what answers on which path."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..data.images.encode import FORMATS
from .batching import Batcher, Closed, QueuedJob
from .errors import GONE, RESPONSES, ApiError, add_handlers, explain
from .page import PAGE, PAGE_HEADERS
from .query import TYPES, RequestParams, parse_query
from .settings import Limits
from .uploads import Body, count_pixels, file_of

if TYPE_CHECKING:
    from ..remover.remover import Remover

MEDIA = {name: f"image/{kind.lower()}" for name, kind in FORMATS.items()}
FORM = {  # of OpenAPI: the body is read by hand, so that its bytes can be counted
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary", "description": "the image"}},
            }
        }
    },
}
PICTURE = {
    "description": "the picture; Server-Timing says how long it waited and how long it took",
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in dict.fromkeys(MEDIA.values())},
}


class Health(BaseModel):
    """How the server does."""

    status: str
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

    def __init__(self, removers: "Mapping[str, Remover]", limits: Limits):
        self.removers, self.limits = dict(removers), limits
        self.batcher = Batcher(self.removers, limits)
        self.under_way = 0  # only the event loop counts

    async def answer(self, request: Request, query: tuple) -> Response:
        """The picture that a request asks for. Raises ApiError."""
        body = Body(request, self.limits)
        try:
            params, format = parse_query(self.removers, *query)
            with self._place():
                return await self._answer(body, params, format)
        except ApiError as error:
            if error.status_code == GONE:
                return Response(status_code=GONE)
            if error.status_code != 408:  # a slow client is not worth more time
                await body.drain()
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
        seconds = math.ceil(self.batcher.seconds_per_image * (self.batcher.waiting + 1))
        return {"Retry-After": str(min(max(seconds, 1), math.ceil(self.limits.seconds)))}

    async def _answer(self, body: Body, params: RequestParams, format: str) -> Response:
        deadline = asyncio.get_running_loop().time() + self.limits.seconds
        try:
            async with asyncio.timeout_at(deadline):
                form = await body.form()
        except TimeoutError:
            raise ApiError(408, f"the upload took longer than {self.limits.seconds:g} s") from None
        async with form_closed(form):
            file = file_of(form)
            pixels = await run_in_threadpool(count_pixels, file, self.limits)
            job = QueuedJob(file, pixels, params, format)
            try:
                self.batcher.submit(job)
            except Closed as error:
                raise ApiError(503, str(error), self._retry()) from None
            data = await self._result(body, job, deadline)
        spent = time.monotonic() - job.arrived - job.waited
        timing = f"wait;dur={job.waited * 1000:.1f}, work;dur={spent * 1000:.1f}"
        return Response(data, media_type=MEDIA[format], headers={"Server-Timing": timing})

    async def _result(self, body: Body, job: QueuedJob, deadline: float) -> bytes:
        result = asyncio.wrap_future(job.future)
        gone = asyncio.ensure_future(body.disconnected())
        try:
            left = deadline - asyncio.get_running_loop().time()
            both: set[asyncio.Future[Any]] = {result, gone}
            await asyncio.wait(both, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return _outcome(result)
            if gone.done():
                raise ApiError(GONE, "the client went away")
            raise ApiError(504, f"no result within {self.limits.seconds:g} s; try again later", self._retry())
        finally:
            gone.cancel()
            self.batcher.cancel(job)

    def health(self) -> Health:
        limits = self.limits
        return Health(
            status="ok" if self.batcher.alive else "broken",
            version=__version__,
            modes={name: remover.describe() for name, remover in self.removers.items()},
            under_way=self.under_way,
            waiting=self.batcher.waiting,
            images=self.batcher.images,
            batches=self.batcher.batches,
            seconds_per_image=round(self.batcher.seconds_per_image, 4),
            limits=vars(limits),
        )


@contextlib.asynccontextmanager
async def form_closed(form: FormData) -> AsyncIterator[None]:
    """The form's temporary file is gone at the end."""
    try:
        yield
    finally:
        await form.close()


def _outcome(result: "asyncio.Future[bytes]") -> bytes:
    error = result.exception()
    if error is not None:
        raise explain(error)
    return result.result()


class HostCheck:
    """Answers only to names of this machine, so that no web page can reach a local server by a name of its own."""

    def __init__(self, app: ASGIApp, names: frozenset[str] | None):
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.names is not None:
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            if _without_port(host) not in self.names:
                text = '{"error": "this server answers only to names of its own machine, such as 127.0.0.1"}'
                await Response(text, 421, media_type="application/json")(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _without_port(host: str) -> str:
    """`[::1]:7000` → `::1`, `localhost:7000` → `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] or host


def create_app(
    removers: "Mapping[str, Remover]", limits: Limits | None = None, names: frozenset[str] | None = None
) -> FastAPI:
    """The application around loaded networks, the default mode first.

    names: of this machine, where requests that name another one are refused; None: any name will do.
    """
    service = Service(removers, limits or Limits())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.batcher.close)

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
        type: Annotated[str, Query(description=TYPES)] = "rgba",
        mode: Annotated[str | None, Query(description=modes)] = None,
        format: Annotated[str, Query(description=", ".join(FORMATS))] = "png",
        threshold: Annotated[
            float | None, Query(ge=0, le=1, description="hard edges: more than this is object")
        ] = None,
        reverse: Annotated[bool, Query(description="take the object away, keep the rest")] = False,
        keep_metadata: Annotated[bool, Query(description="keep EXIF data, such as camera, author and place")] = False,
    ) -> Response:
        return await service.answer(request, (mode, type, format, threshold, reverse, keep_metadata))

    @app.get("/api/health", summary="How the server does")
    async def health() -> Health:
        return service.health()

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE, headers=PAGE_HEADERS)
