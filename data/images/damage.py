"""Damage in the middle of image files, which neither their first nor their last bytes show.

JPEG has no checksums, and its decoders repair what they can and go on; they only print a warning. `warned_jpegs` collects
these warnings from another process, since they are written to its standard error by C code.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from . import headers
from .read import ImageError, bytes_of, loaded_bytes

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif")
_START = b"file of this list: "  # on standard error, before the warnings of a file
_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


def check_whole(path: Path) -> None:
    """Decodes all of an image file. Raises ImageError where that fails, or where a checksum of a PNG is wrong."""
    data, name = bytes_of(path)
    if data.startswith(headers.PNG_SIGNATURE) and headers.png_chunks(data) is None:
        raise ImageError(f"{name}: the image is damaged (a checksum is wrong); replace the file or leave it out")
    with loaded_bytes(data, name):
        pass


def warned_jpegs(paths: Sequence[Path]) -> dict[Path, str]:
    """JPEG file -> what is wrong, for those of `paths` at which the decoder complains; decoded in a process of its own.

    Raises OSError where that process cannot be started or ends early.
    """
    names = b"\0".join(os.fsencode(path.absolute()) for path in paths)
    package = Path(__file__).parents[3]  # the folder that has the package, which need not be installed
    places = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": places}
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=names, stderr=subprocess.PIPE, env=environment, check=False)
    said = done.stderr.split(_START)[1:]
    if done.returncode or len(said) != len(paths):
        raise OSError(f"the process that checks JPEG files ended early: {done.stderr.decode(errors='replace')[-500:]}")
    found = {}
    for path, text in zip(paths, said, strict=True):
        warning = text.decode(errors="replace").strip()
        if warning and not _is_padding(path, warning):
            found[path] = f"{path}: the image is damaged ({warning}); replace the file or leave it out"
    return found


def _is_padding(path: Path, warning: str) -> bool:
    """Whether a complaint is about equal bytes before the end, with which some cameras fill their files up."""
    surplus = _SURPLUS.search(warning)
    if surplus is None:
        return False
    data = path.read_bytes()
    return len(set(data[: data.rfind(headers.JPEG_END)][-int(surplus[1]) :])) == 1


def _decode_all(names: Sequence[bytes]) -> None:
    """What the other process does: a line and the decoder's warnings on standard error for each file."""
    for name in names:
        os.write(2, _START)
        with contextlib.suppress(OSError, cv2.error):  # looking at its size says what is wrong with such a file
            cv2.imdecode(np.fromfile(os.fsdecode(name), np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)


if __name__ == "__main__":
    _decode_all(sys.stdin.buffer.read().split(b"\0"))
