"""Output types: what each makes of an image and its map."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from inspyrenet.data.images.read import ImageError
from inspyrenet.remover.background import blurred_background, resize_to_cover
from inspyrenet.remover.compositing import (
    GREEN,
    GROUND,
    NAMED,
    CutoutError,
    OutputStyle,
    alpha_of,
    check_threshold,
    composite,
    render,
    replace_edge_colors,
    style_of,
)

FEW = settings(max_examples=25)
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
BYTES = st.integers(0, 255)
COLORS = st.tuples(BYTES, BYTES, BYTES)


@st.composite
def scenes(draw):
    """An image and a map of one size."""
    height, width = draw(SIZES)
    return draw(arrays(np.uint8, (height, width, 3))), draw(arrays(np.uint8, (height, width)))


# -- types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
def test_names_are_understood_in_any_case(name):
    assert style_of(f" {name.upper()} ") == OutputStyle(name)


@pytest.mark.parametrize("written", [(255, 0, 7), [255, 0, 7], "[255,0,7]", "255, 0, 7", "(255,0,7)", "#ff0007"])
def test_a_color_in_each_spelling(written):
    assert style_of(written) == OutputStyle("color", color=(255, 0, 7))


@pytest.mark.parametrize(
    ("written", "color"),
    [
        ("red", (255, 0, 0)),
        (" Tomato ", (255, 99, 71)),
        ("RebeccaPurple", (102, 51, 153)),
        ("grey", (128, 128, 128)),
        ("#f08", (255, 0, 136)),
        ("#ff0080ff", (255, 0, 128)),
        ("#f08f", (255, 0, 136)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ("rgb(100%,0%,0%)", (255, 0, 0)),
        ("hsl(120,100%,50%)", (0, 255, 0)),
    ],
)
def test_a_color_as_in_css(written, color):
    assert style_of(written) == OutputStyle("color", color=color)


def test_the_types_green_and_white_are_not_those_of_css():
    assert style_of("green") == OutputStyle("green") and style_of("white") == OutputStyle("white")


@pytest.mark.parametrize("written", ["#ff000080", "#f008", "rgba(1,2,3,4)"])
def test_a_color_that_is_not_opaque_is_refused(written):
    with pytest.raises(CutoutError, match=f"a background color is opaque, not {written[:4]}"):
        style_of(written)


@pytest.mark.parametrize("written", ["rgba(255,0,0,.5)", "hsl(120 50% 50%)", "RGB(1,2)"])
def test_a_function_of_css_that_is_not_understood_is_told_as_a_color(written):
    with pytest.raises(CutoutError, match=r"a color is opaque, with commas, such as rgb\(255,0,0\)"):
        style_of(written)


def test_a_path_is_never_a_color(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 3), (9, 9, 9)).save("red", "PNG")
    assert style_of("red").kind == "color"
    assert style_of("./red").kind == style_of(tmp_path / "red").kind == style_of(Path("red")).kind == "image"


def test_a_color_as_numpy_array():
    assert style_of(np.array([1, 2, 3])).color == (1, 2, 3)


@pytest.mark.parametrize(
    "wrong", ["[256,0,0]", "[-1,0,0]", [1, 2], "1,2,3,4", "rgb(300,0,0)", "[1.5,2,3]", [None, 1, 2], "[,,]"]
)
def test_a_wrong_color_is_refused(wrong):
    with pytest.raises(CutoutError, match=r"three whole numbers 0\.\.255"):
        style_of(wrong)


@pytest.mark.parametrize("wrong", ["rbga", "", "no/such.png", "__import__('os')", 7, None, "."])
def test_an_unknown_type_lists_the_types(wrong):
    with pytest.raises(CutoutError) as caught:
        style_of(wrong)
    assert all(name in str(caught.value) for name in NAMED)


def test_a_background_that_is_no_image_says_so(tmp_path):
    (tmp_path / "back.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"back\.png"):
        style_of(tmp_path / "back.png")


@pytest.mark.parametrize("array", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)])
def test_a_background_array_of_another_kind_is_refused(array):
    with pytest.raises(CutoutError, match="a background is a uint8 array"):
        style_of(array)


def test_a_background_as_file_or_array(tmp_path):
    picture = np.full((4, 5, 3), 9, np.uint8)
    Image.fromarray(picture).save(tmp_path / "back.png")
    for background in (picture, tmp_path / "back.png", str(tmp_path / "back.png")):
        assert np.array_equal(style_of(background).picture, picture)


def test_a_background_lies_on_white_where_it_is_transparent(tmp_path):
    hidden = np.full((4, 5, 4), (9, 9, 9, 0), np.uint8)
    hidden[0] = 9, 9, 9, 255
    Image.fromarray(hidden).save(tmp_path / "back.png")
    picture = style_of(tmp_path / "back.png").picture
    assert (picture[0] == 9).all() and (picture[1:] == 255).all()


# -- alpha --------------------------------------------------------------------------------------------------------


@FEW
@given(arrays(np.uint8, SIZES))
def test_reverse_twice_is_nothing(saliency):
    assert np.array_equal(alpha_of(alpha_of(saliency, reverse=True), reverse=True), saliency)


@FEW
@given(arrays(np.uint8, SIZES), st.floats(0, 1, allow_subnormal=False))
def test_a_threshold_leaves_two_values(saliency, threshold):
    alpha = alpha_of(saliency, threshold)
    assert set(np.unique(alpha)) <= {0, 255}
    assert np.array_equal(alpha == 255, saliency / 255 > threshold)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, "0.5", True, float("nan")])
def test_a_wrong_threshold_is_refused(wrong):
    with pytest.raises(CutoutError, match="between 0 and 1"):
        alpha_of(np.zeros((2, 2), np.uint8), wrong)


# -- compositing --------------------------------------------------------------------------------------------------


@FEW
@given(scenes(), COLORS)
def test_composite_is_exact_at_the_ends_and_between_elsewhere(scene, color):
    image, alpha = scene
    mixed = composite(image, color, alpha)
    behind = np.broadcast_to(np.asarray(color, np.uint8), image.shape)
    assert np.array_equal(mixed[alpha == 255], image[alpha == 255])
    assert np.array_equal(mixed[alpha == 0], behind[alpha == 0])
    exact = (image * (alpha[..., None] / 255.0)) + behind * (1 - alpha[..., None] / 255.0)
    assert np.abs(mixed - exact).max() <= 0.5 + 1e-9


@FEW
@given(scenes(), st.sampled_from([n for n in NAMED if n != "debug"]), st.booleans())
def test_every_type_keeps_size_and_inputs(scene, name, reverse):
    image, saliency = scene
    before = image.copy(), saliency.copy()
    result = render(image, saliency, name, reverse=reverse)
    channels = {"map": (), "rgba": (4,)}.get(name, (3,))
    assert result.dtype == np.uint8 and result.shape == (*saliency.shape, *channels)
    assert np.array_equal(image, before[0]) and np.array_equal(saliency, before[1])


@FEW
@given(scenes())
def test_rgba_is_the_image_and_its_map(scene):
    image, saliency = scene
    result = render(image, saliency, "rgba")
    shown = saliency > 0
    assert np.array_equal(result[shown, :3], image[shown]) and np.array_equal(result[..., 3], saliency)
    assert not result[~shown].any()  # what is removed is not in the file


@FEW
@given(scenes(), st.sampled_from(["green", "white", (3, 4, 5), "blur"]))
def test_a_full_map_leaves_the_image_alone(scene, type):
    image, saliency = scene
    assert np.array_equal(render(image, np.full_like(saliency, 255), type), image)


def test_an_empty_map_leaves_the_background_only():
    image, empty = np.full((3, 4, 3), 50, np.uint8), np.zeros((3, 4), np.uint8)
    assert np.array_equal(render(image, empty, "green"), np.broadcast_to(np.uint8(GREEN), image.shape))
    assert np.array_equal(render(image, empty, "overlay"), image)
    assert render(image, empty, "white").min() == 255


def test_reverse_swaps_object_and_background():
    image, saliency = np.full((2, 2, 3), 50, np.uint8), np.array([[255, 0], [255, 0]], np.uint8)
    result = render(image, saliency, (9, 9, 9), reverse=True)
    assert (result[:, 0] == 9).all() and (result[:, 1] == 50).all()


def test_a_map_of_another_size_is_refused():
    with pytest.raises(CutoutError, match=r"map is \(2, 2\)"):
        render(np.zeros((3, 3, 3), np.uint8), np.zeros((2, 2), np.uint8))


@FEW
@given(SIZES, SIZES)
def test_cover_fills_any_size_and_keeps_the_middle(picture_size, size):
    picture = np.zeros((*picture_size, 3), np.uint8)
    picture[...] = 77
    assert np.array_equal(resize_to_cover(picture, size), np.full((*size, 3), 77, np.uint8))


def test_cover_cuts_the_longer_side_evenly():
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 200
    assert (resize_to_cover(picture, (10, 10)) == 200).all()


def test_one_background_serves_images_of_different_sizes():
    style = style_of(np.full((8, 8, 3), 7, np.uint8))
    for size in ((5, 9), (20, 3)):
        assert (render(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8), style) == 7).all()


def test_blur_does_not_smear_the_object_into_the_background():
    image, alpha = np.full((60, 60, 3), 40, np.uint8), np.zeros((60, 60), np.uint8)
    image[20:40, 20:40], alpha[20:40, 20:40] = 255, 255
    assert blurred_background(image, alpha, 6)[alpha == 0].max() <= 42  # a plain blur gives 140 beside the object


@FEW
@given(scenes(), BYTES)
def test_blur_keeps_a_flat_background_flat(scene, gray):
    image, alpha = scene
    flat = np.full_like(image, gray)
    assert np.abs(blurred_background(flat, alpha).astype(int) - gray).max() <= 1


def test_blur_is_a_gaussian_and_stays_where_it_is():
    """A bright rectangle, against the product of two integrals of the normal distribution."""
    image = np.full((150, 200, 3), 60, np.uint8)
    image[50:90, 70:130] = 220

    def share(side: int, first: float, stop: float) -> np.ndarray:
        below = [[math.erf((edge - place - 0.5) / 7.5 / 2**0.5) / 2 for place in range(side)] for edge in (first, stop)]
        return np.subtract(below[1], below[0])

    whole = 60 + 160 * share(150, 50, 90)[:, None] * share(200, 70, 130)
    assert np.abs(blurred_background(image, np.zeros((150, 200), np.uint8), 7.5)[..., 1] - whole).max() < 4


@pytest.mark.parametrize("size", [(40, 60), (100, 150), (240, 360)])
def test_a_smooth_background_keeps_its_course_when_it_is_scaled(size):
    y, x = (np.arange(side) for side in (120, 180))
    ramp = np.stack(np.broadcast_arrays(2.0 * y[:, None], x[None], 128), axis=2).astype(np.uint8)
    y, x = ((np.arange(new) + 0.5) * old / new - 0.5 for new, old in zip(size, (120, 180), strict=True))
    scaled = resize_to_cover(ramp, size).astype(float)[4:-4, 4:-4]
    assert np.abs(scaled[..., 0] - 2 * y[4:-4, None]).max() < 1.2
    assert np.abs(scaled[..., 1] - x[None, 4:-4]).max() < 1.2


# -- edges --------------------------------------------------------------------------------------------------------


def test_edge_colors_count_in_soft_edges_only():
    image, alpha = np.full((1, 3, 3), 10, np.uint8), np.array([[0, 128, 255]], np.uint8)
    result = replace_edge_colors(image, np.full_like(image, 99), alpha)
    assert result[0, :, 0].tolist() == [10, 99, 10]


@FEW
@given(
    scenes(), st.sampled_from(sorted(set(NAMED) - {"debug"})), st.booleans(), st.sampled_from([None, 0.5]), st.data()
)
def test_what_is_transparent_stays_so(scene, type, reverse, threshold, data):
    image, saliency = scene
    opacity = data.draw(arrays(np.uint8, saliency.shape))
    result = render(image, saliency, type, threshold, reverse, opacity=opacity)
    gone = opacity == 0
    other = np.where(gone[..., None], 255 - image, image)  # below alpha 0 there may be anything
    assert np.array_equal(result, render(other, saliency, type, threshold, reverse, opacity=opacity))
    if type in ("rgba", "map"):
        alpha = result[..., 3] if type == "rgba" else result
        assert (alpha <= opacity).all()
        assert np.array_equal(alpha, np.minimum(alpha_of(saliency, threshold, reverse), opacity))
    if type in ("green", "white"):
        assert (result[gone] == (GREEN if type == "green" else 255)).all()
    if type == "overlay":
        assert (result[gone] == GROUND).all()


def test_cutting_a_cut_out_again_changes_nothing():
    saliency = np.arange(256, dtype=np.uint8).reshape(16, 16)
    once = render(np.full((16, 16, 3), 90, np.uint8), saliency)
    assert np.array_equal(render(once[..., :3], saliency, opacity=once[..., 3]), once)


def test_colors_of_transparent_edges_are_not_estimated_again():
    image, white = np.full((2, 2, 3), 50, np.uint8), lambda image, alpha: np.full_like(image, 255)
    saliency = np.array([[128, 128], [255, 0]], np.uint8)
    opacity = np.array([[255, 100], [100, 255]], np.uint8)
    result = render(image, saliency, edges=white, opacity=opacity)
    assert result.tolist() == [[[255] * 3 + [128], [50] * 3 + [100]], [[50] * 3 + [100], [0] * 4]]


@pytest.mark.parametrize(("type", "used"), [("rgba", True), ("white", True), ("map", False), ("blur", False)])
def test_edge_colors_are_asked_for_where_they_show(type, used):
    calls = []

    def edges(image, alpha):
        calls.append(alpha)
        return image

    render(np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 100, np.uint8), type, edges=edges)
    assert bool(calls) == used


def test_debug_without_a_network_says_what_to_use():
    with pytest.raises(CutoutError, match=r"Remover\.process"):
        render(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), "debug")


# -- large images ---------------------------------------------------------------------------------------------------


def test_bands_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(0)
    image, estimated, behind = rng.integers(0, 256, (3, 90, 70, 3), np.uint8)
    alpha = rng.integers(0, 256, (90, 70), np.uint8)
    whole = [
        composite(image, behind, alpha),
        replace_edge_colors(image, estimated, alpha),
        blurred_background(image, alpha),
        resize_to_cover(image, (300, 250)),
        resize_to_cover(image, (31, 22)),
    ]
    monkeypatch.setattr("inspyrenet.data.images.bounds.BAND", 1000)
    assert np.array_equal(composite(image, behind, alpha), whole[0])
    assert np.array_equal(replace_edge_colors(image, estimated, alpha), whole[1])
    assert np.array_equal(blurred_background(image, alpha), whole[2])
    for place, size in ((3, (300, 250)), (4, (31, 22))):  # a band's weights differ by the last bit
        assert np.abs(resize_to_cover(image, size).astype(int) - whole[place]).max() <= 1


@pytest.mark.parametrize("size", [(1, 200_000), (200_000, 1)])
def test_a_background_of_a_thin_image_is_cut_before_it_is_scaled(size):
    picture = np.full((300, 400, 3), 77, np.uint8)  # scaled as a whole it would have 40,000 million pixels
    assert np.array_equal(resize_to_cover(picture, size), np.full((*size, 3), 77, np.uint8))


@pytest.mark.parametrize(
    "color", [(0.5, 0.5, 0.5), np.array([0.2, 0.9, 0.4]), (1.9, 254.6, 0), (True, False, True), b"red"]
)
def test_numbers_that_are_no_color_are_refused(color):
    with pytest.raises(CutoutError, match=r"three whole numbers|unknown output type"):
        style_of(color)


def test_numbers_of_numpy_are_numbers():
    assert style_of(np.array([1, 2, 3])).color == style_of("1,2,3").color == (1, 2, 3)
    check_threshold(np.float32(0.5))
