"""Paths as people write them."""

import os
from pathlib import Path


def expanded(path: str | os.PathLike) -> Path:
    """The path with ~ or ~NAME as a home where there is one. A file called ~a.jpg stays what it is; pathlib raises for it."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def is_same_file(path: Path, other: object) -> bool:
    """Whether `other` is a path, and that of the same file. Both may be absent, or anything else."""
    if not isinstance(other, str | os.PathLike):
        return False
    try:
        return path.samefile(expanded(other))
    except (OSError, ValueError):
        return False


def says_folder(word: str) -> bool:
    """The word ends in / (or in \\ on Windows), which people write behind a folder."""
    return word.endswith(("/", os.sep))


def expanded_word(word: str) -> str:
    """The same for a word of a command line, also for the value in --option=~/x, where a shell leaves ~ as it is."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + os.path.expanduser(value)  # noqa: PTH111
