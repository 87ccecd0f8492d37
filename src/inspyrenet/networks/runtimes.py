"""Graphs (.onnx) in onnxruntime or OpenVINO, on the devices that these have."""

import functools
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np

from ..utils.system.cores import usable_cores
from ..utils.system.device import DeviceError
from .network import ON_GPU, NotEnoughMemory, lacks_memory

if TYPE_CHECKING:
    import onnxruntime

Runtime = Literal["onnx", "openvino"]
NAMES = {"onnx": "onnxruntime", "openvino": "OpenVINO"}
# Device → what onnxruntime calls it. Of several the first that is there counts: AMD's was called ROCm before it was MIGraphX.
PROVIDERS = {
    "cuda": ("CUDAExecutionProvider",),
    "rocm": ("MIGraphXExecutionProvider", "ROCMExecutionProvider"),
    "directml": ("DmlExecutionProvider",),
    "coreml": ("CoreMLExecutionProvider",),
    "openvino": ("OpenVINOExecutionProvider",),
    "cpu": ("CPUExecutionProvider",),
}
ALIASES = {"mps": "coreml"}  # a Mac's GPU as torch calls it
NUMBERED = ("cuda", "rocm", "directml")  # of which a machine may have several: cuda:1
CHOSEN = (
    "cuda",
    "rocm",
    "directml",
    "cpu",
)  # by "auto"; the others compile a graph for each size of image: only by name
PACKAGES = {name: f"onnxruntime-{name}" for name in ("rocm", "directml", "openvino")} | {"cuda": "onnxruntime-gpu"}
AT_ONCE = 4  # images beside each other on a CPU, whose maps are all in memory then

LOG = logging.getLogger("inspyrenet")
T = TypeVar("T")


class GraphError(RuntimeError):
    """A graph that cannot run here; the message says why."""


class Graph(Protocol):
    """One loaded graph.

    metadata: what its file says about itself. inputs, outputs: their names. device: "cpu", "cuda:0" and the like. batch_size: how
    many images of a long row it had best get at once.
    """

    path: Path
    device: str
    batch_size: int
    metadata: Mapping[str, str]
    inputs: Sequence[str]
    outputs: Sequence[str]

    def __init__(self, path: Path, device: str = "auto"): ...

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """The named outputs for float32 inputs, a batch of one image or more. Raises NotEnoughMemory, and GraphError where the
        runtime fails otherwise."""
        ...


def open_graph(path: Path, runtime: Runtime = "onnx", device: str = "auto") -> Graph:
    """Load a graph. Raises FileNotFoundError, DeviceError for a device that the runtime does not have here, GraphError for a file
    that it cannot read, ImportError where the runtime is not installed."""
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    import_module(NAMES[runtime].lower())  # here: what it sets up on the way is not meant for the network's thread
    kind: type[Graph] = OnnxGraph if runtime == "onnx" else OpenvinoGraph
    return _in_network_thread(kind, path, device)


def threads() -> int:
    """How many threads a network computes with: OMP_NUM_THREADS where it is set, else as many as there are cores to use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) else usable_cores()


def describe_place(device: str, runtime: Runtime) -> str:
    """`cpu (2 threads) by onnxruntime`."""
    return f"{device}{f' ({threads()} threads)' if device == 'cpu' else ''} by {NAMES[runtime]}"


# -- onnxruntime --------------------------------------------------------------------------------------------------


class OnnxGraph:
    """A graph in onnxruntime."""

    def __init__(self, path: Path, device: str = "auto"):
        import onnxruntime

        self.path = path
        there = onnxruntime.get_available_providers()
        provider, self.device, index = choose_provider(device, there)
        self.session = _session(onnxruntime, path, provider, index, threads())
        self._of_one_thread: onnxruntime.InferenceSession | None = None
        if self.session.get_providers()[0] != provider:
            failed = f"onnxruntime could not start its {provider}: are the device's libraries installed?"
            if device != "auto":
                raise DeviceError(failed)
            LOG.warning("%s The processor is taken.", failed)
            provider, self.device, index = choose_provider("cpu", there)
            self.session = _session(onnxruntime, path, provider, index, threads())
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        self.inputs: Sequence[str] = [one.name for one in self.session.get_inputs()]
        self.outputs: Sequence[str] = [one.name for one in self.session.get_outputs()]
        self.batch_size = min(threads(), AT_ONCE) if self.device == "cpu" else ON_GPU
        self._only_needed = onnxruntime.RunOptions()
        self._only_needed.only_execute_path_to_fetches = True

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """See `Graph`. On a CPU the images of a batch are computed beside each other, each in one thread: less waits for others
        than where all threads compute one image."""
        return _in_network_thread(self._run_batch, inputs, outputs)

    def _run_batch(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        images = len(next(iter(inputs.values())))
        if images == 1 or threads() == 1 or self.device != "cpu":
            return self._run(self.session, inputs, outputs)
        if self._of_one_thread is None:
            import onnxruntime

            self._of_one_thread = _session(onnxruntime, self.path, PROVIDERS["cpu"][0], None, 1)
        one_by_one = [{name: value[row : row + 1] for name, value in inputs.items()} for row in range(images)]
        pool = _image_threads(os.getpid(), min(threads(), AT_ONCE))
        runs = [pool.submit(self._run, self._of_one_thread, one, outputs) for one in one_by_one]
        wait(runs)  # also where one fails: else the others would go on beside whatever comes next
        results = [run.result() for run in runs]
        return [np.concatenate(rows) for rows in zip(*results, strict=True)]

    def _run(
        self, session: "onnxruntime.InferenceSession", inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        try:
            return session.run(list(outputs), dict(inputs), self._only_needed)
        except Exception as error:  # onnxruntime's errors have no common class of their own
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            raise _failed("onnxruntime", inputs, error) from error


def _session(
    onnxruntime: Any, path: Path, provider: str, index: int | None, threads: int
) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what fails is raised
    # Memory goes back after each image. Kept, it would be that of the largest one, and half as much again.
    options.enable_cpu_mem_arena = False
    # waiting threads leave the cores to whoever reads and writes images meanwhile
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # unscaled attention makes subnormal numbers, with which a CPU computes a hundred times slower
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    providers = [(provider, {} if index is None else {"device_id": index})]
    providers += [(PROVIDERS["cpu"][0], {})] * (provider != PROVIDERS["cpu"][0])
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # see above
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise _unreadable(f"onnxruntime {onnxruntime.__version__}", path, error) from error


def choose_provider(name: str, there: Sequence[str]) -> tuple[str, str, int | None]:
    """onnxruntime's provider for a device's name, the device, and its number where the name has one (cuda:1).

    Raises DeviceError for one that this onnxruntime does not have.
    """
    found = {
        device: names[0] for device, all_names in PROVIDERS.items() if (names := [n for n in all_names if n in there])
    }
    if name == "auto":
        kind, number = next(device for device in CHOSEN if device in found), ""
    else:
        kind, _, number = name.partition(":")
        kind = ALIASES.get(kind, kind)
    here = ", ".join(found)
    if kind not in PROVIDERS or (":" in name and not (number.isdigit() and kind in NUMBERED)):
        raise DeviceError(f"there is no device called {name!r}; onnxruntime has {here} here")
    if kind not in found:
        package = f"; the package {PACKAGES[kind]} has it" if kind in PACKAGES else ""
        raise DeviceError(f"device {name!r} was asked for, but this onnxruntime has {here} only{package}")
    index = int(number or 0) if kind in NUMBERED else None
    return found[kind], kind if index is None else f"{kind}:{index}", index


# -- OpenVINO -----------------------------------------------------------------------------------------------------


class OpenvinoGraph:
    """A graph in OpenVINO: cpu (also for "auto"), gpu or npu, where they are Intel's."""

    def __init__(self, path: Path, device: str = "auto"):
        import openvino

        core, self.path = openvino.Core(), path
        wanted = "cpu" if device == "auto" else device
        there = [name.lower().replace(".", ":") for name in core.available_devices]
        if wanted not in there:
            raise DeviceError(f"device {device!r} was asked for, but OpenVINO has {', '.join(there)} only")
        self.device = wanted
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if wanted == "cpu":
            settings["INFERENCE_NUM_THREADS"] = threads()
        try:
            model = core.read_model(path)
            self.request = core.compile_model(model, wanted.upper().replace(":", "."), settings).create_infer_request()
        except RuntimeError as error:
            raise _unreadable(f"OpenVINO {openvino.__version__}", path, error) from error
        self.batch_size = 1 if wanted == "cpu" else ON_GPU
        self.inputs: Sequence[str] = [one.get_any_name() for one in model.inputs]
        self.outputs: Sequence[str] = [one.get_any_name() for one in model.outputs]
        self.metadata = model.get_rt_info(["framework"]).value if "framework" in model.get_rt_info() else {}

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        """See `Graph`."""
        return _in_network_thread(self._run, inputs, outputs)

    def _run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> list[np.ndarray]:
        try:
            self.request.infer(dict(inputs))
        except RuntimeError as error:
            raise _failed("OpenVINO", inputs, error) from error
        # copies: the next image is written to the same memory
        return [np.array(self.request.get_tensor(name).data) for name in outputs]


# -- both ---------------------------------------------------------------------------------------------------------


def _unreadable(runtime: str, path: Path, error: Exception) -> GraphError:
    return GraphError(f"{runtime} cannot load {path}: {_first_line(error)}")


def _failed(runtime: str, inputs: Mapping[str, np.ndarray], error: Exception) -> GraphError | NotEnoughMemory:
    sizes = ", ".join(f"{name} {'×'.join(map(str, value.shape))}" for name, value in inputs.items())
    if lacks_memory(error):
        return NotEnoughMemory(
            f"not enough memory for {sizes} in {runtime}: take a smaller batch, or smaller images ({_first_line(error)})"
        )
    return GraphError(f"{runtime} failed on {sizes}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def _in_network_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call it in the one thread in which this process loads and runs graphs; images take turns, each has all cores.

    onnxruntime sets the first thread that loads a graph, and its own, to take subnormal numbers for zero. Nothing else may compute
    in a thread that is set so, since NumPy does not expect it. Ctrl-C is seen at once, too, which in a long run it would not be.
    """
    return _network_thread(os.getpid()).submit(function, *arguments).result()


@functools.lru_cache(maxsize=1)
def _image_threads(process: int, number: int) -> ThreadPoolExecutor:
    """Threads that compute one image each. They are started in the network's thread, which is one, so never twice at once: a thread
    takes over how the one that starts it treats subnormal numbers."""
    pool, all_started = ThreadPoolExecutor(number, "image"), threading.Barrier(number)
    list(pool.map(lambda _: all_started.wait(), range(number)))
    return pool


_NETWORK_THREADS: dict[int, ThreadPoolExecutor] = {}


def _network_thread(process: int) -> ThreadPoolExecutor:
    """process: a forked copy of this one has no such thread.

    Threads that come here first at the same time get the same one: setdefault is one step. Unlike a lock, it cannot be held while
    another thread forks. An executor that is not kept has not started its thread.
    """
    return _NETWORK_THREADS.get(process) or _NETWORK_THREADS.setdefault(process, ThreadPoolExecutor(1, "network"))
