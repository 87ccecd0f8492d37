"""What became of the images and videos of a request."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..remover.output_paths import SUFFIX, FileJob

FATAL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the next file cannot be written either


@dataclass
class Report:
    """What became of it."""

    done: list[FileJob] = field(default_factory=list)
    skipped: list[FileJob] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    like_results: tuple[Path, ...] = ()  # left out, since their names are results'
    left: int = 0  # not tried, because nothing could be written any more
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        return 1 if self.failed or self.left else 0

    def __str__(self) -> str:
        parts = [f"{len(self.done)} done"]
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped, they are there already (--overwrite makes them again)")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.left:
            parts.append(f"{self.left} not tried")
        lines = [", ".join(parts) + (":" if self.failed else "")]
        lines += [f"  {path}: {reason.removeprefix(f'{path}: ')}" for path, reason in self.failed]
        if self.like_results:
            lines.append(named_like_results(self.like_results))
        if self.left:
            lines.append(
                "make room or choose another --dest, then run the same command again: finished files are skipped"
            )
        return "\n".join(lines)


def named_like_results(paths: Sequence[Path]) -> str:
    """What was left out because of its name, and what to do where that was wrong."""
    example = f"{paths[0]}{', …' if len(paths) > 1 else ''}"
    return f"{len(paths)} left out, named {SUFFIX} before the format as results are ({example}): rename those that are photographs"


def one_line(error: BaseException) -> str:
    """An error's message without line breaks."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((text or type(error).__name__).split())
