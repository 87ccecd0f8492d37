"""Engines, each in a process of its own, which imports what that engine needs and computes one image when it is told to."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

Run = Callable[[np.ndarray, np.ndarray | None], np.ndarray]  # image, base-size copy or None → probabilities
STATUS = Path("/proc/self/status")  # of Linux; a process's own highest memory stands nowhere else
LARGE = 3 * 512 * 512  # values of an image
ENGINES = (
    "torch float32",
    "torch bfloat16",
    "onnxruntime float32",
    "openvino float32",
    "openvino bfloat16",
    "onnxruntime int8",
    "openvino int8",
)


@dataclass(frozen=True)
class Files:
    """One network: a config's name with overrides, weights, and what was exported of them. threshold: as of `Predictor`."""

    config: str
    overrides: tuple[str, ...]
    weights: Path
    float32: Path
    int8: Path | None
    threshold: int | None


@dataclass(frozen=True)
class Answer:
    """Seconds, also of the processor (all threads), and what was computed."""

    seconds: float
    cpu_seconds: float
    probability: np.ndarray


class Worker:
    """An engine in its process. load_seconds: from importing the engine to a network that is ready."""

    def __init__(self, name: str, files: Files | None = None):
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, files), daemon=True)
        self._process.start()
        theirs.close()
        self.load_seconds: float = self._receive()

    def run(self, image: np.ndarray, copy: np.ndarray | None) -> Answer:
        """One image (1, 3, H, W). Raises RuntimeError where the process has ended, for lack of memory for example."""
        self._pipe.send((image, copy))
        return self._receive()

    def close(self) -> int:
        """End it; its highest memory in bytes."""
        self._pipe.send(None)
        peak = self._receive()
        self._process.join()
        return peak

    def _receive(self):
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"{self.name}: its process ended with code {self._process.exitcode}") from None


def _serve(pipe: Connection, name: str, files: Files | None) -> None:
    started = time.perf_counter()
    run = load(name, files) if files else _remover(name.split()[1])
    pipe.send(time.perf_counter() - started)
    while (images := pipe.recv()) is not None:
        started, cpu = time.perf_counter(), time.process_time()
        probability = run(*images)
        pipe.send(Answer(time.perf_counter() - started, time.process_time() - cpu, probability))
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    pipe.send(int(lines["VmHWM"].split()[0]) * 1024)


def load(name: str, files: Files) -> Run:
    """An engine with the network. Raises ValueError for an engine that there is not, and what the engine raises."""
    engine, precision = name.split()
    if engine == "torch":
        return _torch(files, precision)
    path = files.int8 if precision == "int8" else files.float32
    if path is None:
        raise ValueError(f"{name}: there is no int8 file")
    return (_onnxruntime if engine == "onnxruntime" else _openvino)(path, precision)


def _remover(engine: str) -> Run:
    """The bundled model as people call it: uint8 RGB (H, W, 3) → its map at that size, in 0..1."""
    from inspyrenet import Remover

    remover = Remover(engine=engine, device="cpu")
    return lambda image, _: np.asarray(remover.process(image, "map"), np.float32) / 255


def _torch(files: Files, precision: str) -> Run:
    import torch

    from inspyrenet.engine import build
    from inspyrenet.engine.predictor import Predictor
    from inspyrenet.engine.presets import resolve_model
    from inspyrenet.lib.checkpoints.state_dict import load_state
    from inspyrenet.utils.system.allocator import freed_memory_kept
    from inspyrenet.utils.system.precision import flush_denormals
    from inspyrenet.utils.train.checkpoint import read_weights

    flush_denormals()
    config = resolve_model(files.config, files.weights, files.overrides).config
    model = load_state(build.network(config, start=False), read_weights(files.weights))
    section = build.section(config, "Model")
    predictor = Predictor(model.eval(), torch.device("cpu"), files.threshold, section.alignment, precision)

    def run(image: np.ndarray, copy: np.ndarray | None) -> np.ndarray:
        with freed_memory_kept():  # as the commands do
            out = predictor(torch.from_numpy(image), None if copy is None else torch.from_numpy(copy))
            return out.logits.float().sigmoid().numpy()

    return run


def _onnxruntime(path: Path, precision: str) -> Run:
    from inspyrenet.networks.exported import ExportedFile

    return ExportedFile(path, "onnx", "cpu").probability


def _openvino(path: Path, precision: str) -> Run:
    """As `inspyrenet.networks.runtimes` has it, but in any precision, and between large images without their memory."""
    import openvino

    from inspyrenet.networks.runtimes import threads

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": threads(),
    }
    network = core.compile_model(core.read_model(path), "CPU", settings)
    request = network.create_infer_request()

    def run(image: np.ndarray, copy: np.ndarray | None) -> np.ndarray:
        request.infer({"image": image} if copy is None else {"image": image, "resized": copy})
        found = np.array(request.get_tensor("saliency").data)
        if image.size > LARGE:
            network.release_memory()
        return found

    return run
