"""Child processes that start fast: one server imports torch once, every child is a copy of it."""

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.toy_training", "torch.optim", "inspyrenet.utils.train.distributed"])


def start(function: Callable[..., None], *arguments: Any, errors: Path, environment: dict[str, str] | None = None):
    """Run `function(*arguments)` in a child; an exception's text goes to the file `errors`."""
    process = CONTEXT.Process(target=_enter, args=(function, arguments, errors, environment or {}))
    process.start()
    return process


def _enter(function: Callable[..., None], arguments: tuple, errors: Path, environment: dict[str, str]) -> None:
    import torch

    os.environ.update(environment)
    torch.set_num_threads(1)
    multiprocessing.set_start_method("fork", force=True)  # of data workers, as anywhere on Linux
    try:
        function(*arguments)
    except BaseException as error:
        errors.write_text("".join(traceback.format_exception_only(error)), encoding="utf-8")
        raise SystemExit(1) from error


def finish(process: BaseProcess, seconds: float = 60) -> int:
    """Exit code of a child; a child that does not end in time is killed and fails the test."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"the process did not end within {seconds} s")
    return process.exitcode


def start_group(function: Callable[..., None], *arguments: Any, folder: Path, size: int = 2) -> list[BaseProcess]:
    """Run a function in `size` processes as torchrun would lay them out; rank r writes errors to `error_<r>.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        start(
            function,
            *arguments,
            errors=folder / f"error_{rank}.txt",
            environment={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(size)
    ]
