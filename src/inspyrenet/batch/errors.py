"""What can be wrong with a batch as a whole, and the places that load the packages of its extras."""

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from ..utils.system.extras import how_to_install
from ..utils.system.failures import EXPECTED, one_line


class BatchError(ValueError):
    """A batch that cannot be carried out, or not go on; the message says what to do."""


class BatchExtraMissing(RuntimeError):
    """A package that a batch needs is not installed; the message names the extra."""


def guarded(call: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    """("done", what the call returns) or ("error", why it failed, in words): what a worker raises ends the batch.

    What nobody expects is told with its traceback.
    """
    try:
        return "done", call(*arguments)
    except EXPECTED as error:
        return "error", one_line(error)
    except Exception:
        return "error", f"a worker failed:\n{traceback.format_exc()}"


@contextlib.contextmanager
def cleaning_up() -> Iterator[None]:
    """A step at the end of a batch. An OSError is printed, so that the next step and the batch's own error are not lost."""
    try:
        yield
    except OSError as error:
        print(f"while cleaning up: {one_line(error)}", file=sys.stderr, flush=True)


def load_arrow() -> ModuleType:
    """pyarrow with its parquet part. Raises BatchExtraMissing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise BatchExtraMissing(
            f"the manifest is a parquet file: {how_to_install('parquet')} (pyarrow cannot be loaded: {error})"
        ) from error
    return pyarrow


def load_ray() -> ModuleType:
    """Ray with its data part; it sends no usage statistics unless the environment asks for them. Raises BatchExtraMissing."""
    import os

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read while Ray is imported
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise BatchExtraMissing(
            f"executor ray needs the extra cluster: {how_to_install('cluster')}, or take --executor local "
            f"(Ray cannot be loaded: {error})"
        ) from error
    return ray
