"""What a request sends: its bytes are counted as they come."""

from collections.abc import Collection, Iterable
from typing import BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from .errors import GONE, ApiError
from .settings import Limits

ENVELOPE = 64 * 1024  # bytes of a form around its files
FILES, FIELDS, FIELD_BYTES = 2, 8, 16 * 1024
WORDS_BYTES = 2_000_000  # of JSON


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
            return await counted.form(max_files=FILES, max_fields=FIELDS, max_part_size=FIELD_BYTES)
        except ClientDisconnect:
            raise ApiError(GONE, "the upload was cut off") from None

    async def words(self) -> bytes:
        """The body as JSON's bytes, not parsed yet. Raises ApiError: 415 for another kind, 413 for too many bytes."""
        if self.request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiError(415, "send JSON: curl -H 'Content-Type: application/json' -d '{…}'")
        data = bytearray()
        more = True
        while more:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise ApiError(GONE, "the upload was cut off")
            data += message.get("body", b"")
            if len(data) > WORDS_BYTES:
                raise ApiError(413, f"JSON is {WORDS_BYTES / 1e6:g} MB at most")
            more = message.get("more_body", False)
        return bytes(data)

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


def file_of(form: FormData, beside: Collection[str] = ()) -> BinaryIO:
    """The part called file. beside: names of other parts that may be there, each once.

    Raises ApiError (422) where there is no file, or something else beside it.
    """
    part = form.get("file")
    others = ", ".join(_names(name for name in form if name not in ("file", *beside))) or "nothing"
    if part is None:
        raise ApiError(
            422,
            f"no part called file (there is {others}): send the image, whole, as curl -F file=@photo.jpg does; addresses are not "
            "fetched",
        )
    twice = _names(name for name in form if len(form.getlist(name)) > 1)
    if twice:
        raise ApiError(422, f"the part {twice[0]} is given twice")
    if others != "nothing":
        raise ApiError(422, f"beside the file there is {others}; options are in the address: /api/remove?type=white")
    return _file(part, "file")


def mask_of(form: FormData) -> BinaryIO | None:
    """The part called mask, if there is one. Raises ApiError (422) where it is no file."""
    part = form.get("mask")
    return None if part is None else _file(part, "mask")


def words_of(form: FormData, names: Iterable[str]) -> dict[str, str]:
    """Those of these parts that there are. Raises ApiError (422) for one that is a file."""
    words = {name: form[name] for name in names if name in form}
    for name, word in words.items():
        if not isinstance(word, str):
            raise ApiError(422, f"the part {name} is text, not a file: curl -F {name}=…, without an @")
    return {name: str(word) for name, word in words.items()}


def _file(part: UploadFile | str, name: str) -> BinaryIO:
    if isinstance(part, UploadFile):
        return part.file
    raise ApiError(422, f"the part called {name} has no file name: curl -F {name}=@photo.jpg, with the @")


def _names(names: Iterable[str]) -> list[str]:
    return sorted({str(name)[:40] for name in names})
