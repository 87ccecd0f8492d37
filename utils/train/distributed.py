"""Several processes as one run: torch.distributed under torchrun, and helpers that work just as well without.

`batch_size` is per process. Ranks and world size come from torch.distributed only, never from the visible GPUs.
"""

import datetime
import logging
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from ..system.signals import ignore
from .heartbeat import Heartbeat, PeerLost

LOG = logging.getLogger(__name__)
TIMEOUT = datetime.timedelta(hours=2)  # of one collective; a dead peer is noticed much earlier (train_peers)


def active() -> bool:
    """Whether this process belongs to a group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Number of this process among all, 0 if it is alone."""
    return dist.get_rank() if active() else 0


def world_size() -> int:
    """How many processes take part."""
    return dist.get_world_size() if active() else 1


def is_main() -> bool:
    """Whether this is the process that writes files."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here. Goes over the CPU: torch's own would have to guess the GPU."""
    maximum([0.0])


def gather(value: Any) -> list[Any]:
    """Everyone's value (plain Python or CPU tensors), in the order of ranks, on every process."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def broadcast(value: Any) -> Any:
    """The main process's value, on every process."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def maximum(values: Sequence[float]) -> list[float]:
    """Element-wise maximum over the processes: how they agree on stopping and saving."""
    if world_size() == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return tensor.tolist()


def mean(values: Mapping[str, float]) -> dict[str, float]:
    """Mean over the processes of numbers that every process has under the same names."""
    if world_size() == 1:
        return dict(values)
    tensor = torch.tensor(list(values.values()), dtype=torch.float64)
    dist.all_reduce(tensor)
    return dict(zip(values, (tensor / world_size()).tolist(), strict=True))


def share(tensors: Iterable[torch.Tensor]) -> None:
    """Overwrite these tensors, in place, with the main process's."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def launched() -> bool:
    """Whether torchrun (or something that sets the same variables) started this process."""
    return dist.is_available() and {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()


def launched_rank() -> int:
    """Number of this process among all, known also outside of a `session`; 0 if it is alone."""
    return int(os.environ["RANK"]) if launched() else 0


def local_rank() -> int:
    """Number of this process on its machine, by which it takes its GPU; known before `session`."""
    return int(os.environ.get("LOCAL_RANK", "0")) if launched() else 0


_stores: "dict[tuple[str, str], dist.Store]" = {}  # by address and port; live as long as the process, see _join
_sessions = 0


def _join() -> "tuple[dist.Store, int, int]":
    """A part of the run's key-value store for one session, the rank and the number of processes.

    The store is opened once: were the main process to close it after a session, a faster process that has begun the
    next session would have connected to the store that closes.
    """
    global _sessions
    place = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    if place not in _stores:
        _stores[place] = next(dist.rendezvous("env://", timeout=TIMEOUT))[0]
    _sessions += 1
    own = dist.PrefixStore(f"inspyrenet/session_{_sessions}", _stores[place])
    return own, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@contextmanager
def session(device: torch.device) -> Iterator[None]:
    """Join the group that torchrun has laid out, or be alone; leave it in order.

    While it lasts, a process that dies ends the others within a minute, and its reason is told on each.

    Args:
        device: that this process computes on; under torchrun with GPUs, the one numbered `local_rank`.

    Raises:
        PeerLost: another process of the run ended; the message gives its reason where it left one.
    """
    if not launched() or active():
        yield
        return
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"  # small agreements go over gloo and need not wait for the GPU
    store, number, size = _join()
    dist.init_process_group(backend, store=store, rank=number, world_size=size, timeout=TIMEOUT)
    heartbeat = Heartbeat(number, size, prefix=f"session_{_sessions}")
    try:
        yield
        barrier()
    except BaseException as error:
        ignore(signal.SIGTERM)  # torchrun ends all when one fails: first tell the reason
        reason = heartbeat.why_peer_lost(error)
        heartbeat.leave(failure=f"{type(error).__name__}: {error}" if reason is None else reason)
        if reason is not None:
            raise PeerLost(reason) from error
        raise
    heartbeat.leave()
    dist.destroy_process_group()


def prepare(model: nn.Module, device: torch.device) -> nn.Module:
    """Move a model to its device and, on several GPUs, let its BatchNorms share their statistics.

    SyncBatchNorm exists on CUDA only: elsewhere each process keeps plain BatchNorm, which is said once.
    Call it before the optimizer is built.
    """
    model = model.to(device)
    has_norms = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
    if world_size() > 1 and has_norms:
        if device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(model)
        if is_main():
            LOG.warning("SyncBatchNorm needs CUDA: on %s every process normalizes by its own batch alone", device.type)
    return model


def wrap(model: nn.Module, device: torch.device, find_unused: bool = False) -> nn.Module:
    """The model as DistributedDataParallel, or itself when the process is alone.

    Args:
        find_unused: needed if some parameters take no part in some steps; costs time.
    """
    if world_size() == 1:
        return model
    ids = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(
        model, device_ids=ids, find_unused_parameters=find_unused, gradient_as_bucket_view=True
    )
