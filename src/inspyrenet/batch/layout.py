"""How workers are spread over processors and GPUs: pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BatchError

THREADS = 4  # of a worker; more of them bring a network little


@dataclass(frozen=True)
class Node:
    """One machine."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True)
class Layout:
    """workers: how many. threads: of the processor, for each. gpu: share of a GPU for each; 0 without GPUs."""

    workers: int
    threads: int
    gpu: float = 0
    gpus: int = 0
    asked: str = "auto"

    def device(self, place: int) -> str:
        """The device of worker number `place` on one machine; a GPU's number only where nobody named one."""
        if not self.gpu:
            return self.asked
        return f"cuda:{place % self.gpus}" if self.asked in ("auto", "cuda") else self.asked

    def __str__(self) -> str:
        text = f"{self.workers} worker{'s' * (self.workers > 1)} of {self.threads} thread{'s' * (self.threads > 1)}"
        return text + (f" and {self.gpu:g} GPU each" if self.gpu else "")


def lay_out_workers(
    nodes: Sequence[Node], workers: int | None, threads: int | None, device: str, reserve: bool = False
) -> Layout:
    """Default number: one for each GPU, else one for every four cores. Each gets its share of the cores.

    reserve: cores are given out by a scheduler, so that there cannot be more workers than fit.
    Raises BatchError where there is no room, or no GPU although one was asked for.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    if device.startswith("cuda") and not gpus:
        raise BatchError(f"device {device} was asked for but there is no GPU among {len(nodes)} machine(s)")
    if device not in ("auto", "cuda") and not device.startswith("cuda"):
        gpus = 0
    if workers is None:
        workers = gpus or max(1, cpus // THREADS)
    if workers < 1 or (threads is not None and threads < 1):
        raise BatchError("there is at least 1 worker, of at least 1 thread")
    gpu = 1 / -(-workers // gpus) if gpus else 0
    hosts = [node for node in nodes if node.gpus] if gpu else list(nodes)
    fitting = threads or max(1, sum(node.cpus for node in hosts) // workers)
    while reserve and threads is None and fitting > 1 and _room(hosts, fitting) < workers:
        fitting -= 1
    if reserve and _room(hosts, fitting) < workers:
        raise BatchError(
            f"{workers} workers of {fitting} thread(s) do not fit on the {cpus} core(s) of {len(nodes)} machine(s): "
            f"at most {_room(hosts, fitting)} do"
        )
    return Layout(workers, fitting, gpu, gpus, device)


def _room(nodes: Sequence[Node], threads: int) -> int:
    return sum(node.cpus // threads for node in nodes)
