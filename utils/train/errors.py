"""What can stop a training run, said so that the reader knows what to do."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

ADVICE = "Look at these files; if they are sound, lower the rate, set clip_norm, or train in float32 or bfloat16"


class NonFiniteError(RuntimeError):
    """A loss or a gradient is infinite or not a number."""


class WorkerError(RuntimeError):
    """A data worker was killed."""


class DeviceMemoryError(RuntimeError):
    """The network and its batch do not fit into the device's memory."""


@contextmanager
def friendly_errors(last_checkpoint: Callable[[], str]) -> Iterator[None]:
    """Say in one line what torch says in many, and how to go on.

    Raises:
        WorkerError, DeviceMemoryError: in place of torch's own.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(_memory_message(last_checkpoint())) from error
    except RuntimeError as error:
        text = str(error)
        if re.search(r"DataLoader worker \(pid", text):
            raise WorkerError(
                f"a data worker has died ({text.splitlines()[0]}): most often the machine's memory was full, so lower "
                f"Train.Dataloader.num_workers or batch_size. {last_checkpoint()}"
            ) from error
        if "DefaultCPUAllocator" in text and "memory" in text:
            raise DeviceMemoryError(_memory_message(last_checkpoint())) from error
        raise


def _memory_message(last_checkpoint: str) -> str:
    return (
        "the memory is too small for this batch: lower Train.Dataloader.batch_size (Optimizer.accumulate makes up for "
        "it), set activation_checkpointing: true, use precision bfloat16, or train at a smaller size. "
        f"{last_checkpoint}"
    )


def describe_batch(
    group: Sequence[Mapping[str, Any]],
    table: Sequence[Sequence[float]],
    names: Sequence[str],
    norm: float,
    describe: Callable[[Sequence[int]], Sequence[str]] | None,
) -> str:
    """Name what is not finite, and the files that were in the batch; empty if all is well in this process.

    Args:
        group: the batches of one optimizer step.
        table: their losses, one row per batch, one column per name.
        norm: of the gradient over all of them.
    """
    bad = [row for row, values in enumerate(table) if not all(map(math.isfinite, values))]
    if bad:
        wrong = [name for i, name in enumerate(names) if any(not math.isfinite(table[row][i]) for row in bad)]
        what = f"the loss is not finite ({', '.join(f'{name} = {table[bad[0]][names.index(name)]}' for name in wrong)})"
    elif not math.isfinite(norm):
        bad = list(range(len(group)))
        what = f"the gradient is not finite (norm {norm}), though the losses are"
    else:
        return ""
    indices = [int(index) for row in bad for index in group[row]["index"]] if "index" in group[bad[0]] else []
    files = list(describe(indices)) if describe is not None else [f"sample {index}" for index in indices]
    return f"{what}; in the batch: {', '.join(files) or 'samples without an index'}. {ADVICE}"
