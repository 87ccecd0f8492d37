"""Cut objects out of images with a trained network.

>>> from inspyrenet import Remover
>>> Remover().process("photo.jpg").save("cut.png")      # a Pillow image
>>> Remover("fast").process(image, type="map")          # the kind that `image` is
>>> Remover().process("photo.jpg", output="cut.png")    # written as well
>>> Remover("hf:owner/name").process("photo.jpg")       # a model of the Hugging Face Hub
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from ..data.images.decoded import DecodedImage
from ..data.images.encode import check_format
from ..data.images.preprocess import to_map
from ..engine.network_options import ENGINES, Engine, NetworkOptions
from ..interactive.prompt import Prompt, PromptError, prompt_of
from ..interactive.prompted import prompted
from ..interactive.session import InteractiveImage
from ..mending.apply import mended
from ..mending.framing import drawn, framed, resized_metadata
from ..mending.options import Mending
from ..networks.choose import exported_path, open_network
from ..networks.network import Network, NetworkMaps, RemoverError, predict
from ..quality.estimate import QualityEstimate, load_estimate, missing
from ..utils.system.extras import extras_named
from ..utils.system.paths import expanded, is_same_file
from .compositing import (
    OutputStyle,
    OutputType,
    alpha_of,
    check_threshold,
    mended_style,
    render,
    seen_by_network,
    style_of,
)
from .errors import NothingFound
from .foreground import choose_method, estimate
from .image_types import LoadedImage, Result, open_image
from .writing import write_result

if TYPE_CHECKING:
    import torch

    from ..engine.presets import ModelSpec

Resize = Literal["static", "dynamic"] | None
LOG = logging.getLogger("inspyrenet")


class Remover:
    """A trained network that cuts objects out. One can serve any number of threads.

    mode: fast, base or base-nightly (published background-removal weights), a config's name or file, a checkpoint, or a model of
    the Hugging Face Hub, hf:owner/name or hf:owner/name@revision; None: the bundled model. device: as run/Train.py's --device;
    None: the best that the engine has. ckpt: weights in place of the mode's (hf:… too); or a network that run/Export.py wrote
    (.onnx, or a folder of parts), whose sizes and precision are in the file.
    resize: "static" to the size that the network was trained at; "dynamic" keeps the aspect ratio and blends a large image
    from two resolutions where the mode does; None: static for fast, base and base-nightly, else as the config's Test section says.
    jit: compile with torch.compile. patch_merging: predict in overlapping patches at full size, with bounded memory.
    precision: float32, bfloat16, float16, auto; None: as the config says. edges: colors in soft edges, see `foreground.py`.
    overrides: words on top of the config, such as Model.alignment=corrected, or Test.flip=true, which also looks at the mirrored
    image: twice the time. engine: what computes the network, auto, onnx, openvino or torch, see `networks.choose`.

    Raises ModeError, MissingWeights (which names the command that fetches them; nothing but hf:… is ever fetched here), HubError,
    DeviceError, RemoverError, ForegroundError, GraphError, ExtraMissing, and what reading a config or weights raises.
    """

    network: Network
    quality: QualityEstimate | None

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
        engine: Engine = "auto",
    ):
        if resize not in ("static", "dynamic", None):
            raise RemoverError(f"resize is static, dynamic or None, not {resize!r}")
        if engine not in ENGINES:
            raise RemoverError(f"engine is {', '.join(ENGINES)}, not {engine!r}")
        self.edges = choose_method(edges)
        place = "auto" if device is None else str(device)
        self.options = NetworkOptions(
            tuple(overrides), mode, ckpt, place, resize, precision, jit, patch_merging, engine
        )
        self.network = open_network(self.options)
        self.quality = load_estimate(self.network)

    @classmethod
    def from_options(cls, options: NetworkOptions, edges: str = "auto") -> "Remover":
        """The Remover that a command's options ask for."""
        return cls(**vars(options), edges=edges)

    @classmethod
    def from_pretrained(cls, name: str | Path, **words: Any) -> "Remover":
        """Of a folder that `save_pretrained` wrote, or of hf:owner/name; words: further arguments of the constructor."""
        return cls(name, **words)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write weights (safetensors), config and a model card, see `hub.pretrained`; the folder. The config has this Remover's
        sizing and precision."""
        with extras_named():
            from ..hub.pretrained import save_pretrained
        return save_pretrained(self._spec(), folder)

    def push_to_hub(self, name: str, private: bool | None = None) -> str:
        """Publish these files on the Hugging Face Hub as owner/name, see `hub.pretrained`; the address."""
        with extras_named():
            from ..hub.pretrained import push_to_hub
        return push_to_hub(self._spec(), name, private)

    def _spec(self) -> "ModelSpec":
        """With what this Remover does to images. Raises RemoverError for what no config keeps: an exported network, whose weights
        are part of a graph, and patch merging."""
        from ..engine.presets import resolve_model
        from ..hub.pretrained import prepared_alike

        if (exported := exported_path(self.options)) is not None:
            raise RemoverError(f"{exported} is an exported network: give the weights that it was exported from (ckpt)")
        if self.options.patch_merging:
            raise RemoverError("a saved model does not keep patch merging: save without it, and name it where you load")
        spec = resolve_model(self.options.mode, self.options.ckpt, self.options.overrides)
        return prepared_alike(spec, self.network.preprocess, self.options.precision)

    @property
    def name(self) -> str:
        """Of the network."""
        return self.network.name

    @property
    def device(self) -> str:
        """Where the network is computed: cpu, cuda:0 and the like."""
        return self.network.device

    @property
    def batch_size(self) -> int:
        """How many images of a long row the network had best get at once."""
        return self.network.batch_size

    def __repr__(self) -> str:
        return f"Remover({self.describe()}, weights from {self.network.weights})"

    def describe(self) -> str:
        """Network, device and engine in a few words."""
        return self.network.describe()

    def process(
        self,
        img: Any,
        type: OutputType = "rgba",
        threshold: float | None = None,
        reverse: bool = False,
        *,
        output: str | Path | None = None,
        keep_metadata: bool = False,
        mask: Any = None,
        boxes: Iterable[Sequence[float]] = (),
        points: Iterable[Any] = (),
        prompt: Prompt | None = None,
        mending: Mending | None = None,
    ) -> Any:
        """Cut the object out of one image; the result is of the kind that the image was given as (see `image_types.open_image`),
        a Pillow image where a path was given.

        type: map, rgba, green, white, blur, overlay, debug (the network's levels), a color, or a background image.
        threshold: in 0..1, for hard edges. reverse: take the object away, keep the rest. output: a file to write the result to,
        too, in the format of its suffix; one that is there is replaced. keep_metadata: EXIF data, GPS included, goes along;
        color profile and dpi always do. What is transparent in the image stays so. mending: the map and the frame, see `Mending`;
        where it asks for several objects, a list of them comes back, and output gets files beside it, which replace no others
        (`object_files`).
        mask, boxes, points: what is object and what is not, as `interactive.prompt.prompt_of` takes them; or a ready-made prompt.
        Raises ImageError for what is no image, CutoutError for an unknown type or threshold and for what cannot be mended so,
        FormatError for a suffix that does not fit, PromptError for a prompt that cannot be, OSError where the file cannot be
        written.
        """
        style = mended_style(style_of(type), mending, reverse)
        check_threshold(threshold)
        said = prompt_of(prompt, mask, boxes, points)
        output = None if output is None else expanded(output)
        if output is not None:  # before the network runs
            if any(is_same_file(output, file) for file in (type, mask)):
                raise RemoverError(
                    f"{output}: the result would replace this file, which is read too: name another output"
                )
            check_format(output.suffix, style.transparent)
        opened = open_image(img)
        result = self.cut(opened.image, style, threshold, reverse, keep_metadata, said)
        if output is not None:
            write_result(result, output)
        return _given_back(opened, result, style)

    def process_batch(
        self,
        images: Iterable[Any],
        type: OutputType = "rgba",
        threshold: float | None = None,
        reverse: bool = False,
        batch_size: int = 8,
        keep_metadata: bool = False,
        mending: Mending | None = None,
    ) -> list[Any]:
        """As `process` for each image, several at a time through the network. Results come in the order of the images.

        None stands where an image has nothing to crop to; the log says so.
        """
        one_array = isinstance(images, np.ndarray) and images.ndim < 4
        if isinstance(images, str | bytes | Path | Image.Image) or one_array:
            raise RemoverError("images is a list of images; for one there is process")
        style = mended_style(style_of(type), mending, reverse)
        check_threshold(threshold)

        def finished(number: int, one: LoadedImage, found: NetworkMaps) -> Any:
            try:
                return _given_back(one, self.finish(one.image, found, style, threshold, reverse, keep_metadata), style)
            except NothingFound as error:
                LOG.warning("image %d: %s", number, error)
                return None

        results: list[Future] = []
        with ThreadPoolExecutor(1, "finish") as thread:  # beside the network, which sees the next images
            for chunk in _chunks(images, batch_size):
                opened = [open_image(image) for image in chunk]
                maps = self.predict([one.image for one in opened], style.kind == "debug")
                wait(results[-1:])  # the maps of two chunks are in memory, not of all
                results += [
                    thread.submit(finished, len(results) + place, one, found)
                    for place, (one, found) in enumerate(zip(opened, maps, strict=True))
                ]
            return [result.result() for result in results]

    def cut(
        self,
        image: np.ndarray | DecodedImage,
        type: OutputType = "rgba",
        threshold: float | None = None,
        reverse: bool = False,
        keep_metadata: bool = False,
        prompt: Prompt | None = None,
        mending: Mending | None = None,
    ) -> Result:
        """As `process` for an array uint8 RGB (H, W, 3) or what `read_decoded` gives, with the time of each part."""
        style = mended_style(style_of(type), mending, reverse)
        started = time.perf_counter()
        image = image if isinstance(image, DecodedImage) else DecodedImage(image)
        maps = self.predict([image], style.kind == "debug", prompt)[0]
        seconds = {"network": time.perf_counter() - started}
        result = self.finish(image, maps, style, threshold, reverse, keep_metadata)
        return replace(result, seconds={**seconds, **result.seconds})

    def saliency(self, image: np.ndarray) -> np.ndarray:
        """The map of an array uint8 RGB (H, W, 3): uint8 (H, W)."""
        return self.cut(image, "map").array

    def interactive(self, img: Any) -> InteractiveImage:
        """One image whose features are kept, for prompts that follow one another; the image as for `process`.

        Raises RemoverError for a network that has no coarse map to change, ImageError.
        """
        return InteractiveImage(self.network, seen_by_network(open_image(img).image))

    # -- parts ------------------------------------------------------------------------------------------------------

    def predict(
        self, images: Sequence[DecodedImage], levels: bool = False, prompt: Prompt | None = None
    ) -> list[NetworkMaps]:
        """What the network says of each image, at its own sizes; levels: also the levels of the pyramid, as for the quality.
        prompt: of one image; what a person said has no quality.

        Raises PromptError for a prompt that does not fit, or that is given for several images or with levels.
        """
        if prompt is not None:
            if len(images) != 1 or levels:
                raise PromptError(
                    "a prompt belongs to one image, and not to type debug, which shows the network's own levels"
                )
            return [prompted(self.network, seen_by_network(images[0]), prompt)]
        levels = levels or self.quality is not None
        return predict(self.network, [seen_by_network(image) for image in images], levels)

    def quality_of(self, maps: NetworkMaps) -> float | None:
        """The quality as of `Result`."""
        return None if self.quality is None or not maps.saliency else self.quality(maps)

    def check_quality(self) -> None:
        """Raises RemoverError where the network has no estimate of quality."""
        if self.quality is None:
            raise RemoverError(missing(self.network))

    def map_of(self, maps: NetworkMaps, image: DecodedImage) -> np.ndarray:
        """Of what the network says the map at the image's size, uint8 (H, W)."""
        return to_map(maps.probability, image.array.shape[:2], "none" if maps.stretched else self.network.normalize)

    def finish(
        self,
        image: DecodedImage,
        maps: NetworkMaps,
        style: OutputStyle,
        threshold: float | None,
        reverse: bool,
        keep_metadata: bool,
    ) -> Result:
        """An image and what the network says of it → result. Any thread may do this while the network sees the next image."""
        if style.kind == "debug":
            from ..utils.report.visualize import pyramid_picture

            alpha = alpha_of(self.map_of(maps, image), threshold, opacity=image.alpha)
            result = Result(pyramid_picture(maps, seen_by_network(image)), alpha=alpha)
        else:
            result = self.compose(image, self.map_of(maps, image), style, threshold, reverse, keep_metadata)
        return replace(result, quality=self.quality_of(maps))

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
        image = image if keep_metadata else replace(image, metadata=replace(image.metadata, exif=None))
        started = time.perf_counter()
        maps = mended(saliency, style.mending, threshold, image.alpha)
        together = next(maps)
        seconds = {"mending": time.perf_counter() - started} if style.mending else {}
        wish = style, reverse, self.edges != "none" and (threshold is None or style.mending.feather > 0)
        whole = self._composed(image, together, *wish)
        each = [self._composed(image, one, *wish).without_alpha() for one in maps]
        for one in (whole, *each):
            seconds |= {part: seconds.get(part, 0.0) + value for part, value in one.seconds.items()}
        return replace(whole, seconds=seconds, objects=tuple(each))

    def _composed(
        self, image: DecodedImage, alpha: np.ndarray, style: OutputStyle, reverse: bool, estimated: bool
    ) -> Result:
        """Image and mended map → result. estimated: so are the colors in soft edges."""
        seconds: dict[str, float] = {}

        def edges(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
            started = time.perf_counter()
            colors = estimate(image, alpha, self.edges, self.device)
            seconds["edges"] = time.perf_counter() - started
            return colors

        started = time.perf_counter()
        own = alpha_of(alpha, opacity=image.alpha)
        array = render(image.array, alpha, drawn(style), None, reverse, edges if estimated else None, image.alpha)
        result = Result(array, seconds, image.metadata, alpha=own)
        if style.mending.frames:
            array = framed(array, result.bbox, style)
            metadata = resized_metadata(image.metadata, array.shape[:2])
            result = replace(result, array=array, metadata=metadata, box=result.bbox)
        seconds["composing"] = time.perf_counter() - started - seconds.get("edges", 0.0)
        return result


def _given_back(opened: LoadedImage, result: Result, style: OutputStyle) -> Any:
    """The result as the kind that the image came as; a list of the objects where they were asked for by themselves."""
    whole = opened.to_input_type(result)
    if whole is result or not style.mending.splits:
        return whole
    return [opened.to_input_type(one) for one in result.objects]


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    if size < 1:
        raise RemoverError(f"batch_size is at least 1, not {size}")
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
