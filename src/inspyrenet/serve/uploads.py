"""The image out of a request: its bytes are counted as they come."""

from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from .errors import GONE, ApiError
from .settings import Limits

ENVELOPE = 16 * 1024  # bytes of a form around its file
FIELDS, FIELD_BYTES = 8, 4096


class Body:
    """The body of one request, counted as it comes."""

    def __init__(self, request: Request, limits: Limits):
        self.request, self.limits = request, limits
        self.count = 0

    async def receive(self) -> Message:
        """The next message. Raises ApiError (413) where it is too much, whatever Content-Length says."""
        message = await self._next()
        if self.count > self.limits.bytes + ENVELOPE:
            raise self._too_large()
        return message

    async def form(self) -> FormData:
        """The body as a form; a large file goes to a temporary file of its own, which closing the form removes.

        Raises ApiError: 415 for no form, 413 for too many bytes; Starlette's HTTPException (400) for a malformed one.
        """
        headers = self.request.headers
        if not headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise ApiError(415, "send the image as a form: curl -F file=@photo.jpg …/api/remove (multipart/form-data)")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.limits.bytes + ENVELOPE:
            raise self._too_large()
        counted = Request(self.request.scope, self.receive)
        try:
            return await counted.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES)
        except ClientDisconnect:
            raise ApiError(GONE, "the upload was cut off") from None

    async def disconnected(self) -> None:
        """Returns when the client goes away; to be called once the body is complete."""
        while (await self._next())["type"] != "http.disconnect":
            pass

    async def _next(self) -> Message:
        message = await self.request.receive()
        self.count += len(message.get("body", b""))
        return message

    def _too_large(self) -> ApiError:
        return ApiError(413, f"the upload is larger than the limit of {self.limits.bytes / 1e6:g} MB")


def file_of(form: FormData) -> BinaryIO:
    """The part called file. Raises ApiError (422) where there is none, or something beside it."""
    part = form.get("file")
    others = ", ".join(sorted({str(name)[:40] for name in form if name != "file"})) or "nothing"
    if isinstance(part, UploadFile):
        if len(form.multi_items()) > 1:
            raise ApiError(
                422, f"beside the file there is {others}; options are in the address: /api/remove?type=white"
            )
        return part.file
    if part is not None:
        raise ApiError(422, "the part called file has no file name: curl -F file=@photo.jpg, with the @")
    raise ApiError(
        422, f"no part called file (there is {others}); addresses are not fetched, and a cut form has no end"
    )
