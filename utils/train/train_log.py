"""What a run says while it runs: progress bars, log lines, TensorBoard."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from tqdm import tqdm

SCALARS_EVERY = 20  # steps between two points of a TensorBoard curve


class TrainLogger:
    """Bars and TensorBoard of the main process; on the others it does nothing.

    Args:
        bars: show progress bars.
        writer: called with the iteration from which on older events are void; returns a SummaryWriter.
    """

    def __init__(self, main: bool, bars: bool, log: logging.Logger, writer: Callable[[int], Any] | None = None) -> None:
        self._main = main
        self._bars = bars and main
        self._make_writer = writer if main else None
        self.writer: Any | None = None
        self._logger = log
        self._epochs: tqdm | None = None
        self._steps: tqdm | None = None
        self._images = 0
        self._since = 0.0

    def start(self, epoch: int, epochs: int, iteration: int) -> None:
        """Open the bar over epochs and TensorBoard."""
        if self._make_writer is not None:
            self.writer = self._make_writer(iteration)
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

    def step(self, iteration: int, losses: Mapping[str, float], rates: Sequence[float], images: int) -> None:
        """Show one step: losses, the first group's rate, images per second over all processes."""
        self._images += images
        if self._steps is not None:
            self._steps.set_postfix_str(
                f"loss {losses['total']:.4f}, rate {max(rates):.2e}, {self.speed():.1f} images/s", refresh=False
            )
            self._steps.update()
        if iteration % SCALARS_EVERY == 0:
            self._scalars("train", losses, iteration)
            self._scalars("rate", {f"group_{number}": rate for number, rate in enumerate(rates)}, iteration)
            self._scalars("speed", {"images_per_second": self.speed()}, iteration)

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
        self._scalars("epoch", losses, epoch)

    def validation(self, epoch: int, metrics: Mapping[str, float], best: bool) -> None:
        """Write one line of scores."""
        if self._main:
            scores = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
            self.log(f"validation after epoch {epoch}: {scores}{' (the best so far)' if best else ''}")
        self._scalars("validation", metrics, epoch)
        if self.writer is not None:
            self.writer.flush()

    def log(self, message: str, level: int = logging.INFO) -> None:
        """Log a line. Every process may call it; only the main one speaks."""
        if self._main:
            self._logger.log(level, message)

    def _scalars(self, group: str, values: Mapping[str, float], step: int) -> None:
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(f"{group}/{name}", value, step)

    def __enter__(self) -> "TrainLogger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in (self._steps, self._epochs):
            if bar is not None:
                bar.close()
        if self.writer is not None:
            self.writer.close()
