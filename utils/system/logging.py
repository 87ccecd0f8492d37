"""What a run says: on the console what a person wants to see, in a file everything needed to tell later what was run."""

import logging
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from tqdm import tqdm

NAME = "inspyrenet"  # parent of every module's own logger, logging.getLogger(__name__)
PACKAGES = ("inspyrenet", "torch", "torchvision", "timm", "numpy")


class _Console(logging.Handler):
    """Prints above progress bars instead of through them. To stderr: stdout belongs to tables."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


@contextmanager
def run_log(
    folder: str | Path,
    command: str,
    *,
    config_text: str = "",
    device: str = "",
    verbose: bool = False,
    to_file: bool = True,
) -> Iterator[logging.Logger]:
    """Logger for one run: the console shows warnings (`verbose`: everything), `<folder>/<command>_<time>.log` all.

    The file begins with versions, git state, device and config, and ends with the traceback of what stopped the run.
    `to_file=False` is for all processes of a run but the first. Raises OSError where the file cannot be written.
    """
    logger = logging.getLogger(NAME)
    console = _Console(logging.INFO if verbose else logging.WARNING)
    console.setFormatter(logging.Formatter("%(message)s"))
    files = [_file_handler(Path(folder), command)] if to_file else []
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in (console, *files):
        logger.addHandler(handler)
    try:
        for file in files:
            _tell(file, logging.INFO, _header(device, config_text))
        yield logger
    except BaseException as error:
        for file in files:
            _tell(file, logging.ERROR, f"stopped by {type(error).__name__}", error)
        raise
    finally:
        for handler in (console, *files):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _file_handler(folder: Path, command: str) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{command}_{time.strftime('%Y-%m-%d_%H-%M-%S')}.log"
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s"))
    return handler


def _tell(handler: logging.Handler, level: int, text: str, error: BaseException | None = None) -> None:
    trace = (type(error), error, error.__traceback__) if error else None
    handler.handle(logging.LogRecord(NAME, level, __file__, 0, text, (), trace))


def _header(device: str, config_text: str) -> str:
    lines = {
        "command": shlex.join(sys.argv),
        "folder": str(Path.cwd()),
        "code": git_state(),
        "device": device or "not used",
        "system": platform.platform(),
        **versions(),
    }
    head = "\n".join(f"  {name}: {text}" for name, text in lines.items())
    return f"run\n{head}\n{config_text}".rstrip()


def versions() -> dict[str, str]:
    """Versions of Python, this package and the packages that decide results; read without importing them."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def git_state() -> str:
    """Commit of the clone that this code runs from, with `+changes` if files differ from it; else `not a clone`."""
    here = Path(__file__).resolve()

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(here.parent), *words], capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # a copy inside somebody else's repository is not a clone
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "not a clone"
