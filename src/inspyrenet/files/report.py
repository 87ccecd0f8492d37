"""What became of the images and videos of a request."""

import errno
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..commands.errors import is_expected
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
    """An error's message without line breaks; with its class where the message is not made for users."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = " ".join(text.split())
    if is_expected(error):
        return text or type(error).__name__
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def add_failure(report: Report, source: Path, error: BaseException, say: Callable[[str], None] | None = None) -> None:
    """List an item that failed. say: takes the traceback where nobody foresaw the error, since it may be a bug."""
    report.failed.append((source, one_line(error)))
    if say and not is_expected(error):
        say("".join(traceback.format_exception(error)).rstrip())
