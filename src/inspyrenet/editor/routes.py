"""Paths below /editor, and what answers there."""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from ..data.images.encode import FORMATS
from ..serve.app import PICTURE, Service, form_of
from ..serve.errors import RESPONSES, ErrorMessage
from ..serve.query import TYPES, MendingQuery, check_names, parse_query
from ..serve.uploads import Body, file_of
from . import page
from .drawing import Drawing
from .fields import JSON_SCHEMA
from .sessions import GONE, Bounds

SIDE = 1024  # pixels of the longer side of a map, unless a request says another
ANSWERS = {**RESPONSES, GONE: {"model": ErrorMessage, "description": "the image is not kept any more; open it again"}}
PNG = {"description": "the map, gray: 255 is the object", "content": {"image/png": {}}}
FORM = form_of({"file": "the image"})
PROMPT = {
    "required": True,
    "content": {"application/json": {"schema": JSON_SCHEMA}},
}
Size = Annotated[int, Query(ge=1, le=2048, description="pixels of the map's longer side, at most")]


class Opened(BaseModel):
    """An image that is kept."""

    id: str = Field(description="names it in further requests")
    width: int = Field(description="of the upright image, in pixels")
    height: int
    map: str = Field(description="the network's own map: a gray PNG in base64")


def add_editor(app: FastAPI, bounds: Bounds | None = None) -> Drawing:
    """Add the page and what it asks to an application of `serve.app.create_app`."""
    service: Service = app.state.service
    drawing = Drawing(service, bounds or Bounds())
    router = APIRouter(prefix="/editor", lifespan=lambda app: drawing.running())
    add_requests(router, service, drawing)
    add_page(router)
    app.include_router(router)
    return drawing


def add_requests(router: APIRouter, service: Service, drawing: Drawing) -> None:
    """Open, ask, result, forget."""
    modes = f"{' or '.join(service.removers)}; default: {next(iter(service.removers))}"

    @router.post(
        "/images",
        summary="Open an image to draw on",
        response_model=Opened,
        responses=ANSWERS,
        openapi_extra={"requestBody": FORM},
    )
    async def open(
        request: Request, mode: Annotated[str | None, Query(description=modes)] = None, size: Size = SIDE
    ) -> Response:
        check_names(request.query_params, ("mode", "size"))
        params, _ = parse_query(service.removers, service.limits.pixels, mode, "map", "png", None, False)
        return await service.respond(request, Body.form, lambda form: drawing.open(file_of(form), params.mode, size))

    @router.post(
        "/images/{id}/map",
        summary="The map of an image with a prompt",
        response_class=Response,
        responses={200: PNG, **ANSWERS},
        openapi_extra={"requestBody": PROMPT},
    )
    async def map(request: Request, id: str, size: Size = SIDE) -> Response:
        check_names(request.query_params, ("size",))
        return await service.respond(request, Body.words, lambda words: drawing.map(id, words, size))

    @router.post(
        "/images/{id}/result",
        summary="The picture of an image with a prompt, at full size",
        response_class=Response,
        responses={200: PICTURE, **ANSWERS},
        openapi_extra={"requestBody": PROMPT},
    )
    async def result(
        request: Request,
        id: str,
        mending: Annotated[MendingQuery, Depends()],
        type: Annotated[str, Query(description=TYPES)] = "rgba",
        format: Annotated[str, Query(description=", ".join(FORMATS))] = "png",
        threshold: Annotated[float | None, Query(ge=0, le=1, description="hard edges: more is object")] = None,
        reverse: Annotated[bool, Query(description="take the object away, keep the rest")] = False,
        keep_metadata: Annotated[bool, Query(description="keep EXIF data")] = False,
    ) -> Response:
        names = ("type", "format", "threshold", "reverse", "keep_metadata")
        check_names(request.query_params, (*names, *vars(mending)))
        query = (None, type, format, threshold, reverse, keep_metadata, vars(mending))
        params, kind = parse_query(service.removers, service.limits.pixels, *query)
        return await service.respond(request, Body.words, lambda words: drawing.result(id, words, params, kind))

    @router.delete("/images/{id}", summary="Forget an image", status_code=204)
    async def forget(id: str) -> Response:
        drawing.sessions.drop(id)
        return Response(status_code=204)


def add_page(router: APIRouter) -> None:
    """The page's files."""

    @router.get("", include_in_schema=False)
    async def beside() -> Response:
        return RedirectResponse("editor/", 308)  # relative, so that it holds behind a proxy

    for name in page.NAMES:
        path = "/" if name == "page.html" else f"/{name}"
        router.add_api_route(path, page.sender(name), methods=["GET"], include_in_schema=False)
