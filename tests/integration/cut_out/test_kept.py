"""Transparency, color profile, resolution and EXIF: the same from whatever an image is given as, and to whatever asks for it."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from starlette.testclient import TestClient

from inspyrenet import Remover, cli
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.network import Network
from inspyrenet.batch.worker import Settings, Worker
from inspyrenet.commands import cut_out
from inspyrenet.data.images.decoded import read_decoded
from inspyrenet.demo import pictures
from inspyrenet.demo.page import Page
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.remover.compositing import GROUND, OutputStyle, style_of
from inspyrenet.serve.app import create_app
from inspyrenet.serve.codec import Codec
from tests.exif_thumbnail import with_thumbnail
from tests.profiles import wide_gamut
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)
RED, SRGB_RED = (230, 40, 40), (252, 0, 5)  # in `wide_gamut`, and the same color in sRGB


@pytest.fixture(scope="module")
def remover(tmp_path_factory):
    config, weights = write_tiny(tmp_path_factory.mktemp("tiny"))
    return Remover(config, "cpu", weights, edges="none")


def erased():
    """(picture, alpha): the right part erased, the middle half so."""
    alpha = np.full((48, 80), 255, np.uint8)
    alpha[:, 40:], alpha[:, 60:] = 128, 0
    return np.dstack([picture(), alpha])


def png(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def as_array(result):
    if isinstance(result, torch.Tensor):
        return result.permute(1, 2, 0).numpy()
    return np.asarray(Image.open(io.BytesIO(result)) if isinstance(result, bytes) else result)


# -- transparency -------------------------------------------------------------------------------------------------

KINDS = {
    "array": lambda rgba: rgba,
    "tensor": lambda rgba: torch.from_numpy(rgba).permute(2, 0, 1),
    "pillow": Image.fromarray,
    "bytes": lambda rgba: png(Image.fromarray(rgba)),
    "file": lambda rgba: io.BytesIO(png(Image.fromarray(rgba))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_erased_stays_erased(remover, kind):
    rgba = erased()
    on_ground = rgba[..., :3].copy()
    on_ground[:, 60:] = GROUND
    weight = rgba[:, 40:60, :3].astype(int)
    on_ground[:, 40:60] = (128 * weight + 127 * np.array(GROUND) + 127) // 255
    alpha = np.minimum(remover.saliency(on_ground), rgba[..., 3])  # the network saw a plain ground
    result = as_array(remover.process(KINDS[kind](rgba)))
    assert np.array_equal(result[..., 3], alpha)
    assert np.array_equal(result[..., :3], rgba[..., :3] * (alpha > 0)[..., None])
    assert np.array_equal(as_array(remover.process(KINDS[kind](rgba), type="map")).reshape(48, 80), alpha)
    assert (as_array(remover.process(KINDS[kind](rgba), type="white", reverse=True))[:, 60:] == 255).all()
    background = np.full((9, 9, 3), (1, 2, 3), np.uint8)
    assert (as_array(remover.process(KINDS[kind](rgba), type=background))[:, 60:] == (1, 2, 3)).all()


def in_mode(mode):
    """`erased` in a mode of Pillow; a palette has its last color for what is erased, and knows no half."""
    rgba = Image.fromarray(erased())
    if mode in ("LA", "La"):
        return rgba.convert("LA").convert(mode)
    if mode == "RGBa":
        return rgba.convert(mode)
    palette = rgba.convert("RGB").quantize(16)
    if mode == "PA":
        palette.putalpha(rgba.getchannel("A"))
    else:
        palette.paste(255, (60, 0, 80, 48))
        palette.info["transparency"] = 255
    return palette


@pytest.mark.parametrize("mode", ["LA", "PA", "La", "RGBa", "P"])
def test_other_modes_with_transparency(remover, mode):
    image = in_mode(mode)
    assert image.mode == mode
    result = np.asarray(remover.process(image))
    assert not result[:, 60:].any() and result[:, :40, 3].max() > 128
    assert mode == "P" or result[:, 40:60, 3].max() == 128


def test_16_bit_files_and_paths(remover, tmp_path):
    import cv2

    assert cv2.imwrite(str(tmp_path / "deep.png"), erased()[..., [2, 1, 0, 3]].astype(np.uint16) * 257)
    assert np.array_equal(np.asarray(remover.process(tmp_path / "deep.png")), remover.process(erased()))


# -- color --------------------------------------------------------------------------------------------------------


def photo(mode="RGB"):
    """A red disc in a wide gamut, with resolution and camera data."""
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x0112: 6})
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    image = Image.new(mode, (80, 48), RED)
    return png(image, icc_profile=wide_gamut(), dpi=(300, 150), exif=with_thumbnail(exif))


def test_a_path_or_pillow_image_gives_a_pillow_image_that_knows_its_colors(remover, tmp_path):
    (tmp_path / "photo.png").write_bytes(photo())
    for image in (tmp_path / "photo.png", Image.open(tmp_path / "photo.png")):
        result = remover.process(image)
        assert result.info["icc_profile"] == wide_gamut() and result.size == (48, 80)
        assert result.info["dpi"] == pytest.approx((150, 300), abs=0.05) and "exif" not in result.info
        assert (np.asarray(result)[np.asarray(result)[..., 3] > 0][:, :3] == RED).all()
        assert remover.process(image, keep_metadata=True).getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("type", ["#ffffff", "overlay", "debug", "map"])
def test_beside_other_colors_a_photograph_is_srgb(remover, type):
    result = Image.open(io.BytesIO(remover.process(photo(), type=type)))
    assert "icc_profile" not in result.info
    if type == "#ffffff":
        whole = remover.compose(read_decoded(photo()), np.full((80, 48), 255, np.uint8), OutputStyle("white"))
        assert np.abs(whole.array.astype(int) - SRGB_RED).max() <= 2


def test_a_background_image_in_a_wide_gamut_becomes_srgb(tmp_path):
    Image.new("RGB", (9, 9), RED).save(tmp_path / "back.png", icc_profile=wide_gamut())
    background = style_of(tmp_path / "back.png").picture
    assert np.abs(background.astype(int) - SRGB_RED).max() <= 2


def test_the_network_sees_the_same_in_any_profile(remover):
    wide = read_decoded(png(Image.fromarray(picture()), icc_profile=wide_gamut()))
    srgb = wide.srgb().array
    assert np.abs(srgb.astype(int) - picture()).max() > 20
    assert np.array_equal(remover.cut(wide, "map").array, remover.saliency(srgb))


# -- from everywhere ----------------------------------------------------------------------------------------------


def by_command(folder, options, keep):
    assert (
        cut_out.main(["--source", str(folder / "photo.png"), "--dest", str(folder / "cut.png"), *options, *keep]) == 0
    )
    return (folder / "cut.png").read_bytes()


def by_cli(folder, options, keep):
    words = ["i", str(folder / "photo.png"), str(folder / "cut.png"), *options, *keep]
    assert cli.main(words) == 0
    return (folder / "cut.png").read_bytes()


def by_folder(folder, options, keep):
    assert cli.main(["p", str(folder), str(folder.parent / "out"), *options, *keep]) == 0
    return (folder.parent / "out" / "photo.png").read_bytes()


def by_pipe(folder, options, keep, monkeypatch, capsysbinary):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((folder / "photo.png").read_bytes())))
    assert cli.main(["i", "-", "-", *options, *keep]) == 0
    return capsysbinary.readouterr().out


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("files"))


@pytest.fixture
def place(tmp_path):
    """A folder with the photograph, half of it erased."""
    (tmp_path / "in").mkdir()
    image = Image.open(io.BytesIO(photo("RGBA")))
    alpha = Image.new("L", (80, 48), 255)
    alpha.paste(0, (40, 0, 80, 48))
    image.putalpha(alpha)
    words = {name: image.info[name] for name in ("icc_profile", "dpi", "exif")}
    (tmp_path / "in" / "photo.png").write_bytes(png(image, **words))
    return tmp_path / "in"


def check(data, keep):
    """Everything that a cut-out of `place` must be."""
    image = Image.open(io.BytesIO(data))
    array = np.asarray(image)
    assert array.shape == (80, 48, 4) and array[:40, :, 3].max() > 0
    assert not array[40:].any()
    assert set(map(tuple, array[array[..., 3] > 0][:, :3])) == {RED} and not array[array[..., 3] == 0].any()
    assert image.info["icc_profile"] == wide_gamut() and image.info["dpi"] == pytest.approx((150, 300), abs=0.05)
    exif = image.getexif()
    assert (exif.get(0x010F), exif.get(0x0112)) == (("Maker", 1) if keep else (None, None))
    assert exif.get_ifd(ExifTags.IFD.GPSInfo) == ({1: "N"} if keep else {})
    assert not exif.get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("way", [by_command, by_cli, by_folder, by_pipe])
def test_commands(way, keep, tiny, place, monkeypatch, capsysbinary):
    options = ["-m", str(tiny[0]), "--ckpt", str(tiny[1]), "--device", "cpu", "--edges", "none"]
    more = (monkeypatch, capsysbinary) if way is by_pipe else ()
    check(way(place, options, ["--keep-metadata"] * keep, *more), keep)


@pytest.mark.parametrize("keep", [False, True])
def test_server(remover, place, keep):
    with TestClient(create_app({"tiny": remover})) as client:
        answer = client.post(
            "/api/remove",
            params={"keep_metadata": keep},
            files={"file": ("photo.png", (place / "photo.png").read_bytes())},
        )
    assert answer.status_code == 200, answer.text
    check(answer.content, keep)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("together", [1, 2])
def test_batch(remover, place, keep, together):
    (place / "marks").mkdir()
    settings = Settings(
        Network("tiny", NetworkOptions(), ""), OutputStyle("rgba"), "png", str(place / "marks"), 0,
        keep_metadata=keep, batch_size=together,
    )  # fmt: skip
    targets = [place / f"cut{number}.png" for number in range(2)]
    rows = Worker(settings, "one", lambda _: remover)([Item(str(place / "photo.png"), str(one)) for one in targets])
    assert [row.status for row in rows] == ["done", "done"]
    for target in targets:
        check(target.read_bytes(), keep)


def test_page(remover, place):
    with contextlib.closing(Codec(pixels=10**6, decoding=20, encoding=20, workers=1)) as codec:
        page = Page(remover, place, codec)
        path = str(place / "photo.png")
        page.on_photo(path)
        shown, _, button = page.on_control(path, "Transparent", "#000000", 0, False)
    check(Path(button["value"]).read_bytes(), keep=False)
    solid = np.full((80, 48, 4), (*RED, 255), np.uint8)
    assert np.abs(pictures.shown(solid, wide_gamut()).astype(int) - SRGB_RED).max() <= 2
    assert shown.shape == (80, 48, 3)
