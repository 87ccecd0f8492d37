"""What run/Benchmark.py measures: one forward pass, one training step, their time by part and their memory."""

import functools
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import nn

from ..lib.fast.switchable import Switchable
from ..lib.modules.norm import BatchSizeError, recompute_encoder
from ..utils.config.schema import Config
from ..utils.system.allocator import PREDICTING, TRAINING, freed_memory_kept
from ..utils.system.precision import flush_denormals
from ..utils.system.timing import interleave, peak_memory, ratios
from . import build
from .predictor import Predictor
from .train import criterion_of, optimizer_of

PARTS = {  # name in the picture → (sub-module, method) whose calls belong to it
    "encoder": [("backbone", "forward")],
    "contexts": [(f"context{i}", "forward") for i in range(1, 6)],
    "decoder": [("decoder", "forward")],
    **{f"SICA{j}": [(f"attention{j}", m) for m in ("forward", "keys_values_of", "refine_tiles")] for j in (2, 1, 0)},
    "pyramid": [("pyramid", m) for m in ("reduce", "reconstruct")],
}


@dataclass(frozen=True)
class Case:
    """One thing to measure."""

    work: str  # "inference" or "train"
    size: tuple[int, int]
    precision: str
    path: str  # "fast" or "plain"
    batch: int = 1
    checkpointing: bool = False
    jit: bool = False
    flush: bool = True
    disc: bool = False

    @property
    def name(self) -> str:
        extras = [text for text, on in (("checkpointing", self.checkpointing), ("compiled", self.jit)) if on]
        extras += [] if self.flush else ["denormals"]
        return " ".join([self.path, self.precision, *extras])


def prepare(config: Config, case: Case, device: torch.device) -> Callable[[], object]:
    """A function that does the case's work once; building it is not part of the measurement."""
    if case.flush:
        flush_denormals()
    torch.manual_seed(0)
    model: Any = build.network(config, start=False).to(device)
    model.fast = case.path == "fast"
    if case.disc:
        force_disc_prediction(model)
    return (_inference if case.work == "inference" else _training)(config, case, model, device)


def force_disc_prediction(model: Switchable) -> None:
    """Let an untrained InSPyReNet find what a trained one would find on a photo: one object, with an edge.

    The first map becomes a disc of a tenth of the image, and the details added to it become small. Everything is computed as
    before; only where blending has work to do changes, which noise would be everywhere.
    Raises ValueError for a network without these parts.
    """
    if not hasattr(model, "decoder") or not hasattr(model, "attention0"):
        raise ValueError("--disc is for networks of the InSPyReNet family")

    def disc(module: nn.Module, inputs: tuple, out: tuple) -> tuple:
        feature, logits = out
        rows, columns = (torch.linspace(-1, 1, n, device=logits.device) for n in logits.shape[-2:])
        return feature, ((0.36 - (rows[:, None] ** 2 + columns**2).sqrt()) * 100).clamp(-9, 9).expand_as(logits)

    measure_statistics(model)
    model.get_submodule("decoder").register_forward_hook(disc)
    for stage in (2, 1, 0):
        nn.init.constant_(model.get_parameter(f"attention{stage}.conv_out4.bn.weight"), 1e-3)


@torch.no_grad()
def measure_statistics(model: Switchable) -> None:
    """Set the running statistics of every BatchNorm to those of one batch of noise, so that maps stay in range."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(torch.randn(2, 3, *model.base_size, device=next(model.parameters()).device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@contextmanager
def as_used(case: Case, work: Callable[[], object]) -> Iterator[None]:
    """As the commands run it: the fast path keeps freed memory, and hands it back at the end, before the next variant. Subnormal
    numbers are flushed or not, as the case says: other cases are prepared already.

    A training step finds what the step before it has left, so one goes before: only the first step takes memory from the system.
    """
    torch.set_flush_denormal(case.flush)
    if case.path == "plain":
        yield
        return
    with freed_memory_kept(TRAINING if case.work == "train" else PREDICTING):
        if case.work == "train":
            work()
        yield


def _inference(config: Config, case: Case, model: nn.Module, device: torch.device) -> Callable[[], object]:
    section = build.section(config, "Model")
    test: dict[str, Any] = {}
    if config.Test is not None:
        test = {"merging": config.Test.patch_merging, "scales": config.Test.scales, "flip": config.Test.flip}
    predictor = Predictor(
        model.eval(), device, section.threshold, section.alignment, case.precision, jit=case.jit, **test
    )
    image = torch.randn(case.batch, 3, *case.size)
    resized = torch.randn(case.batch, 3, *section.base_size) if section.threshold else None
    return functools.partial(predictor, image, resized)


def _training(config: Config, case: Case, model: nn.Module, device: torch.device) -> Callable[[], object]:
    from ..utils.system.precision import Precision, to_float32
    from ..utils.train.state import set_train_mode

    train = build.section(config, "Train")
    build.freeze(model, train.FineTune.freeze_stages)
    build.freeze_parts(model, train.FineTune.freeze)
    set_train_mode(model, train.FineTune.freeze_batchnorm)
    if case.checkpointing:
        recompute_encoder(model.get_submodule("backbone"))
    criterion: Any = criterion_of(config).to(device)
    criterion.fast = case.path == "fast"
    optimizer = optimizer_of(model, train)
    precision = Precision(case.precision, device)
    image = torch.randn(case.batch, 3, *case.size, device=device)
    mask = (torch.rand(case.batch, 1, *case.size, device=device) > 0.5).float()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with precision.autocast():
            try:
                out = model(image)
            except BatchSizeError as error:
                raise BatchSizeError("BatchNorm cannot learn from one image here: take --batch 2 or more") from error
        loss = criterion(to_float32(out), mask)["total"]
        precision.scaler.scale(loss).backward()
        precision.scaler.step(optimizer)
        precision.scaler.update()

    return step


def waiter(device: torch.device) -> Callable[[], None]:
    """Blocks until the device is idle."""
    return functools.partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None


def measure_time(
    config: Config, cases: list[Case], device: torch.device, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, dict]:
    """Seconds of each case, measured in turn in this process, and their ratios to the first."""
    work = {case.name: prepare(config, case, device) for case in cases}
    around = {case.name: functools.partial(as_used, case, work[case.name]) for case in cases}
    seconds = interleave(work, rounds, warmup=1, wait=waiter(device), around=around, clock=clock)
    against = ratios(seconds, cases[0].name)
    return {name: {"seconds": values, "times_faster": against.get(name)} for name, values in seconds.items()}


def measure_memory(config: Config, case: Case, device: torch.device) -> int:
    """Peak bytes above the loaded model, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_memory_child, args=(theirs, config, case, str(device)))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{case.name} at {case.size}: the process ended with code {process.exitcode}") from None
    finally:
        process.join()


def _memory_child(pipe: Connection, config: Config, case: Case, device: str) -> None:
    work = prepare(config, replace(case, flush=True), torch.device(device))
    with peak_memory(torch.device(device)) as found, as_used(case, work):
        work()
    pipe.send(found["above"])


def count(config: Config, size: tuple[int, int]) -> dict[str, float]:
    """Parameters, and multiply-adds of one plain pass at this size."""
    from torch.utils.flop_counter import FlopCounterMode

    model: Any = build.network(config, start=False).eval()
    model.fast = False
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, *size))
    return {"parameters": sum(p.numel() for p in model.parameters()), "macs": counter.get_total_flops() / 2}


def time_by_part(config: Config, case: Case, device: torch.device) -> dict[str, float]:
    """Seconds of one forward pass by part of the network; what is not in a part is `other`."""
    work: Any = prepare(config, case, device)
    model = work.func.model
    work()
    wait = waiter(device)
    spent: dict[str, float] = defaultdict(float)
    with _clocks(model, spent, wait):
        started = time.perf_counter()
        work()
        wait()
        total = time.perf_counter() - started
    return {**spent, "other": max(0.0, total - sum(spent.values()))}


@contextmanager
def _clocks(model: nn.Module, spent: dict[str, float], wait: Callable[[], None]) -> Iterator[None]:
    """Wraps the methods of PARTS; the outermost running clock counts."""
    running: list[str] = []
    wrapped = []

    def clock(part: str, method: Callable) -> Callable:
        def timed(*args, **kwargs):
            if running:
                return method(*args, **kwargs)
            running.append(part)
            started = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                wait()
                spent[part] += time.perf_counter() - started
                running.pop()

        return timed

    for part, methods in PARTS.items():
        for child, method in methods:
            module = getattr(model, child, None)
            if module is not None and hasattr(module, method):
                setattr(module, method, clock(part, getattr(module, method)))
                wrapped.append((module, method))
    try:
        yield
    finally:
        for module, method in wrapped:
            delattr(module, method)
