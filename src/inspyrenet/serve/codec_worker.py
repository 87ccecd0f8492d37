"""The process that decodes and encodes for a server: python -m inspyrenet.serve.codec_worker MAX_PIXELS.

Whatever a file does to its decoder happens here, where it can be ended. It imports little, so that a new one is there at once,
and it may neither write files nor take more memory or time than an image of the largest size needs.
"""

import contextlib
import io
import os
import signal
import sys
import time
import traceback
import warnings
from typing import Any

from PIL import Image, UnidentifiedImageError

from ..data.images.cost import CostError, check_cost
from ..data.images.decoded import read_decoded
from ..data.images.encode import FormatError, encode
from ..data.images.formats import PICTURES
from ..data.images.read import ImageError, UnknownFormat, identify
from ..utils.system.signals import ignore
from .frames import Buffer, read_frame, write_frame
from .packing import packed, unpacked

MEMORY, PIXEL_BYTES = 2**30, 48  # bytes: for the process, and for each pixel while it is decoded from 16 bits


def main(words: list[str]) -> None:
    """Answer calls from standard input until it ends."""
    ignore(signal.SIGINT)  # a terminal's Ctrl-C reaches all processes, and the server still finishes what is under way
    pixels = int(words[0])
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = (
        pixels  # Pillow refuses more than twice as many, in a frame that is larger than its canvas, too
    )
    _limit(MEMORY + PIXEL_BYTES * pixels)
    write_frame(answers, {"ready": True})
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # libtiff writes what it thinks of a file to the standard error
        os.dup2(silent, stream)
    with contextlib.suppress(EOFError):
        while True:
            call, buffers = read_frame(calls, sys.maxsize)
            _limit_time(call["seconds"])
            write_frame(answers, *_answer(call, buffers, pixels))


def _answer(call: dict[str, Any], buffers: list[bytearray], pixels: int) -> tuple[dict[str, Any], list[Buffer]]:
    try:
        return _CALLS[call["do"]](call, buffers, pixels)
    except MemoryError:
        return {"status": 503, "error": "too little memory for this image"}, []
    except (ImageError, FormatError) as error:
        return {"status": 422, "error": str(error).removeprefix("image bytes: ")}, []
    except Exception as error:
        # what a decoder raises is about its file, what an encoder raises is a fault of ours
        known = call["do"] != "encode"
        text = f"the image is damaged ({type(error).__name__}: {error})"[:300]
        trace = {} if known else {"trace": traceback.format_exc()[-4000:]}
        return {"status": 422 if known else 500, "error": text, **trace}, []


def _measure(call: dict[str, Any], buffers: list[bytearray], pixels: int) -> tuple[dict[str, Any], list[Buffer]]:
    """Width and height by the image's header; nothing is decoded."""
    data = bytes(buffers[0])
    try:
        check_cost(data)
        with identify(io.BytesIO(data), "image bytes") as image:
            width, height = image.size
    except Image.DecompressionBombError:
        return {"status": 413, "error": f"the image has many more pixels than {_most(pixels)}"}, []
    except (UnidentifiedImageError, UnknownFormat):
        known = ", ".join(PICTURES)
        return {"status": 415, "error": f"not an image of a known kind ({known}), or damaged at its start"}, []
    except CostError as error:
        return {"status": 422, "error": str(error)}, []
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        return {"status": 422, "error": f"the image is damaged ({error})"}, []
    if width * height > pixels:
        count = f"{width}x{height} is {width * height / 1e6:.0f} million pixels"
        return {"status": 413, "error": f"{count}, more than {_most(pixels)}"}, []
    return {"size": [width, height]}, []


def _decode(call: dict[str, Any], buffers: list[bytearray], pixels: int) -> tuple[dict[str, Any], list[Buffer]]:
    return packed(read_decoded(bytes(buffers[0]), pixels))


def _encode(call: dict[str, Any], buffers: list[bytearray], pixels: int) -> tuple[dict[str, Any], list[Buffer]]:
    image = unpacked(call, buffers)
    return {}, [encode(image.array, call["format"], image.metadata)]


_CALLS = {"measure": _measure, "decode": _decode, "encode": _encode}


def _most(pixels: int) -> str:
    return f"the limit of {pixels / 1e6:g} million; scale the image down first"


def _limit(memory: int) -> None:
    """No more memory than that, no file written, no core dump, where the system can say so."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _limit_time(seconds: float) -> None:
    """The system ends this process where nobody else does, because the server was killed: at twice the time, in CPU seconds."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 2 * seconds) + 2, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
