"""Workers as processes of this machine. One that dies is started again, and its chunk is done again."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..engine.network_options import NetworkOptions
from ..networks.choose import graph_of
from ..utils.system.cores import usable_cores
from ..utils.system.signals import ignore
from .errors import BatchError, guarded
from .in_flight import TRIES
from .inputs import Item
from .layout import Layout, Node
from .manifest import Row

Task = list[Item]
MakeWorker = Callable[[str, str, int], Callable[[Task], list[Row]]]  # name, device, threads → items → rows


@dataclass
class _Slot:
    """A place for a worker: its process and what it has at hand."""

    name: str
    process: BaseProcess
    line: Connection
    task: Task | None = None
    starts: int = 1  # how often in a row a worker was started here without becoming ready; 0 once one is ready


def _gpus(device: str) -> int:
    """How many GPUs of CUDA there are; without torch at most 1, since onnxruntime does not count them. Raises DeviceError."""
    if find_spec("torch") is None:
        import onnxruntime

        from ..networks.runtimes import choose_provider

        return int(choose_provider(device, onnxruntime.get_available_providers())[1].startswith("cuda"))
    from ..utils.system.device import available_devices, resolve_device

    resolve_device(device)
    return sum(name.startswith("cuda") for name in available_devices())


class LocalExecutor:
    """Context manager. Needs nothing but Python."""

    name = "local"

    def __init__(self, say: Callable[[str], None], options: NetworkOptions):
        self.say, self.options = say, options
        self.slots: list[_Slot] = []

    def __enter__(self) -> "LocalExecutor":
        return self

    def __exit__(self, *_: object) -> None:
        for slot in self.slots:
            slot.process.kill()  # results are written in one step: nothing is torn
            slot.process.join()
            slot.line.close()
        self.slots.clear()

    def nodes(self) -> list[Node]:
        """This machine. Raises DeviceError where the device that was asked for is not there."""
        device = self.options.device
        # other devices than CUDA's are not counted, and a graph that is given none takes what its runtime has
        other = not device.startswith(("auto", "cuda"))
        by_graph = graph_of(self.options) is not None
        if device == "cpu" or (by_graph and (other or device == "auto")):
            return [Node(usable_cores(), 0)]
        return [Node(usable_cores(), _gpus(device))]

    def run(self, tasks: Sequence[Task], make: MakeWorker, layout: Layout) -> Generator[list[Row]]:
        """Rows of each task, in the order in which they end. Raises BatchError where a worker cannot start, or dies of it."""
        context = multiprocessing.get_context("spawn")
        left = deque(tasks)

        def begin(place: int, starts: int = 1) -> _Slot:
            here, there = context.Pipe()
            name = f"{place + 1} of {layout.workers}"
            words = (there, make, name, layout.device(place), layout.threads)
            process = context.Process(target=_work, args=words, daemon=True)
            process.start()
            there.close()
            return _Slot(name, process, here, starts=starts)

        self.slots = [begin(place) for place in range(min(layout.workers, len(tasks)))]
        while left or any(slot.task for slot in self.slots):
            ready = wait([slot.line for slot in self.slots])
            for place, slot in enumerate(self.slots):
                if slot.line not in ready:
                    continue
                try:
                    kind, content = slot.line.recv()
                except (EOFError, OSError):
                    slot.process.join()
                    self._handle_worker_death(slot, left)
                    slot.line.close()
                    if left:
                        self.slots[place] = begin(place, slot.starts + 1)
                    continue
                if kind == "error":
                    raise BatchError(content)
                slot.task, slot.starts = None, 0
                if kind == "done":
                    yield content
                if left:
                    slot.task = left.popleft()
                    with contextlib.suppress(OSError):  # it died just now: the next round sees that
                        slot.line.send(slot.task)
            self.slots = [slot for slot in self.slots if not slot.line.closed]

    def _handle_worker_death(self, slot: _Slot, left: deque[Task]) -> None:
        if slot.task:
            left.appendleft(slot.task)
        cause = _cause(slot.process.exitcode)
        if left and slot.starts >= TRIES:
            raise BatchError(
                f"worker {slot.name} died {TRIES} times before it was ready ({cause}), see what it said above: take fewer "
                "--workers where memory is short; run the same command again where the package was changed meanwhile; in a "
                "script, start the batch below if __name__ == '__main__'"
            )
        self.say(
            f"worker {slot.name} died ({cause}); {'its images are done again' if slot.task else 'it starts again'}"
        )
        slot.task = None


def _cause(code: int | None) -> str:
    """Why a process ended, by its exit code: the name of a signal, or the code."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # most real-time signals have no name
        return f"signal {-code}"


def _end_with_parent() -> None:
    """End this process when the command is killed, whose lock is free then: the next one may be at work already."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # at once, also from the middle of an image: results are written in one step


def _work(line: Connection, make: MakeWorker, name: str, device: str, threads: int) -> None:
    """Body of a worker's process; ends when the command ends, however that happens."""
    ignore(signal.SIGINT)  # the command answers it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        kind, worker = guarded(make, name, device, threads)
        line.send((kind, worker) if kind == "error" else ("ready", None))
        while kind != "error":
            kind, content = guarded(lambda: worker(line.recv()))  # a task that cannot be read is told, too
            line.send((kind, content))
