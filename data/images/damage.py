"""Damage in the middle of image files, which neither their first nor their last bytes show.

JPEG has no checksums, and its decoders repair what they can and go on; they only print a warning. `warned_jpegs` collects
these warnings from another process, since they are written to its standard error by C code. A lost sector may get no
warning, but its zeros mean something that no encoder writes (`_has_hole`).
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from . import headers
from .read import ImageError, bytes_of, loaded_bytes

_START = b"file of this list: "  # on standard error, before the warnings of a file
_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_LEFT = 16  # bytes of a filling that stay, since the picture itself may end with some of them
_SECTOR = bytes(512)  # the smallest piece that a disk loses


def check_whole(path: Path) -> None:
    """Decodes all of an image file. Raises ImageError where that fails, or where a checksum of a PNG is wrong."""
    data, name = bytes_of(path)
    if data.startswith(headers.PNG_SIGNATURE) and headers.png_chunks(data) is None:
        raise ImageError(f"{name}: the image is damaged (a checksum is wrong); replace the file or leave it out")
    with loaded_bytes(data, name):
        pass


def is_jpeg(path: Path) -> bool:
    """Whether a file is a JPEG by its first bytes, whatever its name says. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return file.read(2) == headers.JPEG_START


def warned_jpegs(paths: Sequence[Path]) -> dict[Path, str]:
    """JPEG file -> what is wrong, for those of `paths` that are damaged; decoded in a process of its own.

    Raises OSError where that process cannot be started or ends early, or a file cannot be read.
    """
    found = _warnings(paths)
    filled = {path: data for path, warning in found.items() if (data := _without_filling(path, warning)) is not None}
    with tempfile.TemporaryDirectory() as folder:
        copies = {Path(folder) / str(number): path for number, path in enumerate(filled)}
        for copy, path in copies.items():
            copy.write_bytes(filled[path])
        again = _warnings(list(copies)) if copies else {}
    for copy, path in copies.items():
        found[path] = "" if _SURPLUS.search(again[copy]) else again[copy]
    for path, warning in found.items():
        if not warning and _has_hole(path.read_bytes()):
            found[path] = f"{len(_SECTOR)} zeros or more in the middle of its data"
    return {
        path: f"{path}: the image is damaged ({warning}); replace the file or leave it out"
        for path, warning in found.items()
        if warning
    }


def _warnings(paths: Sequence[Path]) -> dict[Path, str]:
    """File -> what the decoder says, which is nothing where it is content."""
    names = b"\0".join(os.fsencode(path.absolute()) for path in paths)
    package = Path(__file__).parents[3]  # the folder that has the package, which need not be installed
    places = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": places}
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=names, stderr=subprocess.PIPE, env=environment, check=False)
    said = done.stderr.split(_START)[1:]
    if done.returncode or len(said) != len(paths):
        raise OSError(f"the process that checks JPEG files ended early: {done.stderr.decode(errors='replace')[-500:]}")
    return {path: text.decode(errors="replace").strip() for path, text in zip(paths, said, strict=True)}


def _without_filling(path: Path, warning: str) -> bytes | None:
    """The file without the equal bytes before its end, with which some cameras fill files up; None unless that is the warning.

    The picture of such a file is complete without them. A file whose second half is lost may look the same, and ends early.
    """
    surplus = _SURPLUS.search(warning)
    if surplus is None:
        return None
    data = path.read_bytes()
    end = data.rfind(headers.JPEG_END)
    picture = data[:end]
    if len(set(picture[-int(surplus[1]) :])) != 1:
        return None
    return data[: len(picture.rstrip(picture[-1:])) + _LEFT] + data[end:]


def _has_hole(data: bytes) -> bool:
    """Whether the data of a scan have a sector of zeros that no encoder writes.

    Zeros are the shortest code of a Huffman table. Where that one ends a block, they are a flat area. Where it is a
    coefficient, they are block after block whose coefficients are all the same, which is no picture: so it is with the
    tables of the standard, which cameras use.
    """
    return _SECTOR in data and any(
        _SECTOR in scan.rstrip(b"\0") and any(symbol & 15 for symbol in symbols)
        for scan, symbols in headers.coded_scans(data)
    )


def _decode_all(names: Sequence[bytes]) -> None:
    """What the other process does: a line and the decoder's warnings on standard error for each file."""
    for name in names:
        os.write(2, _START)
        with contextlib.suppress(OSError, cv2.error):  # looking at its size says what is wrong with such a file
            cv2.imdecode(np.fromfile(os.fsdecode(name), np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)


if __name__ == "__main__":
    _decode_all(sys.stdin.buffer.read().split(b"\0"))
