"""Decoding and encoding in processes of their own, which can be ended: by a deadline, or because nobody waits any more."""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ..data.images.decoded import PLAIN, DecodedImage, Metadata
from .frames import Buffer, FrameError, read_frame, write_frame
from .packing import packed, unpacked

LOG = logging.getLogger("inspyrenet")
WORKERS = 3
START_SECONDS = 60.0  # for a new process to be there
MEASURE_SECONDS = 5.0
PIPE_BYTES = 2**20
BESIDE = 2**25  # bytes of color profile, EXIF and file headers beside the pixels
PACKAGE_PLACE = str(Path(__file__).resolve().parents[2])  # where this very package lies
COMMAND = [sys.executable, "-P", "-m", "inspyrenet.serve.codec_worker"]  # -P: not from the current folder


class Refused(ValueError):
    """An image that cannot be used, or cannot be used now: the message says why, `status` is HTTP's word for it."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Call:
    """One piece of work on its way. `future` gets its result, or Refused, or the error; `stop` ends it wherever it is."""

    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self.stopped = False

    def begin(self, process: subprocess.Popen) -> bool:
        """From here on `stop` ends that process; False where it is too late to begin."""
        with self._lock:
            self._process = None if self.stopped else process
            return not self.stopped

    def end(self) -> None:
        """From here on `stop` ends no process any more."""
        with self._lock:
            self._process = None

    def stop(self) -> None:
        """End it: what waits is forgotten, a process that works on it is killed."""
        with self._lock:
            self.stopped = True
            if self._process is not None:
                self._process.kill()
        self.future.cancel()


class Codec:
    """A few processes that decode and encode. Each is started when it is first needed, and again after it was ended.

    pixels: of the largest image. decoding, encoding: seconds for one; how long encoding takes depends on the pixels alone.
    """

    def __init__(self, pixels: int, decoding: float, encoding: float, workers: int = WORKERS):
        self.pixels, self.workers = pixels, workers
        self.seconds = {"measure": min(MEASURE_SECONDS, decoding), "decode": decoding, "encode": encoding}
        self.broken = ""  # why no process can be started
        self._threads = ThreadPoolExecutor(workers, "codec")
        self._own = threading.local()
        self._calls = 0
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen] = set()

    def measure(self, file: BinaryIO) -> Call:
        """Future result: (width, height) of an image file by its header, once its cost is known to be bounded."""
        return self._submit({"do": "measure"}, file, lambda words, _: tuple(words["size"]))

    def decode(self, file: BinaryIO) -> Call:
        """Future result: a DecodedImage."""
        return self._submit({"do": "decode"}, file, unpacked)

    def encode(self, array: np.ndarray, format: str, metadata: Metadata = PLAIN) -> Call:
        """Future result: the bytes of an image file."""
        words, buffers = packed(DecodedImage(array, None, metadata))
        return self._submit({"do": "encode", "format": format, **words}, buffers, lambda _, parts: bytes(parts[0]))

    @property
    def waiting(self) -> int:
        """Calls for which no process has time yet."""
        return max(0, self._calls - self.workers)

    def warm(self) -> None:
        """Start the processes now, so that no image waits for one. Raises Refused where they cannot be started."""
        together = threading.Barrier(self.workers)

        def start() -> None:
            try:
                self._process()
            finally:
                together.wait()  # a thread that was ready first would take the turn of another

        for future in [self._threads.submit(start) for _ in range(self.workers)]:
            future.result()

    def close(self) -> None:
        """End all processes, whatever they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in list(self._processes):
            process.kill()
        self._threads.shutdown()
        for process in list(self._processes):
            self._discard(process)

    # -- one thread for each process ----------------------------------------------------------------------------------

    def _submit(self, words: dict[str, Any], source: "BinaryIO | list[Buffer]", finish: Any) -> Call:
        call = Call()
        words["seconds"] = self.seconds[words["do"]]
        self._count(1)
        self._threads.submit(self._run, call, words, source, finish)
        return call

    def _count(self, change: int) -> None:
        with self._lock:
            self._calls += change

    def _run(self, call: Call, words: dict[str, Any], source: "BinaryIO | list[Buffer]", finish: Any) -> None:
        try:
            if not call.future.set_running_or_notify_cancel():
                return
            answer, parts = self._ask(call, words, source if isinstance(source, list) else [_content(source)])
            if "error" in answer:
                if "trace" in answer:
                    LOG.warning("an image could not be used\n%s", answer["trace"])
                raise Refused(answer["status"], answer["error"])
            call.future.set_result(finish(answer, parts))
        except Exception as error:
            call.future.set_exception(error)
        finally:
            self._count(-1)

    def _ask(self, call: Call, words: dict[str, Any], buffers: Sequence[Buffer]) -> tuple[dict, list[bytearray]]:
        """Send a call to this thread's process and wait for its answer. Raises Refused."""
        process = self._process()
        if not call.begin(process):
            raise Refused(503, "it was ended before it began")
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(words["seconds"], end)
        timer.start()
        calls, answers = _pipes(process)
        try:
            write_frame(calls, words, buffers)
            return read_frame(answers, 16 * self.pixels + BESIDE)
        except (OSError, EOFError, FrameError, ValueError) as error:
            self._discard(process)
            if late.is_set():
                text = (
                    f"{words['do'].removesuffix('e')}ing takes longer than {words['seconds']:g} s; save the image anew"
                )
                raise Refused(422, text) from error
            raise Refused(422, "the image ended the process that reads it; save the image anew") from error
        finally:
            timer.cancel()
            call.end()
            if late.is_set() or call.stopped:
                self._discard(process)

    def _process(self) -> subprocess.Popen:
        """This thread's process, a new one where it has ended. Raises Refused where none can be started."""
        process = getattr(self._own, "process", None)
        if process is None or process not in self._processes or process.poll() is not None:
            self._own.process = process = self._start()
        return process

    def _start(self) -> subprocess.Popen:
        others = filter(os.path.isabs, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        places = [PACKAGE_PLACE, *others]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(places),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        try:
            process = subprocess.Popen(
                [*COMMAND, str(self.pixels)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
            self._processes.add(process)
            timer = threading.Timer(START_SECONDS, process.kill)
            timer.start()
            try:
                read_frame(_pipes(process)[1], 0)
            except EOFError:
                self._discard(process)
                raise
            finally:
                timer.cancel()
        except (OSError, EOFError, FrameError) as error:
            self.broken = f"the process that decodes images cannot be started ({error})"
            LOG.error("%s", self.broken)
            raise Refused(503, self.broken) from error
        self.broken = ""
        _widen(process)
        return process

    def _discard(self, process: subprocess.Popen) -> None:
        process.kill()
        process.wait()
        for pipe in _pipes(process):
            with contextlib.suppress(OSError):  # what was not sent any more
                pipe.close()
        self._processes.discard(process)


async def finished(call: Call) -> Any:
    """The result of a call; whoever does not wait for it any more, stops it."""
    try:
        return await asyncio.wrap_future(call.future)
    finally:
        call.stop()


def _pipes(process: subprocess.Popen) -> tuple[BinaryIO, BinaryIO]:
    """Its standard input and output."""
    return cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    data = file.read()
    if not data:
        raise Refused(422, "the file is empty (0 bytes)")
    return data


def _widen(process: subprocess.Popen) -> None:
    """Pipes that take more at a time, where the system has that: fewer changes between the two processes."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        for pipe in _pipes(process):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
