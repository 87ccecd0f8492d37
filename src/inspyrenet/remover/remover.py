"""Cut objects out of images with a trained network.

>>> from inspyrenet import Remover
>>> Remover().process("photo.jpg").save("cut.png")      # a Pillow image
>>> Remover("fast").process(image, type="map")          # the kind that `image` is
>>> Remover().process("photo.jpg", output="cut.png")    # written as well
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ..data.images.decoded import DecodedImage
from ..data.images.encode import check_format, write_picture
from ..data.images.preprocess import Preprocess, to_map
from ..engine import build
from ..engine.jit import check_compiler
from ..engine.network_options import NetworkOptions
from ..engine.onnx_predictor import GraphPredictor, graph_preprocess, is_graph
from ..engine.predictor import Predictor
from ..engine.presets import MODES, ModelSpec, resolve_model
from ..lib.checkpoints.state_dict import load_state
from ..lib.sizes import rule_for
from ..lib.types import SaliencyPyramid
from ..utils.config.schema import Config
from ..utils.report.visualize import pyramid_picture
from ..utils.system.allocator import bound_kernel_caches
from ..utils.system.device import available_devices, describe_device, resolve_device
from ..utils.system.paths import expanded
from ..utils.system.precision import choose_precision, flushed_denormals
from ..utils.train.checkpoint import read_weights
from .compositing import OutputStyle, OutputType, check_threshold, render, seen_by_network, style_of
from .foreground import choose_method, estimate
from .image_types import Result, open_image

DYNAMIC = 1280  # bound of the shorter side where the config does not say one
UNBOUNDED = 2**31
Resize = Literal["static", "dynamic"] | None
FULL = (None, "auto", "float32")  # precisions that an exported network has
LOG = logging.getLogger("inspyrenet")


class RemoverError(RuntimeError):
    """An option that cannot be had here; the message says why."""


class Remover:
    """A trained network that cuts objects out. One can serve any number of threads.

    mode: fast, base or base-nightly (published background-removal weights), a config's name or file, or a checkpoint;
    None: the bundled model. device: as run/Train.py's --device; None: the best there is. ckpt: weights in place of the mode's;
    or a network that run/Export.py wrote (.onnx), which onnxruntime runs, and whose sizes and precision are in the file.
    resize: "static" to the size that the network was trained at; "dynamic" keeps the aspect ratio and blends a large image
    from two resolutions where the mode does; None: static for fast, base and base-nightly, else as the config's Test section says.
    jit: compile with torch.compile. patch_merging: predict in overlapping patches at full size, with bounded memory.
    precision: float32, bfloat16, float16, auto; None: as the config says. edges: colors in soft edges, see `foreground.py`.
    overrides: words on top of the config, such as Model.alignment=corrected, or Test.flip=true, which also looks at the mirrored
    image: twice the time.

    Raises ModeError, MissingWeights (which names the command that fetches them; nothing is ever fetched here), DeviceError,
    RemoverError, ForegroundError, GraphError, and what reading a config or weights raises.
    """

    predictor: Predictor | GraphPredictor
    config: Config | None  # None: an exported network has none

    def __init__(
        self,
        mode: str | Path | None = None,
        device: "str | torch.device | None" = None,
        ckpt: str | Path | None = None,
        resize: Resize = None,
        *,
        jit: bool = False,
        patch_merging: bool = False,
        precision: str | None = None,
        edges: str = "auto",
        overrides: Sequence[str] = (),
    ):
        if resize not in ("static", "dynamic", None):
            raise RemoverError(f"resize is static, dynamic or None, not {resize!r}")
        self.edges = choose_method(edges)
        graph = next((file for file in (ckpt, mode) if file is not None and is_graph(file)), None)
        if graph is not None:
            unfit = {
                "jit": jit,
                "patch merging": patch_merging,
                "overrides": overrides,
                "precision": precision not in FULL,
            }
            self._open_graph(expanded(graph), device, resize, [name for name, value in unfit.items() if value])
            return
        bound_kernel_caches()
        self.device = resolve_device("auto" if device is None else str(device))
        spec = resolve_model(mode, ckpt, overrides)
        self.name, self.weights, self.config = spec.name, spec.weights, spec.config
        model, test = build.section(spec.config, "Model"), spec.config.Test
        self.preprocess = preprocessing(spec, resize or ("static" if mode in MODES else None))
        if patch_merging:
            self.preprocess = replace(self.preprocess, sizing="dynamic", size=UNBOUNDED, base_size=model.base_size)
        self.normalize = test.normalize if test else "none"
        precision = choose_precision(precision or (test.precision if test else "float32"), self.device)
        if jit:  # before the network is loaded
            check_compiler(self.device)
        self.predictor = Predictor(
            _load_model(spec).to(self.device).eval(),
            self.device,
            model.threshold if self.preprocess.base_size else None,
            model.alignment,
            precision,
            merging=patch_merging,
            jit=jit,
            scales=test.scales if test and not patch_merging else (1.0,),
            flip=bool(test and test.flip),
        )

    @classmethod
    def from_options(cls, options: NetworkOptions, edges: str = "auto") -> "Remover":
        """The Remover that a command's options ask for."""
        return cls(**vars(options), edges=edges)

    def _open_graph(self, path: Path, device: "str | torch.device | None", resize: Resize, unfit: list[str]) -> None:
        """An exported network in place of one in torch: its sizes and its precision are in the file."""
        if unfit:
            raise RemoverError(
                f"{', '.join(unfit)}: not with an exported network ({path}), which stays as it was exported"
            )
        self.predictor = predictor = GraphPredictor(path, device)
        metadata = predictor.metadata
        self.name, self.weights, self.config = metadata.name, path, None
        there = str(predictor.device) in available_devices()
        self.device = predictor.device if there else torch.device("cpu")  # of what torch does beside the network
        self.preprocess, self.normalize = graph_preprocess(metadata, resize, DYNAMIC), metadata.normalize

    def __repr__(self) -> str:
        return f"Remover({self.describe()}, weights from {self.weights})"

    def describe(self) -> str:
        """Network and device in a few words."""
        if isinstance(self.predictor, GraphPredictor):
            return self.predictor.describe()
        return f"{self.name} on {describe_device(self.device)}"

    def process(
        self,
        img: Any,
        type: OutputType = "rgba",
        threshold: float | None = None,
        reverse: bool = False,
        *,
        output: str | Path | None = None,
        keep_metadata: bool = False,
    ) -> Any:
        """Cut the object out of one image; the result is of the kind that the image was given as (see `image_types.open_image`),
        a Pillow image where a path was given.

        type: map, rgba, green, white, blur, overlay, debug (the network's levels), a color, or a background image.
        threshold: in 0..1, for hard edges. reverse: take the object away, keep the rest. output: a file to write the result to,
        too, in the format of its suffix; one that is there is replaced. keep_metadata: EXIF data, GPS included, goes along;
        color profile and dpi always do. What is transparent in the image stays so.
        Raises ImageError for what is no image, CutoutError for an unknown type or threshold, FormatError for a suffix that does
        not fit, OSError where the file cannot be written.
        """
        style = style_of(type)
        check_threshold(threshold)
        if output is not None:  # before the network runs
            check_format(Path(output).suffix, style.transparent)
        opened = open_image(img)
        result = self.cut(opened.image, style, threshold, reverse, keep_metadata)
        if output is not None:
            write_picture(result.array, output, metadata=result.metadata)
        return opened.to_input_type(result)

    def process_batch(
        self,
        images: Iterable[Any],
        type: OutputType = "rgba",
        threshold: float | None = None,
        reverse: bool = False,
        batch_size: int = 8,
        keep_metadata: bool = False,
    ) -> list[Any]:
        """As `process` for each image, several at a time through the network. Results come in the order of the images."""
        if isinstance(images, str | bytes | Path):
            raise RemoverError("images is a list of images; for one there is process")
        style = style_of(type)
        check_threshold(threshold)
        results = []
        for chunk in _chunks(images, batch_size):
            opened = [open_image(image) for image in chunk]
            outs = self._predict_all([seen_by_network(one.image) for one in opened], style.kind == "debug")
            for one, out in zip(opened, outs, strict=True):
                result = self._finish(one.image, out, style, threshold, reverse, keep_metadata)
                results.append(one.to_input_type(result))
        return results

    def cut(
        self,
        image: np.ndarray | DecodedImage,
        type: OutputType = "rgba",
        threshold: float | None = None,
        reverse: bool = False,
        keep_metadata: bool = False,
    ) -> Result:
        """As `process` for an array uint8 RGB (H, W, 3) or what `read_decoded` gives, with the time of each part."""
        style = style_of(type)
        started = time.perf_counter()
        image = image if isinstance(image, DecodedImage) else DecodedImage(image)
        out = self._predict_all([seen_by_network(image)], style.kind == "debug")[0]
        seconds = {"network": time.perf_counter() - started}
        result = self._finish(image, out, style, threshold, reverse, keep_metadata)
        return replace(result, seconds={**seconds, **result.seconds})

    def saliency(self, image: np.ndarray) -> np.ndarray:
        """The map of an array uint8 RGB (H, W, 3): uint8 (H, W)."""
        return self.cut(image, "map").array

    # -- parts ------------------------------------------------------------------------------------------------------

    def _predict_all(self, images: Sequence[np.ndarray], levels: bool) -> list[SaliencyPyramid]:
        """One pyramid for each image; images of one network size go through together."""
        arrays = [self.preprocess(image) for image in images]
        groups: dict[tuple, list[int]] = {}
        for place, (array, _) in enumerate(arrays):
            groups.setdefault(array.shape, []).append(place)
        outs: dict[int, SaliencyPyramid] = {}
        for places in groups.values():
            image = torch.from_numpy(np.stack([arrays[place][0] for place in places]))
            copies = [copy for place in places if (copy := arrays[place][1]) is not None]
            small = torch.from_numpy(np.stack(copies)) if copies else None
            try:
                with flushed_denormals():
                    out = self.predictor(image, small, levels=levels)
            except RuntimeError as error:
                raise _explained(error, image) from error
            for row, place in enumerate(places):
                outs[place] = SaliencyPyramid(*(tuple(level[row : row + 1] for level in levels) for levels in out[:2]))
        return [outs[place] for place in range(len(images))]

    def _finish(
        self,
        image: DecodedImage,
        out: SaliencyPyramid,
        style: OutputStyle,
        threshold: float | None,
        reverse: bool,
        keep_metadata: bool,
    ) -> Result:
        """Pyramid → result."""
        if style.kind == "debug":
            return Result(pyramid_picture(out, seen_by_network(image)))
        saliency = to_map(out.logits.sigmoid().float().cpu().numpy(), image.array.shape[:2], self.normalize)
        return self.compose(image, saliency, style, threshold, reverse, keep_metadata)

    def compose(
        self,
        image: DecodedImage,
        saliency: np.ndarray,
        style: OutputStyle,
        threshold: float | None = None,
        reverse: bool = False,
        keep_metadata: bool = False,
    ) -> Result:
        """Image and its map, uint8 (H, W) → result, with what belongs into its file."""
        image = image if style.keeps_profile else image.srgb()
        metadata = image.metadata if keep_metadata else replace(image.metadata, exif=None)
        seconds: dict[str, float] = {}

        def edges(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
            started = time.perf_counter()
            colors = estimate(image, alpha, self.edges, self.device)
            seconds["edges"] = time.perf_counter() - started
            return colors

        wanted = threshold is None and self.edges != "none"
        started = time.perf_counter()
        array = render(image.array, saliency, style, threshold, reverse, edges if wanted else None, image.alpha)
        seconds["composing"] = time.perf_counter() - started - seconds.get("edges", 0.0)
        return Result(array, seconds, metadata)


def preprocessing(spec: ModelSpec, resize: Resize) -> Preprocess:
    """The sizing: as the config's Test section says where `resize` agrees with it or is None, else by the model's base size."""
    model, test = build.section(spec.config, "Model"), spec.config.Test
    base_size = None if model.threshold is None else model.base_size
    if test is not None:
        own = build.preprocess(model, test)
        if resize is None or resize == own.sizing:
            return own
        return Preprocess(resize, *_sizes(resize, model.base_size, base_size), own.mean, own.std, own.backend, own.fit)
    fit = rule_for(model.name, model.arguments).nearest
    return Preprocess(resize or "static", *_sizes(resize or "static", model.base_size, base_size), fit=fit)


def _sizes(
    resize: str, base_size: tuple[int, int], copy: tuple[int, int] | None
) -> tuple[tuple[int, int] | int, tuple[int, int] | None]:
    return (DYNAMIC, copy) if resize == "dynamic" else (base_size, None)


def _load_model(spec: ModelSpec) -> torch.nn.Module:
    """The network with its weights. Raises WeightsError where they do not fit."""
    return load_state(build.network(spec.config, start=False), read_weights(spec.weights), str(spec.weights))


def _explained(error: RuntimeError, image: torch.Tensor) -> RuntimeError:
    """What to do, where the memory was too small or compiling failed; any other error as it is."""
    if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
        number, _, height, width = image.shape
        return RemoverError(
            f"not enough memory for {number} image{'s' * (number > 1)} of {height}×{width} on {image.device.type}: take "
            "resize static, a smaller batch, or patch merging (--PM)"
        )
    if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return RemoverError(
            f"compiling the network failed ({reason[:200]}): leave jit out, or empty torch's compile cache"
        )
    return error


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    if size < 1:
        raise RemoverError(f"batch_size is at least 1, not {size}")
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
