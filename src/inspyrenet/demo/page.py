"""The page: what is on it, and what happens when something is dropped or moved. Import it after Demo.py has set the environment."""

import secrets
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio import processing_utils
from PIL import Image

from ..data.datasets.synthetic import HELD_OUT_SEED, SyntheticShapes
from ..data.images.decoded import read_decoded
from ..data.images.encode import write_picture
from ..data.images.read import ImageError
from ..remover.compositing import style_of
from ..remover.remover import Remover, RemoverError
from . import layout
from .pictures import Prediction, finish, predict, shown

TYPES = {
    "Transparent": "rgba",
    "White": "white",
    "Green": "green",
    "Color": "color",
    "Blur": "blur",
    "Overlay": "overlay",
    "Map": "map",
}
EXAMPLES = (6, 4, 8)  # of the painted images
SESSIONS, KEPT = 32, 900  # visitors whose last image is kept, and for how many seconds
SWEEP = (300, 900)  # seconds: how often files are removed, and how old they are then
QUEUE = 32
FONTS = (
    gr.themes.utils.fonts.LocalFont("Source Sans Pro", (400, 700)),
    "system-ui",
    "sans-serif",
)  # comes with gradio: nothing is fetched


class Page:
    """A network, and the page around it. folder: temporary files; pixels: the largest image."""

    def __init__(self, remover: Remover, folder: Path, pixels: int):
        self.remover, self.folder, self.pixels = remover, folder, pixels

    def build(self) -> gr.Blocks:
        """The page, not yet served."""
        with gr.Blocks(title="inspyrenet", analytics_enabled=False, delete_cache=SWEEP) as blocks:
            gr.HTML(layout.header(self.remover.describe()))
            prediction = gr.State(None, time_to_live=KEPT)
            with gr.Row(equal_height=False):
                with gr.Column(scale=4, min_width=300, elem_id="inputs"):
                    photo = self._photo()
                    controls = self._controls()
                with gr.Column(scale=7, min_width=300, elem_id="outputs"):
                    results = self._results()
            self._connect(photo, controls, results, prediction)
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
        file = gr.DownloadButton("Download", variant="primary", interactive=False, elem_id="download")
        return {"result": result, "both": both, "map": map_, "pyramid": pyramid, "file": file}

    def _connect(self, photo: gr.Image, controls: list[Any], results: dict[str, Any], prediction: gr.State) -> None:
        finished = [results["result"], results["both"], results["file"]]
        photo.change(
            self.on_photo,
            photo,
            [prediction, results["map"], results["pyramid"]],
            show_progress_on=results["result"],
            **_quiet(),
        ).success(
            self.on_control, [prediction, photo, *controls], finished, show_progress_on=results["result"], **_quiet()
        )
        for control in controls:
            control.change(
                self.on_control,
                [prediction, photo, *controls],
                finished,
                trigger_mode="always_last",
                show_progress="hidden",
                **_quiet(),
            )

    # -- what happens -----------------------------------------------------------------------------------------------

    def on_photo(self, path: str | None) -> tuple[Prediction | None, Any, str]:
        """A new image: the network runs."""
        if path is None:
            return None, None, layout.EMPTY
        try:
            prediction = predict(self.remover, read_decoded(path, self.pixels))
        except (ImageError, RemoverError, MemoryError) as error:
            message = str(error).removeprefix(f"{path}: ")
            raise gr.Error(
                message[:1].upper() + message[1:], title="This image cannot be used", print_exception=False
            ) from error
        return prediction, shown(prediction.saliency), layout.pyramid(prediction)

    def on_control(
        self, prediction: Prediction | None, path: str | None, kind: str, color: str, threshold: float, reverse: bool
    ) -> tuple[Any, Any, Any]:
        """Another type or threshold: only the picture is made again."""
        if prediction is None or path is None:
            return None, None, gr.update(value=None, interactive=False)
        style = style_of(as_hex(color) if kind == "Color" else TYPES[kind])
        result = finish(self.remover, prediction, style, threshold or None, reverse)
        target = self.folder / secrets.token_hex(16) / f"{Path(path).stem}.out.png"
        write_picture(result.array, target, metadata=result.metadata)
        picture = shown(result.array, result.metadata.icc)
        return picture, (shown(prediction.image), picture), gr.update(value=str(target), interactive=True)


def as_hex(color: str) -> str:
    """What a color picker sends, `#rrggbb` or `rgba(1.5, 2, 3, 1)`, as `#rrggbb`."""
    if not color.startswith("rgb"):
        return color
    parts = color.partition("(")[2].rstrip(")").split(",")[:3]
    return "#" + "".join(f"{min(255, max(0, round(float(part)))):02x}" for part in parts)


def uploaded_path(payload: Any) -> str | None:
    """The upload as it is. Gradio itself would first open it with all of Pillow's readers, and say "Error" if none can."""
    return None if payload is None else payload.path


async def refuse_address(url: str, cache_dir: str) -> str:
    """In place of gradio's download of addresses that a client names instead of a file."""
    raise gr.Error("addresses are not fetched: save the image and drop it here", print_exception=False)


def launch_words(host: str, port: int, max_mb: float) -> dict[str, Any]:
    """How the page is served: on this machine, without a tunnel, with nothing from other machines."""
    processing_utils.async_ssrf_protected_download = refuse_address
    theme = gr.themes.Default(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="lg", font=FONTS, font_mono=FONTS
    )
    theme.set(body_text_color_subdued="*neutral_500", block_info_text_color="*neutral_500")
    return {
        "server_name": host,
        "server_port": port,
        "share": False,
        "quiet": True,
        "prevent_thread_lock": True,
        "footer_links": [],
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "pwa": False,
        "max_file_size": round(max_mb * 1e6),
        "state_session_capacity": SESSIONS,
        "theme": theme,
        "css": layout.CSS,
    }


def _quiet() -> dict[str, Any]:
    """An event that programs are not told about; the API is `inspyrenet s`."""
    return {"api_visibility": "private"}
