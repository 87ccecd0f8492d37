"""Networks in torch: a mode, a config or a checkpoint with its weights, on any device."""

from dataclasses import replace

import numpy as np
import torch

from ..data.images.preprocess import Preprocess, Sizing
from ..engine import build
from ..engine.jit import check_compiler
from ..engine.network_options import NetworkOptions
from ..engine.predictor import Predictor
from ..engine.presets import MODES, ModelSpec, resolve_model
from ..lib.models.inspyrenet import InSPyReNet
from ..lib.sizes import rule_for
from ..lib.types import SaliencyPyramid
from ..plugins.trained import family, has_pyramid
from ..utils.config.schema import ModelSection
from ..utils.system.allocator import bound_kernel_caches
from ..utils.system.device import describe_device, resolve_device
from ..utils.system.precision import choose_precision, flushed_denormals
from .network import DYNAMIC, ON_GPU, NetworkMaps, Parts, RemoverError
from .torch_errors import explained
from .torch_parts import TorchParts, as_array

UNBOUNDED = 2**31


class TorchNetwork:
    """The network that the options ask for. Raises ModeError, MissingWeights, DeviceError, PrecisionError, CompilerMissing, and
    what reading a config or weights raises."""

    def __init__(self, options: NetworkOptions):
        bound_kernel_caches()
        device = resolve_device(options.device)
        spec = resolve_model(options.mode, options.ckpt, options.overrides)
        self.name, self.weights, self.device = spec.name, spec.weights, str(device)
        model, test = build.section(spec.config, "Model"), spec.config.Test
        self.preprocess = preprocessing(spec, options.resize or ("static" if options.mode in MODES else None))
        self.merging = bool(test and test.patch_merging and self.preprocess.base_size)
        if options.patch_merging:
            _check_merging(model, options.resize)
            self.merging = True
            self.preprocess = replace(self.preprocess, sizing="dynamic", size=UNBOUNDED, base_size=model.base_size)
        self.batch_size = ON_GPU if device.type != "cpu" and not self.merging else 1
        self.normalize = test.normalize if test else "none"
        precision = choose_precision(options.precision or (test.precision if test else "float32"), device)
        if options.jit:  # before the network is loaded
            check_compiler(device)
        self.predictor = Predictor(
            build.loaded(spec.config, spec.weights).to(device).eval(),
            device,
            model.threshold if self.preprocess.base_size else None,
            model.alignment,
            precision,
            merging=self.merging,
            jit=options.jit,
            scales=test.scales if test and not self.merging else (1.0,),
            flip=bool(test and test.flip),
        )

    @property
    def parts(self) -> Parts | None:
        """See `Network`. Only one pass on one image has parts: no mirrored or scaled copies, no patches, nothing compiled."""
        model, predictor = self.predictor.model, self.predictor
        if not isinstance(model, InSPyReNet) or model.finest_stage or not predictor.is_one_pass:
            return None
        return TorchParts(model, predictor)

    def describe(self) -> str:
        """See `Network`."""
        precision = "" if self.predictor.precision == "float32" else f" in {self.predictor.precision}"
        return f"{self.name}{precision} on {describe_device(self.predictor.device)} by torch"

    def __call__(self, image: np.ndarray, resized: np.ndarray | None = None, levels: bool = False) -> NetworkMaps:
        """See `Network`. Raises what `explained` does."""
        copies = None if resized is None else torch.from_numpy(resized)
        number, _, height, width = image.shape
        with explained(number, height, width, self.device), flushed_denormals():
            out: SaliencyPyramid = self.predictor(torch.from_numpy(image), copies, levels=levels)
            probability = as_array(out.logits.sigmoid())
            if not levels:
                return NetworkMaps(probability)
            return NetworkMaps(probability, tuple(map(as_array, out.saliency)), tuple(map(as_array, out.laplacian)))


def _check_merging(model: ModelSection, resize: Sizing | None) -> None:
    """Raises RemoverError for a model without the pyramid in which patches are merged, and where another sizing is asked for."""
    if not has_pyramid(model.name):
        raise RemoverError(
            f"patch merging (--PM) is for InSPyReNets, and {model.name} is none: leave it out, or take --resize static"
        )
    if resize is not None:
        raise RemoverError(f"patch merging (--PM) sees an image at its own size: leave --resize {resize} out")


def preprocessing(spec: ModelSpec, resize: Sizing | None) -> Preprocess:
    """The sizing: as the config's Test section says where `resize` agrees with it or is None, else by the model's base size."""
    model, test = build.section(spec.config, "Model"), spec.config.Test
    base_size = None if model.threshold is None else model.base_size
    if test is not None:
        own = build.preprocess(model, test)
        if resize is None or resize == own.sizing:
            return own
        return Preprocess(resize, *_sizes(resize, model.base_size, base_size), own.mean, own.std, own.backend, own.fit)
    fit = rule_for(family(model.name), model.arguments).nearest
    return Preprocess(resize or "static", *_sizes(resize or "static", model.base_size, base_size), fit=fit)


def _sizes(
    resize: str, base_size: tuple[int, int], copy: tuple[int, int] | None
) -> tuple[tuple[int, int] | int, tuple[int, int] | None]:
    return (DYNAMIC, copy) if resize == "dynamic" else (base_size, None)
