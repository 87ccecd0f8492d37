"""What a run says while it runs: progress bars, log lines, TensorBoard, a tracker."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from tqdm import tqdm

from .trackers import SafeTracker

SCALARS_EVERY = 20  # steps between two points of a TensorBoard curve


class TrainLogger:
    """Bars, TensorBoard and tracker of the main process; on the others it does nothing.

    Args:
        bars: show progress bars.
        groups: names of the optimizer's parameter groups.
        writer: called with the iteration from which on older events are void; returns a SummaryWriter.
    """

    def __init__(
        self,
        main: bool,
        bars: bool,
        log: logging.Logger,
        groups: Sequence[str],
        writer: Callable[[int], Any] | None = None,
        tracker: SafeTracker | None = None,
    ) -> None:
        self._main = main
        self._bars = bars and main
        self._groups = groups
        self._make_writer = writer if main else None
        self._writer: Any | None = None
        self._tracker = tracker if main else None
        self._iteration = 0
        self._logger = log
        self._epochs: tqdm | None = None
        self._steps: tqdm | None = None
        self._images = 0
        self._since = 0.0

    def start(self, epoch: int, epochs: int, iteration: int) -> None:
        """Open the bar over epochs, TensorBoard and the tracker."""
        self._iteration = iteration
        if self._make_writer is not None:
            self._writer = self._make_writer(iteration)
        if self._tracker is not None:
            self._tracker.start()
        self._epochs = tqdm(total=epochs, initial=epoch, desc="epochs", unit="epoch", disable=not self._bars)

    def start_epoch(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Open the bar over the steps of an epoch (counted from 0)."""
        self._steps = tqdm(
            total=steps,
            initial=done,
            desc=f"epoch {epoch + 1}/{epochs}",
            unit="step",
            position=1,
            leave=False,
            disable=not self._bars,
        )
        self._images, self._since = 0, time.monotonic()

    def step(
        self, iteration: int, losses: Mapping[str, float], rates: Sequence[float], norms: Sequence[float], images: int
    ) -> None:
        """Show one step: losses, the highest rate, images per second over all processes.

        rates: of each group. norms: of each group's gradients, and of all.
        """
        self._images += images
        self._iteration = iteration
        if self._steps is not None:
            self._steps.set_postfix_str(
                f"loss {losses['total']:.4f}, rate {max(rates):.2e}, {self.speed():.1f} images/s", refresh=False
            )
            self._steps.update()
        if iteration % SCALARS_EVERY == 0:
            self._scalars(
                iteration,
                train=losses,
                rate=dict(zip(self._groups, rates, strict=True)),
                gradient_norm=dict(zip((*self._groups, "total"), norms, strict=True)),
                speed={"images_per_second": self.speed()},
            )

    def speed(self) -> float:
        """Images per second in this epoch, as far as it has come."""
        return self._images / max(time.monotonic() - self._since, 1e-9)

    def end_epoch(self, epoch: int, epochs: int, iteration: int, losses: Mapping[str, float], rate: float) -> None:
        """Close the bar over steps and write one line."""
        if self._steps is not None:
            self._steps.close()
        if self._epochs is not None:
            self._epochs.update()
        if self._main:
            parts = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
            self.log(f"epoch {epoch}/{epochs}, step {iteration}: {parts}; rate {rate:.2e}, {self.speed():.1f} images/s")
        self._scalars(epoch, epoch=losses)

    def validation(self, epoch: int, metrics: Mapping[str, float], best: bool) -> None:
        """Write one line of scores."""
        if self._main:
            scores = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
            self.log(f"validation after epoch {epoch}: {scores}{' (the best so far)' if best else ''}")
        self._scalars(epoch, validation=metrics)
        if self._writer is not None:
            self._writer.flush()

    @property
    def takes_pictures(self) -> bool:
        """Whether a picture goes anywhere."""
        return self._writer is not None or self._tracker is not None

    def picture(self, name: str, picture: np.ndarray, iteration: int) -> None:
        """Show a picture, uint8 (H, W, 3), in TensorBoard and in the tracker."""
        if self._writer is not None:
            self._writer.add_image(name, picture, iteration, dataformats="HWC")
        if self._tracker is not None:
            self._tracker.image(name, picture, iteration)

    def log(self, message: str, level: int = logging.INFO) -> None:
        """Log a line. Every process may call it; only the main one speaks."""
        if self._main:
            self._logger.log(level, message)

    def _scalars(self, step: int, **groups: Mapping[str, float]) -> None:
        """step: for TensorBoard, whose curves may count epochs; a tracker counts iterations alone."""
        values = {f"{group}/{name}": value for group, named in groups.items() for name, value in named.items()}
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        if self._tracker is not None:
            self._tracker.log(values, self._iteration)

    def __enter__(self) -> "TrainLogger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in (self._steps, self._epochs):
            if bar is not None:
                bar.close()
        if self._writer is not None:
            self._writer.close()
        if self._tracker is not None:
            self._tracker.finish(failed=kind is not None)
