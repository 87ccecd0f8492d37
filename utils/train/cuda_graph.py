"""Losses and gradients of a batch as one CUDA graph: a small network then no longer waits for its kernels to be launched."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .types import Batch

WARM_UP = 2  # passes before the capture: libraries choose their kernels and workspaces in them
AGREEMENT = 0.02  # share by which the losses of the graph may differ from those without it, in half precision

Losses = dict[str, Tensor]


class CaptureError(RuntimeError):
    """This step cannot be captured, or the captured one gives other losses."""


class CapturedStep:
    """`step`, captured for batches of one shape. Calling it gives the losses, and every parameter its gradient.

    Args:
        step: batch on the device → losses; leaves gradients behind, and neither waits for the device nor branches on values.
        batch: on the device; what its tensors are called and their shapes are kept.
        network: whose buffers get back what they held before: the passes that capturing takes are no training.

    Raises:
        CaptureError: something in the step cannot be captured, or replaying it gives other losses.
    """

    def __init__(self, step: Callable[[Batch], Losses], batch: Batch, network: nn.Module) -> None:
        self.batch = {name: value.clone() if torch.is_tensor(value) else value for name, value in batch.items()}
        self.shapes = shapes_of(batch)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.graph = torch.cuda.CUDAGraph()
        with _kept(network.buffers()):
            try:
                expected = self._warm_up(step)
                self._capture(step)
            except RuntimeError as error:  # torch.AcceleratorError is one, too
                raise CaptureError(f"the step cannot be captured ({' '.join(str(error).split())[:200]})") from error
            found = float(self(batch)["total"])
        if not abs(found - expected) <= AGREEMENT * abs(expected):
            raise CaptureError(f"the captured step has the loss {found:.6g} where it is {expected:.6g}")

    def __call__(self, batch: Batch) -> Losses:
        """Raises KeyError for a batch of other tensors; `fits` tells."""
        for name, mine in self.batch.items():
            if torch.is_tensor(mine):
                mine.copy_(batch[name], non_blocking=True)
        self.graph.replay()
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        return {name: value.clone() for name, value in self.losses.items()}

    def fits(self, batch: Batch) -> bool:
        """Whether the batch has the tensors and the shapes for which the step was captured."""
        return shapes_of(batch) == self.shapes

    def _warm_up(self, step: Callable[[Batch], Losses]) -> float:
        """Total loss without the graph."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._forget_gradients()
                total = float(step(self.batch)["total"])
        torch.cuda.current_stream().wait_stream(stream)
        return total

    def _capture(self, step: Callable[[Batch], Losses]) -> None:
        self._forget_gradients()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):  # the loader pins memory meanwhile
            self.losses = step(self.batch)
        self.gradients = [(p, p.grad) for p in self.parameters if p.grad is not None]

    def _forget_gradients(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None


class GraphedSteps:
    """`step` as a CUDA graph once it has run `after` times, for the shapes of that batch; others go through as they are.

    Where it cannot be captured that is said in the log, once, and all batches go through as they are.
    """

    def __init__(
        self, step: Callable[[Batch], Losses], network: nn.Module, log: logging.Logger, after: int = 3
    ) -> None:
        self.step, self.network, self.log, self.left = step, network, log, after
        self.captured: CapturedStep | None = None

    def __call__(self, batch: Batch) -> Losses:
        if self.captured is None and self.left >= 0:
            self.left -= 1
            if self.left < 0:
                self._try(batch)
        if self.captured is not None and self.captured.fits(batch):
            return self.captured(batch)
        return self.step(batch)

    def renew(self) -> None:
        """Capture anew with the next batch: numbers that the step computes with, such as loss weights, have changed."""
        if self.captured is not None:
            self.captured, self.left = None, 0

    def _try(self, batch: Batch) -> None:
        try:
            self.captured = CapturedStep(self.step, batch, self.network)
        except CaptureError as error:
            self.log.warning("Train.cuda_graph: %s; training goes on without a graph", error)
            for parameter in self.network.parameters():
                parameter.grad = None
        else:
            self.log.info("the training step runs as a CUDA graph")


def shapes_of(batch: Batch) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor of a batch."""
    return {name: tuple(value.shape) for name, value in batch.items() if torch.is_tensor(value)}


@contextmanager
def _kept(buffers: Iterable[Tensor]) -> Iterator[None]:
    """What the buffers hold comes back at the end."""
    kept = [(buffer, buffer.clone()) for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)
