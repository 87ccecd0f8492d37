"""What two processes say to each other through a pipe: a few words as JSON, and bytes. No pickle: nothing in it is ever run."""

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, TypeAlias

Buffer: TypeAlias = "bytes | bytearray | memoryview"
_HEAD = struct.Struct("<I")
HEAD_BYTES = 2**16


class FrameError(ValueError):
    """The other side said something else than agreed."""


def write_frame(stream: BinaryIO, words: dict[str, Any], buffers: Sequence[Buffer] = ()) -> None:
    """Send words and buffers. Raises OSError where the other side has ended."""
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    head = json.dumps({"words": words, "sizes": [view.nbytes for view in views]}).encode()
    stream.write(_HEAD.pack(len(head)) + head)
    for view in views:
        stream.write(view)
    stream.flush()


def read_frame(stream: BinaryIO, most: int) -> tuple[dict[str, Any], list[bytearray]]:
    """Words and buffers, `most` bytes at the most. Raises EOFError where the other side has ended, FrameError."""
    (length,) = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if length > HEAD_BYTES:
        raise FrameError(f"a head of {length} bytes")
    head = json.loads(_exactly(stream, length))
    if sum(head["sizes"]) > most:
        raise FrameError(f"{sum(head['sizes'])} bytes, where {most} are the most")
    return head["words"], [_exactly(stream, size) for size in head["sizes"]]


def _exactly(stream: BinaryIO, size: int) -> bytearray:
    buffer = bytearray(size)
    view, got = memoryview(buffer), 0
    while got < size:
        count = stream.readinto(view[got:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the other process has ended")
        got += count
    return buffer
