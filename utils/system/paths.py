"""Paths as people write them."""

import os
from pathlib import Path


def expanded(path: str | os.PathLike) -> Path:
    """The path with ~ or ~NAME as a home where there is one. A file called ~a.jpg stays what it is; pathlib raises for it."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
