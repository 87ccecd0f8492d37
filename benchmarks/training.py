"""Training speed: images per second and peak memory of the optimizer step, as Train does it, without reading files.

.venv/bin/python benchmarks/training.py --model InSPyReNet_Res2Net50 InSPyReNet_SwinB --batch 6 16 --device cuda \
    --precision float32 bfloat16

Batches are random and lie in memory; benchmarks/data_pipeline.py times what feeds them. The first steps are not counted.
"""

import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from inspyrenet import build_criterion, build_model
from inspyrenet.commands.parser import Parser
from inspyrenet.utils.optim.lr_schedule import Schedule
from inspyrenet.utils.optim.optimizer import build_optimizer, parameter_groups
from inspyrenet.utils.system.device import describe_device, resolve_device
from inspyrenet.utils.system.precision import flush_denormals
from inspyrenet.utils.train.checkpoint import CheckpointFolder
from inspyrenet.utils.train.trainer import Trainer, TrainOptions

WARM_UP = 3  # steps


class RandomBatches:
    """A loader that gives the same random batch for ever."""

    def __init__(self, batch: int, size: int) -> None:
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(batch, 3, size, size, generator=generator)
        self.batch = {"image": image, "mask": (image[:, :1] > 0).float(), "index": torch.arange(batch)}
        self.global_batch = batch

    def __len__(self) -> int:
        return 1_000_000

    def batches(self, epoch: int, start: int = 0) -> Iterator[dict]:
        while True:
            yield self.batch

    def close(self) -> None: ...


def build(name: str, batch: int, size: int, precision: str, device: torch.device, checkpointing: bool) -> Trainer:
    """A trainer on random images of size² pixels."""
    model = build_model(name, base_size=(size, size), pretrained=False).to(device)
    if checkpointing:
        model.backbone.checkpointing = True
    return Trainer(
        model=model,
        criterion=build_criterion(name).to(device),
        optimizer=build_optimizer(parameter_groups(model), "Adam", 1e-6),
        schedule=Schedule("Constant", 1_000_000),
        loader=RandomBatches(batch, size),
        device=device,
        options=TrainOptions(epochs=1),
        folder=CheckpointFolder(Path(tempfile.gettempdir()) / "unused"),
        precision=precision,
    )


def measure(trainer: Trainer, steps: int) -> tuple[float, float]:
    """Images per second (median over steps) and peak memory in GiB (of the GPU, else of this process so far)."""
    device = trainer.device
    trainer.model.train()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times = []
    for batch, _ in zip(trainer.loader.batches(0), range(WARM_UP + steps), strict=False):
        start = time.perf_counter()
        trainer.step([batch])  # waits for the device by itself: it looks at the loss
        times.append(time.perf_counter() - start)
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device) / 2**30
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return trainer.loader.global_batch / statistics.median(times[WARM_UP:]), peak


def main(argv: list[str] | None = None) -> int:
    """Print one line per model, precision and batch size."""
    parser = Parser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=["InSPyReNet_Res2Net50", "InSPyReNet_SwinB"])
    parser.add_argument("--batch", nargs="+", type=int, default=[6, 16])
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--activation-checkpointing", action="store_true")
    options = parser.parse_args(argv)
    flush_denormals()
    device = resolve_device(options.device)
    print(f"torch {torch.__version__}, {describe_device(device)}, {platform.machine()}, {options.size}²")
    for name in options.model:
        for precision in options.precision:
            for batch in options.batch:
                trainer = build(name, batch, options.size, precision, device, options.activation_checkpointing)
                speed, peak = measure(trainer, options.steps)
                print(f"{name:22} {precision:9} batch {batch:3}  {speed:8.2f} images/s  {peak:6.2f} GiB", flush=True)
                del trainer
                if device.type == "cuda":
                    torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
