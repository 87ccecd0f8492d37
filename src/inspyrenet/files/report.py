"""What became of the images and videos of a request."""

import errno
import os
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..data.images.formats import is_picture
from ..remover.output_paths import SUFFIX, FileJob
from ..utils.system.failures import is_expected, one_line

FATAL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # the next file cannot be written either
KINDS = 10  # suffixes that are listed by name


@dataclass
class Report:
    """What became of it."""

    done: list[FileJob] = field(default_factory=list)
    skipped: list[FileJob] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    like_results: tuple[Path, ...] = ()  # left out, since their names are results'
    others: tuple[Path, ...] = ()  # left out, since their suffixes are no image's
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
        if self.done:
            lines.append(f"→ {self._place()}")
        if self.like_results:
            lines.append(named_like_results(self.like_results))
        if self.others:
            lines.append(named_others(self.others))
        if self.left:
            lines.append(
                "make room or choose another --dest, then run the same command again: finished files are skipped"
            )
        return "\n".join(lines)

    def _place(self) -> str:
        """The file of one result, the folder of several."""
        if len(self.done) == 1:
            return str(self.done[0].target)
        folders = {str(job.target.parent) for job in self.done}
        try:
            return os.path.commonpath(folders) or "."
        except ValueError:  # absolute and relative ones, or several drives of Windows
            return "beside the images"


def named_like_results(paths: Sequence[Path]) -> str:
    """What was left out because of its name, and what to do where that was wrong."""
    example = f"{paths[0]}{', …' if len(paths) > 1 else ''}"
    return f"{len(paths)} left out, named {SUFFIX} before the format as results are ({example}): rename those that are photographs"


def named_others(paths: Sequence[Path]) -> str:
    """3 left out: 2 .txt, 1 .xcf; and which of them are pictures all the same, by their first bytes."""
    counts = Counter(path.suffix.lower() or "without a suffix" for path in paths).most_common()
    text = f"{len(paths)} left out: " + ", ".join(f"{count} {suffix}" for suffix, count in counts[:KINDS])
    text += f", {sum(count for _, count in counts[KINDS:])} of other kinds" if len(counts) > KINDS else ""
    pictures = [path for path in paths if is_picture(path)]
    if not pictures:
        return text
    more = f" and {len(pictures) - 1} more" if len(pictures) > 1 else ""
    return f"{text}; {pictures[0]}{more} by content an image: give it a known suffix, or name it by itself"


def add_failure(report: Report, source: Path, error: BaseException, say: Callable[[str], None] | None = None) -> None:
    """List an item that failed. say: takes the traceback where nobody foresaw the error, since it may be a bug."""
    report.failed.append((source, one_line(error)))
    if say and not is_expected(error):
        say("".join(traceback.format_exception(error)).rstrip())
