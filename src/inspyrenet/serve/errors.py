"""What a client is told when something is wrong: a status code and one readable message, as JSON {"error": …}."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ..data.images.encode import FormatError
from ..data.images.read import ImageError
from ..interactive.prompt import PromptError
from ..remover.compositing import CutoutError
from ..remover.remover import RemoverError
from .codec import Refused

LOG = logging.getLogger("inspyrenet")
BROKEN = "an error of the server itself; its log has the details"
GONE = 499  # the client went away: nobody reads this answer


class ErrorMessage(BaseModel):
    """Every answer that is not a picture."""

    error: str = Field(description="what is wrong and what to do", examples=["threshold is between 0 and 1, not 7"])


class ApiError(HTTPException):
    """A request that is refused: status code, message, and perhaps headers."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(status, message, headers)


STATUS = {  # OpenAPI's description of each
    400: "the form is malformed",
    408: "the upload took too long",
    413: "too many bytes, or too many pixels (found before anything is decoded)",
    415: "not a form, or not an image of a known kind",
    422: "a damaged image, no image, a value that there is not, or a prompt that does not fit the image",
    503: "too many requests under way, or too little memory; Retry-After says when to come back",
    504: "no result in time",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorMessage, "description": text} for status, text in STATUS.items()
}


def explain(error: BaseException) -> ApiError:
    """What went wrong with one image → what its client is told; what is a bug of ours is logged, and not shown."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Refused):
        return ApiError(error.status, str(error))
    if isinstance(error, ImageError | FormatError | CutoutError | PromptError):
        return ApiError(422, str(error).removeprefix("image bytes: "))
    if isinstance(error, RemoverError | MemoryError):
        LOG.error("%s", error)
        return ApiError(503, f"the server could not compute this image: {error}")
    LOG.error("an error of the server itself", exc_info=error)
    return ApiError(500, BROKEN)


def add_handlers(app: FastAPI) -> None:
    """Every error leaves as {"error": …}."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        message = {
            404: f"there is no {request.url.path}; /docs shows what there is",
            405: f"{request.url.path} does not take {request.method}; /docs shows what it takes",
        }.get(error.status_code, error.detail)
        return JSONResponse({"error": message}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        parts = [f"{problem['loc'][-1]}: {problem['msg'].lower()}" for problem in error.errors()]
        return JSONResponse({"error": "; ".join(parts)}, 422)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": BROKEN}, 500)
