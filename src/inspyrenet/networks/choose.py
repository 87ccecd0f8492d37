"""Which engine computes a network: graphs in onnxruntime or OpenVINO, or torch."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.network_options import NetworkOptions
from ..engine.presets import bundled_graphs, check_names
from ..utils.system.device import DeviceError
from ..utils.system.extras import extras_named
from ..utils.system.paths import expanded
from .network import Network, RemoverError

if TYPE_CHECKING:
    from .runtimes import Runtime

FULL = (None, "auto", "float32")  # precisions that an exported network has


def open_network(options: NetworkOptions) -> Network:
    """The network that the options ask for.

    engine "auto": the bundled model and exported networks (.onnx, or a folder of parts) run in onnxruntime, all others in torch;
    the bundled model too where torch is needed for what is asked (jit, patch merging, overrides, another precision, a device that
    onnxruntime does not have here). Raises ModeError and MissingWeights for names that stand for nothing, RemoverError for an
    engine that cannot do what is asked, ExtraMissing where its package is not installed, and what the engine raises.
    """
    if exported_path(options) is None:
        check_names(options.mode, options.ckpt)  # before a package is asked for that may be absent
    graph = graph_of(options)
    if graph is None:
        return _in_torch(options)
    try:
        return _exported(graph, "openvino" if options.engine == "openvino" else "onnx", options)
    except DeviceError:
        if not _is_bundled(options) or options.engine != "auto" or importlib.util.find_spec("torch") is None:
            raise
        return _in_torch(options)


def graph_of(options: NetworkOptions) -> Path | None:
    """The exported network that computes what the options ask for; None: torch does. Raises RemoverError as `open_network` does."""
    named = exported_path(options)
    graph = named or (bundled_graphs() if _is_bundled(options) and bundled_graphs().is_dir() else None)
    engine = options.engine
    if engine == "torch" and named:
        raise RemoverError(f"engine torch does not run exported networks ({named}): take engine auto, onnx or openvino")
    if graph is None and engine in ("onnx", "openvino"):
        raise RemoverError(f"engine {engine} runs the bundled model and exported networks: run/Export.py writes them")
    if graph is None or engine == "torch":
        return None
    unfit = _only_in_torch(options)
    if unfit and (named or engine != "auto"):
        raise RemoverError(
            f"{', '.join(unfit)}: not with an exported network ({graph}), which stays as it was exported"
        )
    return None if unfit else graph


def exported_path(options: NetworkOptions) -> Path | None:
    """The exported network that the options name, if they do: as weights, or as the mode."""
    from .exported import is_exported

    ckpt, mode = (None if name is None else expanded(name) for name in (options.ckpt, options.mode))
    if mode is not None and is_exported(mode):
        if ckpt is not None:
            raise RemoverError(f"{mode} brings its weights along: leave --ckpt {options.ckpt} out")
        return mode
    return ckpt if ckpt is not None and is_exported(ckpt) else None


def _is_bundled(options: NetworkOptions) -> bool:
    return options.mode is None and options.ckpt is None


def _only_in_torch(options: NetworkOptions) -> list[str]:
    """What is asked for that only torch does."""
    asked = {
        "jit": options.jit,
        "patch merging": options.patch_merging,
        "overrides": options.overrides,
        "precision": options.precision not in FULL,
    }
    return [name for name, value in asked.items() if value]


def _exported(path: Path, runtime: "Runtime", options: NetworkOptions) -> Network:
    with extras_named():
        from .exported import open_exported

        return open_exported(path, runtime, options.device, options.resize)


def _in_torch(options: NetworkOptions) -> Network:
    with extras_named():
        from .torch_network import TorchNetwork
    return TorchNetwork(options)
