"""Cut to the object, put on a canvas, with a shadow: through a Remover whose network sees brightness."""

import numpy as np
import pytest
from PIL import Image

from inspyrenet import Mending
from inspyrenet.data.images.decoded import DecodedImage
from inspyrenet.remover.compositing import WHITE
from inspyrenet.remover.errors import NothingFound
from tests.bright_network import bright_remover, painted

BOX = (20, 10, 30, 24)
IMAGE = painted(BOX)


def cut(type="rgba", image=IMAGE, **mending):
    return bright_remover().cut(image, type, mending=Mending(**mending))


def test_the_box_is_in_the_image_whatever_the_result_is():
    for mending in ({}, {"crop": 3}, {"size": "90x50"}, {"shadow": True}):
        assert cut(**mending).bbox == BOX
    assert cut("map").bbox == cut("white").bbox == BOX
    assert cut(image=painted()).bbox is None


def test_what_is_transparent_in_the_image_is_no_object():
    alpha = np.full(IMAGE.shape[:2], 255, np.uint8)
    alpha[:, 30:] = 0
    assert bright_remover().cut(DecodedImage(IMAGE, alpha)).bbox == (20, 10, 10, 24)


@pytest.mark.parametrize(
    ("margin", "part"),
    [(0, np.s_[10:34, 20:50]), (4, np.s_[6:38, 16:54]), ("10%", np.s_[7:37, 17:53]), (500, np.s_[:, :])],
)
@pytest.mark.parametrize("type", ["rgba", "map", "white", "blur", "overlay"])
def test_a_crop_is_the_part_of_the_whole_that_holds_the_object(type, margin, part):
    assert np.array_equal(cut(type, crop=margin).array, bright_remover().cut(IMAGE, type).array[part])


def test_a_canvas_holds_the_object_scaled_to_fit():
    result = cut(size="60x60").array  # 30×24 → 60×48
    assert result.shape == (60, 60, 4)
    assert (result[8:52, 2:58, 3] == 255).all() and not result[:6].any() and not result[54:].any()


@pytest.mark.parametrize(
    ("anchor", "top", "left"),
    [(None, 6, 0), ("center", 6, 0), ("top", 0, 0), ("bottom", 12, 0), ("bottom-right", 12, 0), ("left", 6, 0)],
)
def test_an_anchor_says_where(anchor, top, left):
    alpha = cut("map", size="60x60", anchor=anchor).array
    assert np.argwhere(alpha > 99).min(0).tolist() == [top, left] and np.count_nonzero(alpha > 99) == 48 * 60


def test_a_wide_canvas_has_its_room_at_the_sides():
    for anchor, left in (("left", 0), ("top", 70), ("right", 140)):
        alpha = cut("map", size="200x48", anchor=anchor).array
        assert np.argwhere(alpha > 99).min(0).tolist() == [0, left]


def test_a_margin_beyond_the_image_is_canvas():
    result = cut(image=painted((0, 0, 40, 40)), size="60x60", crop=10)
    assert not result.array[:9].any() and not result.array[:, :9].any()
    assert (result.array[11:49, 11:49, 3] == 255).all() and result.bbox == (0, 0, 40, 40)


def test_the_canvas_is_the_type_s_own():
    assert (cut("red", size="60x60").array[:5] == (255, 0, 0)).all()
    assert (cut("white", size="60x60").array[:5] == WHITE).all()
    picture = np.full((10, 10, 3), (1, 2, 3), np.uint8)
    assert (cut(picture, size="60x60").array[:5] == (1, 2, 3)).all()
    assert cut("white", size="60x60").array[30, 30].tolist() == [255, 255, 255]


def test_the_smallest_canvas_and_the_thinnest_object():
    assert cut(size="1x1").array.shape == (1, 1, 4)
    assert cut(image=painted((10, 3, 1, 50)), size="5x500").array[..., 3].max() == 255
    assert cut(image=painted((3, 10, 70, 1)), size="7x7").array.shape == (7, 7, 4)


def test_a_shadow_lies_below_the_object_and_leaves_it_alone():
    image = painted((60, 40, 100, 100), size=(200, 220))
    plain, shadowed = cut(image=image).array, cut(image=image, shadow=True).array
    inside = plain[..., 3] == 255
    assert np.array_equal(shadowed[inside], plain[inside])
    below, above = shadowed[141:144, 80:140, 3], shadowed[36:39, 80:140, 3]
    assert below.min() > 20 and below.mean() > 2 * above.mean() and not shadowed[:30].any()
    assert not shadowed[~inside][:, :3].any()  # black
    white = cut("white", image=image, shadow=True).array
    assert (white[141:144, 80:140] < 240).all() and (white[:30] == 255).all() and (white[inside] == 255).all()


def test_a_frame_has_room_for_the_shadow():
    image = painted((60, 40, 100, 100), size=(200, 220))
    assert cut(image=image, crop=0, shadow=True).array.shape == (110, 110, 4)
    alpha = cut(image=image, size="300x300", shadow=True).array[..., 3]
    assert alpha[0].max() < 12 and alpha[-1].max() < 12


@pytest.mark.parametrize("mending", [{"crop": 0}, {"size": "9x9"}])
def test_nothing_to_crop_to(mending):
    with pytest.raises(NothingFound, match="nothing was found in this image, so there is nothing to crop to"):
        cut(image=painted(), **mending)
    assert not cut(image=painted(), shadow=True, object="largest", clean=True, feather=3).array.any()


def test_nothing_to_crop_to_in_one_image_does_not_end_the_others(caplog):
    images = [IMAGE, painted(), IMAGE]
    first, second, third = bright_remover().process_batch(images, mending=Mending(crop=0))
    assert second is None and np.array_equal(first, third) and first.shape == (24, 30, 4)
    assert "image 1: nothing was found in this image" in caplog.text


def test_exif_says_the_size_of_the_result():
    image = Image.fromarray(IMAGE)
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA002: 80, 0xA003: 60})
    image.info["exif"] = exif.tobytes()
    result = bright_remover().process(image, keep_metadata=True, mending=Mending(crop=0))
    found = Image.Exif()
    found.load(result.info["exif"])
    assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == (30, 24)


@pytest.mark.parametrize("mending", [{}, {"shadow": True}, {"size": "60x60"}])
def test_a_background_fills_the_frame(mending):
    """Whatever else is mended: it comes last."""
    picture = np.zeros((60, 60, 3), np.uint8)
    picture[:, :30], picture[:, 30:] = (255, 0, 0), (0, 0, 255)
    result = cut(picture, crop=10, **mending).array
    assert tuple(result[1, 1]) == (255, 0, 0) and tuple(result[1, -2]) == (0, 0, 255)
