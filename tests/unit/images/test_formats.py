"""The one list of formats: everything in it is read, by content as by name, and every part of the project has the same."""

import io
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from inspyrenet.data.images import formats
from inspyrenet.data.images.formats import EXTENSIONS, KNOWN, PICTURES, PLUGINS, is_known, is_picture
from inspyrenet.data.images.read import ImageError, find_images, read_image
from inspyrenet.utils.metrics import files as metric_files

MODES = {"PPM": "RGB", "ICNS": "RGBA"}
READ_ONLY = ("PSD", "SUN")  # Pillow does not write them; made by hand below
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
JXL = b"\xff\x0a" + bytes(40)


def made(name: str, tmp_path) -> bytes:
    """A picture of 16×16 in that format."""
    if name == "PSD":
        head = b"8BPS" + (1).to_bytes(2, "big") + bytes(6)
        head += b"".join(value.to_bytes(size, "big") for value, size in ((3, 2), (16, 4), (16, 4), (8, 2), (3, 2)))
        return head + bytes(12) + bytes(2) + bytes(3 * 256)  # no palette, resources or layers; raw planes
    if name == "SUN":
        words = (0x59A66A95, 16, 16, 24, 768, 1, 0, 0)
        return b"".join(word.to_bytes(4, "big") for word in words) + bytes(768)
    buffer = io.BytesIO()
    Image.new(MODES.get(name, "RGB"), (16, 16), 90).save(buffer, name)
    return buffer.getvalue()


@pytest.mark.parametrize("name", PICTURES)
def test_every_format_of_the_list_is_read(name, tmp_path):
    data = made(name, tmp_path)
    for suffix in PICTURES[name]:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(data)
        assert read_image(path).shape[2] == 3 and path in find_images(tmp_path)
    (tmp_path / "named.wrongly").write_bytes(data)
    assert read_image(tmp_path / "named.wrongly").shape[2] == 3


@pytest.mark.parametrize("data", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", b"SIMPLE  =  T"])
def test_what_is_not_on_the_list_is_refused_even_where_pillow_knows_it(data, tmp_path):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match="not an image of a known kind"):
        read_image(tmp_path / "a.png")


def test_suffixes_are_lower_case_and_occur_once():
    assert len(set(KNOWN)) == len(KNOWN) and all(name == name.lower() and name.startswith(".") for name in KNOWN)


def test_the_documentation_has_the_same_list():
    text = (Path(__file__).parents[3] / "docs" / "cutout.md").read_text(encoding="utf-8")
    rows = text.partition("| suffixes |")[2].partition("\n\n")[0].splitlines()[2:]
    named = {f".{word}" for row in rows for word in re.findall(r"[a-z0-9]+", re.sub("`.*?`", "", row.split("|")[2]))}
    assert named - set(KNOWN) == set() and set(KNOWN) - named == set()


def test_evaluation_has_the_same_list():
    assert (*EXTENSIONS, ".npy") == metric_files.EXTENSIONS  # utils must not import data


@pytest.mark.parametrize(
    "name", [name for name in PICTURES if name not in ("DIB", "BMP", "PPM", "ICO", "PCX", "SGI", "SUN", "TGA", "ICNS")]
)
def test_a_picture_is_known_by_its_content(name, tmp_path):
    (tmp_path / "a.dat").write_bytes(made(name, tmp_path))
    assert is_picture(tmp_path / "a.dat")


def test_text_is_no_picture(tmp_path):
    (tmp_path / "a.txt").write_text("not a picture" * 9)
    assert not is_picture(tmp_path / "a.txt") and not is_picture(tmp_path / "none")


@pytest.mark.parametrize(("data", "package"), [(HEIC, "pillow-heif"), (JXL, "pillow-jxl-plugin")])
def test_a_plugin_that_is_not_here_is_named(data, package, tmp_path, monkeypatch):
    for _, _, module in PLUGINS.values():
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "a.heic").write_bytes(data)
    assert is_picture(tmp_path / "a.heic") and find_images(tmp_path) == [tmp_path / "a.heic"]
    for source in (data, tmp_path / "a.heic"):
        with pytest.raises(ImageError, match=f"needs a package: pip install {package}$"):
            read_image(source)


def test_a_damaged_avif_asks_for_no_package():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "AVIF")
    with pytest.raises(ImageError, match="damaged"):
        read_image(buffer.getvalue()[:200])


def test_a_plugin_that_is_here_is_loaded_when_an_image_asks_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    opener = types.SimpleNamespace(loaded=0)

    def register_heif_opener():
        opener.loaded += 1
        Image.register_open(
            "HEIF", lambda file, name: Image.new("RGB", (5, 4), (1, 2, 3)), lambda data: data[4:8] == b"ftyp"
        )

    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register_heif_opener))
    read_image(made("PNG", tmp_path))
    assert opener.loaded == 0
    assert np.array_equal(read_image(HEIC), np.full((4, 5, 3), (1, 2, 3)))
    assert opener.loaded == 1 and "HEIF" in formats.pillow_formats()


def test_a_ts_is_a_video_only_where_its_content_is(tmp_path):
    (tmp_path / "code.ts").write_text("const greeting: string = 'Good morning';\n" * 9)
    (tmp_path / "clip.TS").write_bytes((b"G" + bytes(187)) * 3)
    (tmp_path / "disk.ts").write_bytes((bytes(4) + b"G" + bytes(187)) * 3)
    known = {path.name: is_known(path) for path in tmp_path.iterdir()}
    assert known == {"code.ts": False, "clip.TS": True, "disk.ts": True}


def test_pillow_says_the_same_of_what_is_unknown():
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"text"), formats=formats.pillow_formats())
