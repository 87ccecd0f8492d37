"""Exported networks (`run/Export.py`) in onnxruntime, behind the same call as a network in torch."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..data.hub.onnx_files import GraphFileError, ModelMetadata, metadata_of
from ..data.images.preprocess import Preprocess, Sizing
from ..lib.sizes import SizeRule
from ..lib.types import SaliencyPyramid, SizeError
from ..utils.system.device import DeviceError, describe_device
from ..utils.system.extras import how_to_install
from ..utils.system.precision import flushed_denormals

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
NEARLY = 1e-6  # how near to 0 and 1 a probability counts


class GraphError(RuntimeError):
    """An exported network that cannot run here; the message says why."""


def is_graph(path: str | Path) -> bool:
    """Whether a file is an exported network, by its name."""
    return Path(path).suffix.lower() == ".onnx"


class GraphPredictor:
    """An exported network as a `Predictor`: preprocessed images in, a pyramid of one level out.

    device: None or "auto" is the best that onnxruntime has here. Serves any number of threads.
    Raises GraphError where onnxruntime is absent or cannot read the file, GraphFileError for a file that is not one of ours,
    DeviceError for a device that onnxruntime does not have.
    """

    merging = False

    def __init__(self, path: str | Path, device: str | torch.device | None = None):
        _need_runtime()
        import onnxruntime

        self.path = Path(path)
        name = "auto" if device is None else str(device)
        self.provider, self.device = choose_provider(name, onnxruntime.get_available_providers())
        self.session = self._open(onnxruntime)
        self.metadata = metadata_of(self.session.get_modelmeta().custom_metadata_map, str(self.path))
        if self.session.get_providers()[0] != self.provider:
            raise DeviceError(f"onnxruntime could not start its {self.provider}: are the device's libraries installed?")
        metadata = self.metadata
        self.rule = SizeRule(metadata.multiple, metadata.offset, metadata.least)
        self._only_needed = onnxruntime.RunOptions()
        self._only_needed.only_execute_path_to_fetches = True

    def _open(self, onnxruntime: ModuleType) -> "onnxruntime.InferenceSession":
        if not self.path.is_file():
            raise FileNotFoundError(f"no such file: {self.path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        # the unscaled attention makes subnormal numbers, with which a CPU computes a hundred times slower
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        index = {"device_id": self.device.index or 0} if self.device.type == "cuda" else {}
        providers = [(self.provider, index)] + [(PROVIDERS["cpu"], {})] * (self.provider != PROVIDERS["cpu"])
        try:
            with flushed_denormals():  # it changes how this thread computes, and does not change it back
                return onnxruntime.InferenceSession(str(self.path), options, providers=providers)
        except Exception as error:  # onnxruntime's errors have no common class of their own
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            reason = str(error).splitlines()[0][:300]
            raise GraphError(f"onnxruntime {onnxruntime.__version__} cannot load {self.path}: {reason}") from error

    def describe(self) -> str:
        """Network and device in a few words."""
        place = describe_device(self.device) if self.device.type == "cpu" else str(self.device)
        return f"{self.metadata.name} on {place} by onnxruntime"

    def __call__(self, image: Tensor, resized: Tensor | None = None, levels: bool = False) -> SaliencyPyramid:
        """(B, 3, H, W) and, for blending, its base-size copy → logits. Raises SizeError for what the file does not take.

        levels: as of run.Predictor; the file gives no map but the finest.
        """
        probability = torch.from_numpy(self.probability(image.numpy(), None if resized is None else resized.numpy()))
        return SaliencyPyramid((probability.logit(eps=NEARLY),))

    def probability(self, image: np.ndarray, resized: np.ndarray | None = None) -> np.ndarray:
        """The same for float32 arrays → saliency (B, 1, h, w) in 0..1, at the size of `image`, or of `resized` where the image
        is not above the threshold."""
        metadata = self.metadata
        if metadata.fixed is not None and len(image) > 1:
            parts = zip(image, [None] * len(image) if resized is None else resized, strict=True)
            singles = [self.probability(a[None], None if b is None else b[None]) for a, b in parts]
            return np.concatenate(singles)
        if not metadata.blended:
            self._check("image", image)
            return self._run("saliency", {"image": image})
        if resized is None:
            raise GraphFileError(
                f"{self.path} blends two sizes of an image: give both, the second at {_text(metadata.base_size)}"
            )
        self._check("resized", resized)
        if min(image.shape[2:]) <= metadata.threshold:
            height, width = metadata.fixed["image"] if metadata.fixed else self.rule.nearest((0, 0))
            unused = np.zeros((len(resized), 3, height, width), np.float32)
            return self._run("low", {"image": unused, "resized": resized})
        self._check("image", image)
        return self._run("saliency", {"image": image, "resized": resized})

    def _check(self, name: str, image: np.ndarray) -> None:
        size = image.shape[2:]
        if self.metadata.fixed is not None:
            fixed = self.metadata.fixed[name]
            if tuple(size) != tuple(fixed):
                raise SizeError(
                    f"{self.path} takes images of {_text(fixed)} (height×width) only, not {_text(size)}: resize them, or export "
                    "with --dynamic"
                )
            return
        self.rule.check(size)

    def _run(self, output: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        try:
            with flushed_denormals():
                return self.session.run([output], inputs, self._only_needed)[0]
        except Exception as error:  # see above
            if not type(error).__module__.startswith("onnxruntime"):
                raise
            sizes = ", ".join(f"{name} {_text(value.shape)}" for name, value in inputs.items())
            raise GraphError(f"onnxruntime failed on {sizes}: {str(error).splitlines()[0][:300]}") from error


def graph_preprocess(metadata: ModelMetadata, resize: Sizing | None, dynamic: int) -> Preprocess:
    """The sizing as the metadata says where `resize` agrees with it or is None; else to the base size, or ("dynamic") the bound.

    Raises SizeError where a file of one size is asked for another.
    """
    copy = metadata.base_size if metadata.blended else None
    fit = SizeRule(metadata.multiple, metadata.offset, metadata.least).nearest
    own = Preprocess(metadata.sizing, metadata.size, copy, metadata.mean, metadata.std, metadata.backend, fit)
    if resize is None or resize == own.sizing:
        return own
    if metadata.fixed is not None:
        raise SizeError(
            f"this file takes images of {_text(metadata.fixed['image'])} only: resize static, or export with --dynamic"
        )
    size = dynamic if resize == "dynamic" else metadata.base_size
    return Preprocess(resize, size, copy, metadata.mean, metadata.std, metadata.backend, fit)


def choose_provider(name: str, there: Sequence[str]) -> tuple[str, torch.device]:
    """onnxruntime's provider for a device's name, and the device. Raises DeviceError for one that is not there."""
    kinds = [kind for kind in ("cuda", "mps", "cpu") if PROVIDERS[kind] in there]
    try:
        device = torch.device(kinds[0] if name == "auto" else name)
    except RuntimeError:
        raise DeviceError(f"there is no device called {name!r}; here: {', '.join(kinds)}") from None
    if device.type not in kinds:
        packages = "; the package onnxruntime-gpu has it" if device.type == "cuda" else ""
        raise DeviceError(f"device {name!r} was asked for, but this onnxruntime has {', '.join(kinds)} only{packages}")
    return PROVIDERS[device.type], device


def _need_runtime() -> None:
    if find_spec("onnxruntime") is None:
        raise GraphError(f"running an ONNX file needs onnxruntime: {how_to_install('export')}")


def _text(size: Sequence[int]) -> str:
    return "×".join(map(str, size))
