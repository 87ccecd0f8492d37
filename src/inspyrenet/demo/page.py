"""The page: what is on it, and what happens when something is dropped or moved. Import it after Demo.py has set the environment."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from ..data.datasets.synthetic import HELD_OUT_SEED, SyntheticShapes
from ..data.images.encode import write_bytes, write_picture
from ..remover.compositing import CutoutError
from ..remover.remover import Remover, RemoverError
from ..serve.codec import Codec, Refused
from . import layout
from .controls import TYPES, read_controls
from .drawing import can_draw
from .guard import check_room, own_file
from .kept import Kept
from .pictures import Prediction, finish, predict, shown

EXAMPLES = (6, 4, 8)  # of the painted images
SESSIONS = 256  # visitors that gradio remembers
SWEEP = (300, 900)  # seconds: how often files are removed, and how old they are then
QUEUE = 32
TOGETHER = "pictures"  # events of which one is handled at a time; by itself, each would decode and compose a picture


class Page:
    """A network, and the page around it. folder: temporary files; codec: what decodes and encodes."""

    def __init__(self, remover: Remover, folder: Path, codec: Codec):
        self.remover, self.folder, self.codec = remover, folder, codec
        self.kept = Kept()
        self.draws = can_draw(remover)

    def build(self) -> gr.Blocks:
        """The page, not yet served."""
        with gr.Blocks(title="inspyrenet", analytics_enabled=False, delete_cache=SWEEP) as blocks:
            gr.HTML(layout.header(self.remover.describe()))
            with gr.Row(equal_height=False):
                with gr.Column(scale=4, min_width=300, elem_id="inputs"):
                    photo = self._photo()
                    controls = self._controls()
                with gr.Column(scale=7, min_width=300, elem_id="outputs"):
                    results = self._results()
            self._connect(photo, controls, results)
        blocks.queue(max_size=QUEUE, api_open=False)
        return blocks

    # -- parts ------------------------------------------------------------------------------------------------------

    def _photo(self) -> gr.Image:
        photo: Any = gr.Image(
            label="Your image",
            type="filepath",
            image_mode=None,
            sources=["upload", "clipboard"],
            elem_id="photo",
            buttons=[],
        )
        photo.preprocess = uploaded_path
        gr.Examples(self._painted(), photo, label="Or one of these", elem_id="examples", api_visibility="private")
        return photo

    def _painted(self) -> list[str]:
        """Example images, painted into the temporary folder."""
        pictures = SyntheticShapes(max(EXAMPLES) + 1, HELD_OUT_SEED, (160, 210))
        paths = [self.folder / "examples" / f"painted{number}.png" for number in range(len(EXAMPLES))]
        for path, index in zip(paths, EXAMPLES, strict=True):
            picture = Image.fromarray(pictures[index].image)  # at the size that these are painted for
            write_picture(np.asarray(picture.resize((630, 480), Image.Resampling.BICUBIC)), path)
        return [str(path) for path in paths]

    @staticmethod
    def _controls() -> list[gr.components.Component]:
        kind = gr.Radio(list(TYPES), value="Transparent", label="Result", elem_id="type")
        color = gr.ColorPicker("#0f766e", label="Background color", visible=False, elem_id="color")
        threshold = gr.Slider(
            0, 1, 0, step=0.05, label="Threshold", info="0: soft edges, as the network sees them", elem_id="threshold"
        )
        reverse = gr.Checkbox(label="Keep the background instead", elem_id="reverse")
        kind.change(lambda name: gr.update(visible=name == "Color"), kind, color, show_progress="hidden", **_quiet())
        return [kind, color, threshold, reverse]

    @staticmethod
    def _results() -> dict[str, Any]:
        look_: dict[str, Any] = {"show_label": False, "buttons": ["fullscreen"], "interactive": False}
        with gr.Tabs():
            with gr.Tab("Cut-out"):
                result = gr.Image(**look_, elem_id="result")
            with gr.Tab("Compare"):
                both = gr.ImageSlider(**look_ | {"buttons": []}, elem_id="compare", max_height=440)
            with gr.Tab("Map"):
                map_ = gr.Image(**look_, elem_id="map")
            with gr.Tab("Pyramid"):
                pyramid = gr.HTML(layout.EMPTY, elem_id="pyramid")
        quality = gr.HTML("", elem_id="quality")
        file = gr.DownloadButton("Download", variant="primary", interactive=False, elem_id="download")
        draw = gr.HTML("", elem_id="draw")
        return {
            "result": result,
            "both": both,
            "map": map_,
            "pyramid": pyramid,
            "quality": quality,
            "file": file,
            "draw": draw,
        }

    def _connect(self, photo: gr.Image, controls: list[Any], results: dict[str, Any]) -> None:
        finished = [results["result"], results["both"], results["file"]]
        changed = photo.change(
            self.on_photo,
            photo,
            [results[name] for name in ("map", "pyramid", "quality", "draw")],
            show_progress_on=results["result"],
            **_quiet(),
        )
        changed.success(
            self.on_control,
            [photo, *controls],
            finished,
            show_progress_on=results["result"],
            concurrency_id=TOGETHER,
            **_quiet(),
        )
        everything = [*finished, *(results[name] for name in ("map", "pyramid", "quality", "draw"))]
        changed.failure(self.nothing, None, everything, show_progress="hidden", **_quiet())
        for control in controls:
            control.change(
                self.on_control,
                [photo, *controls],
                finished,
                trigger_mode="always_last",
                show_progress="hidden",
                concurrency_id=TOGETHER,
                **_quiet(),
            )

    # -- what happens -----------------------------------------------------------------------------------------------

    @staticmethod
    def nothing() -> tuple[Any, ...]:
        """What is shown where an image was refused: nothing of the one before it."""
        return None, None, gr.update(value=None, interactive=False), None, layout.EMPTY, layout.quality(None), ""

    def on_photo(self, path: str | None) -> tuple[Any, str, str, str]:
        """A new image: the network runs."""
        if path is None:
            return None, layout.EMPTY, layout.quality(None), ""
        with told():
            prediction = self._predict(path)
        levels, quality = layout.pyramid(prediction), layout.quality(prediction.quality)
        return shown(prediction.saliency), levels, quality, layout.drawing(path) if self.draws else ""

    def on_control(self, path: str | None, kind: Any, color: Any, threshold: Any, reverse: Any) -> tuple[Any, Any, Any]:
        """Another type or threshold: only the picture is made again."""
        if path is None:
            return None, None, gr.update(value=None, interactive=False)
        with told():
            wish = read_controls(kind, color, threshold, reverse)
            prediction = self.kept.get(path) or self._predict(path)
            result = finish(self.remover, prediction, wish.style, wish.threshold, wish.reverse)
            data = self.codec.encode(result.array, "png", result.metadata).future.result()
            target = self.folder / secrets.token_hex(16) / f"{Path(path).stem}.out.png"
            check_room(self.folder)
            write_bytes(data, target)
        picture = shown(result.array, result.metadata.icc)
        return picture, (shown(prediction.image), picture), gr.update(value=str(target), interactive=True)

    def _predict(self, path: str) -> Prediction:
        """Decode an upload and run the network. Raises Refused, and what the network raises."""
        file = own_file(self.folder, path)
        if file is None:
            raise Refused(422, "only an image that was dropped here can be used; drop it again")
        with file.open("rb") as stream:
            self.codec.measure(stream).future.result()
            prediction = predict(self.remover, self.codec.decode(stream).future.result())
        self.kept.put(path, prediction)
        return prediction


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What a visitor is told where an image or a wish cannot be used."""
    try:
        yield
    except (Refused, CutoutError, RemoverError, MemoryError, OSError) as error:
        message = str(error)
        if isinstance(error, OSError) and error.strerror:
            message = f"the result cannot be kept: {error.strerror}"  # without the folder's name
        raise gr.Error(
            message[:1].upper() + message[1:], title="This image cannot be used", print_exception=False
        ) from error


def uploaded_path(payload: Any) -> str | None:
    """The upload as it is. Gradio itself would first open it with all of Pillow's readers, and say "Error" if none can."""
    return None if payload is None else payload.path


def _quiet() -> dict[str, Any]:
    """An event that programs are not told about; the API is `inspyrenet s`."""
    return {"api_visibility": "private"}
