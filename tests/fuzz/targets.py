"""Everything that reads what others wrote: valid examples of it, and the call that must read or refuse any bytes.

Refusing is raising one of our own errors, or one of the operating system's, with a message: what a command shows in a line.
"""

import argparse
import contextlib
import http.client
import io
import json
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, features

from inspyrenet.utils.system.failures import is_expected as expected

if TYPE_CHECKING:
    import torch

__all__ = ["TARGETS", "Target", "expected"]

HOST = "127.0.0.1"
ANSWER = 15.0  # seconds for the server to take a request, and to say how it does
HALF = 0.3  # seconds to wait for the answer; a request that lacks its end gets none


@dataclass(frozen=True)
class Target:
    """seeds: folder for files → valid inputs. read: reads one in that folder, or raises."""

    seeds: Callable[[Path], list[bytes]]
    read: Callable[[bytes, Path], None]
    suffix: str


# -- images and masks ---------------------------------------------------------------------------------------------


def _photo(height: int = 37, width: int = 50) -> np.ndarray:
    """A bright ellipse on a noisy ground: uint8 (height, width, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    image = rng.integers(0, 80, (height, width, 3), np.uint8)
    image[((y / height - 0.5) / 0.3) ** 2 + ((x / width - 0.5) / 0.3) ** 2 < 1] += 120
    return image


def _image_seeds(folder: Path) -> list[bytes]:
    photo = Image.fromarray(_photo())
    deep = Image.fromarray(np.arange(37 * 50, dtype=np.uint16).reshape(37, 50) * 30)
    turned = photo.getexif()
    turned[0x0112] = 6
    seeds = [
        *(_saved(photo.convert(mode), "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P", "1")),
        _saved(deep, "PNG"),
        *(_saved(photo.convert(mode), "JPEG", exif=turned) for mode in ("RGB", "L", "CMYK")),
        _saved(photo, "JPEG", progressive=True, dpi=(300, 300)),
        *(_saved(photo, "TIFF", compression=kind) for kind in ("raw", "tiff_lzw", "tiff_deflate", "jpeg")),
        _saved(photo.convert("F").point(lambda value: value / 256), "TIFF"),
        _saved(deep, "TIFF"),
        _saved(photo, "GIF", save_all=True, append_images=[photo.rotate(9)]),
        _saved(photo, "WEBP", lossless=True),
        _saved(photo.convert("RGBA"), "WEBP", save_all=True, append_images=[photo.rotate(9).convert("RGBA")]),
        *(_saved(photo, kind) for kind in ("BMP", "PPM", "TGA", "ICO", "DDS", "PCX", "SGI")),
    ]
    return seeds + [
        _saved(photo, kind) for kind, part in (("AVIF", "avif"), ("JPEG2000", "jpg_2000")) if features.check(part)
    ]


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _read_image(data: bytes, folder: Path) -> None:
    from inspyrenet.data.images.read import read_image

    array = read_image(data)
    assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size


def _mask_seeds(folder: Path) -> list[bytes]:
    shape = _photo()[..., 0] > 120
    palette = Image.fromarray(shape.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    masks = [
        Image.fromarray(shape.astype(np.uint8) * 255),
        Image.fromarray(shape.astype(np.uint8)),
        Image.fromarray(shape),
        Image.fromarray(shape.astype(np.uint16) * 65535),
        palette,
    ]
    return [_saved(mask, "PNG") for mask in masks] + [_saved(masks[0], kind) for kind in ("TIFF", "BMP", "JPEG")]


def _read_mask(data: bytes, folder: Path) -> None:
    from inspyrenet.data.images.masks import read_mask

    mask = read_mask(data)
    assert mask.dtype == np.uint8 and mask.ndim == 2 and mask.size


# -- weights ------------------------------------------------------------------------------------------------------


def _small_network() -> "torch.nn.Module":
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 1, 1))


def _weight_seeds(folder: Path) -> list[bytes]:
    import torch

    from inspyrenet.utils.train.checkpoint import stamped

    state, seeds = _small_network().state_dict(), []
    ours = {"model": state, "ema": None, "iteration": 3}
    averaged = {**ours, "ema": {"weights": state, "updates": 3}}
    for content in (state, {"state_dict": state}, stamped(ours), stamped(averaged)):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        seeds.append(buffer.getvalue())
    return seeds


def _tensor_seeds(folder: Path) -> list[bytes]:
    from safetensors.torch import save

    return [save(_small_network().state_dict())]


def _read_weights(data: bytes, folder: Path, suffix: str = ".pth") -> None:
    from inspyrenet import load_weights

    path = folder / f"weights{suffix}"
    path.write_bytes(data)
    load_weights(_small_network(), path)


def _read_tensors(data: bytes, folder: Path) -> None:
    _read_weights(data, folder, ".safetensors")


# -- configs ------------------------------------------------------------------------------------------------------


def _config_seeds(folder: Path) -> list[bytes]:
    configs = Path(__file__).resolve().parents[2] / "configs"
    return [(configs / f"{name}.yaml").read_bytes() for name in ("Quickstart", "InSPyReNet_Bundled", "BiRefNet_SwinL")]


def _read_config(data: bytes, folder: Path) -> None:
    from inspyrenet.commands.configs import load

    path = folder / "fuzzed.yaml"
    path.write_bytes(data)
    load(argparse.Namespace(config=[path], overrides=[]))


# -- archives -----------------------------------------------------------------------------------------------------


def _archive_seeds(folder: Path) -> list[bytes]:
    image = _saved(Image.fromarray(_photo(8, 9)), "PNG")
    seeds = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name in ("set/images/a.png", "set/images/b.png", "set/masks/a.png", "set/masks/b.png"):
                archive.writestr(name, image)
        seeds.append(buffer.getvalue())
    return seeds


def _read_archive(data: bytes, folder: Path) -> None:
    from inspyrenet.data.hub.archives import unpack_dataset

    place = folder / "place"
    place.mkdir(exist_ok=True)
    (place / "set.zip").write_bytes(data)
    try:
        unpack_dataset(place / "set.zip", place / "unpacked")
    finally:
        outside = {path.name for path in folder.iterdir()} - {"place", *KEPT}
        shutil.rmtree(place)
    assert not outside, f"left its folder: {outside}"


KEPT = ("tiny.yaml", "tiny.safetensors")


# -- videos and lists ---------------------------------------------------------------------------------------------


def _video_seeds(folder: Path) -> list[bytes]:
    import av

    seeds = []
    for kind, codec in (("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4"), ("matroska", "libx264")):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=5)
            stream.width, stream.height, stream.pix_fmt = 48, 36, "yuv420p"
            for number in range(3):
                frame = av.VideoFrame.from_ndarray(np.roll(_photo(36, 48), number, axis=0), "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        seeds.append(buffer.getvalue())
    return seeds


def _read_video(data: bytes, folder: Path) -> None:
    from inspyrenet.video.reading import VideoFile
    from inspyrenet.video.source import Picture

    path = folder / "video.mp4"
    path.write_bytes(data)
    video = VideoFile(path)
    try:
        for number, item in enumerate(video):
            assert not isinstance(item, Picture) or item.array.dtype == np.uint8
            if number > 20:
                break
    finally:
        video.close()


def _list_seeds(folder: Path) -> list[bytes]:
    return [b"a.png\nb/c.jpg\n# more\n'd e.png'\n", '\ufeffé.png\r\n"f.png"\r\n'.encode(), b"/absolute/g.png\n"]


def _read_list(data: bytes, folder: Path) -> None:
    from inspyrenet.batch.inputs import find_inputs

    path = folder / "list.txt"
    path.write_bytes(data)
    find_inputs(str(path), folder / "out")


# -- requests -----------------------------------------------------------------------------------------------------


def _request_seeds(folder: Path) -> list[bytes]:
    _server(folder)
    seeds = [_request("GET", f"/api/health{query}") for query in ("", "?a=b")]
    for data in _image_seeds(folder)[:12:3]:
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + data + b"\r\n--b--\r\n"
        for query in ("", "?type=map&format=webp", "?type=%23ff0000&threshold=0.5"):
            seeds.append(_request("POST", f"/api/remove{query}", form))
    return seeds


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    if body:
        head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


@cache
def _server(folder: Path) -> int:
    """The port of a server with the tiny network, in a thread of this process."""
    from inspyrenet import Remover
    from inspyrenet.serve.app import create_app
    from inspyrenet.serve.hosts import names_for
    from inspyrenet.serve.server import listen, run
    from inspyrenet.serve.settings import Limits
    from tests.tiny_network import write_tiny

    config, weights = write_tiny(folder)
    limits = Limits(seconds=5)
    listener = listen(HOST, 0)
    app = create_app({"tiny": Remover(config, "cpu", weights)}, limits, names_for(HOST, HOST))
    threading.Thread(target=run, args=(app, listener, limits, "here"), daemon=True).start()
    return listener.getsockname()[1]


def _send(data: bytes, folder: Path) -> None:
    """No answer of 500 or above, and a server that answers others afterwards."""
    parts: list[bytes] = []
    with socket.create_connection((HOST, _server(folder)), ANSWER) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        connection.settimeout(HALF)
        while part := connection.recv(1 << 16):
            parts.append(part)
    answer = b"".join(parts)
    status = answer.split(b" ", 2)[1:2]
    assert not (status and status[0].startswith(b"5")), answer[:500].decode("latin-1")
    health = http.client.HTTPConnection(HOST, _server(folder), timeout=ANSWER)
    health.request("GET", "/api/health")
    response = health.getresponse()
    assert response.status == 200 and json.loads(response.read())["status"] in ("ok", "busy")
    health.close()


TARGETS = {
    "images": Target(_image_seeds, _read_image, ".img"),
    "masks": Target(_mask_seeds, _read_mask, ".png"),
    "weights": Target(_weight_seeds, _read_weights, ".pth"),
    "safetensors": Target(_tensor_seeds, _read_tensors, ".safetensors"),
    "configs": Target(_config_seeds, _read_config, ".yaml"),
    "archives": Target(_archive_seeds, _read_archive, ".zip"),
    "videos": Target(_video_seeds, _read_video, ".mp4"),
    "lists": Target(_list_seeds, _read_list, ".txt"),
    "requests": Target(_request_seeds, _send, ".http"),
}
