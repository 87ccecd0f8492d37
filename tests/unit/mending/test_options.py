"""What mending may be asked for: every value that there is not gets an answer, before anything is computed."""

import math

import numpy as np
import pytest

from inspyrenet import Mending
from inspyrenet.commands.cut_out import build_parser
from inspyrenet.remover.compositing import CutoutError, mended_style, style_of


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"clean": "yes"}, "clean is true or false"),
        ({"grow": -1}, "grow is a number of pixels from 0 to 100, not -1"),
        ({"shrink": math.nan}, "shrink is a number of pixels"),
        ({"feather": 101}, "feather is a number of pixels"),
        ({"feather": math.inf}, "feather is a number of pixels"),
        ({"grow": "2"}, "grow is a number of pixels"),
        ({"grow": 1, "shrink": 1}, "opposites"),
        ({"object": "biggest"}, "object is largest, all, or how many from 1 to"),
        ({"object": 0}, "object is largest"),
        ({"object": 1.5}, "object is largest"),
        ({"object": True}, "object is largest"),
        ({"object": 10**6}, "object is largest"),
        ({"crop": -1}, "the margin of crop is 0 to 10000 pixels or 0% to 100%, not '-1'"),
        ({"crop": math.nan}, "the margin of crop"),
        ({"crop": "101%"}, "the margin of crop"),
        ({"crop": "photo.jpg"}, "without one, write crop at the end"),
        ({"size": "100"}, "size is width x height in pixels, such as 1000x1000, not '100'"),
        ({"size": "0x10"}, "size is width x height"),
        ({"size": (10, -1)}, "size is width x height"),
        ({"size": (10, 10, 10)}, "size is width x height"),
        ({"size": "1e3x5"}, "size is width x height"),
        ({"size": "999999x999999"}, "size: 999999x999999 is"),
        ({"size": 5}, "size is width x height"),
        ({"size": (5.5, 5)}, "size is width x height"),
        ({"anchor": "top"}, "anchor says where on the canvas the object stands: it needs size"),
        ({"anchor": "middle", "size": "9x9"}, "anchor is center, top, bottom"),
        ({"anchor": ["top"], "size": "9x9"}, "anchor is center, top, bottom"),
        ({"object": np.ones(2)}, "object is largest"),
        ({"shadow": 1}, "shadow is true or false"),
    ],
)
def test_a_value_that_there_is_not(wrong, said):
    with pytest.raises(CutoutError) as caught:
        Mending(**wrong)
    assert said in str(caught.value)


def test_what_is_the_same_is_equal():
    assert Mending(crop=5) == Mending(crop="5.0") and Mending(crop=True) == Mending(crop="0") == Mending(crop=0)
    assert Mending(size="20X10") == Mending(size=(20, 10)) == Mending(size=np.array([20, 10]), crop=0)
    assert Mending(object=1) == Mending(object="largest") == Mending(object="1")
    assert Mending(crop=False) == Mending() and not Mending() and Mending(clean=True)
    assert Mending(crop="5%").margin(200) == 10 and Mending(crop=7).margin(200) == 7


def test_numbers_of_numpy_are_numbers():
    asked = Mending(object=np.int64(2), grow=np.int64(2), feather=np.float32(1.5), crop=np.int64(5))
    assert asked == Mending(object=2, grow=2, feather=1.5, crop=5) and asked.splits and asked.most == 2
    assert {type(value) for value in asked.words().values()} == {int, float, str}


def test_what_is_written_into_a_manifest():
    assert Mending().words() == {}
    assert Mending(grow=2, crop="5%", size="9x8").words() == {"grow": 2, "crop": "5%", "size": "9x8"}


def test_the_command_line_gives_the_same():
    words = "--clean --object 2 --grow 1.5 --feather 3 --size 30x40 --anchor bottom --shadow --crop -s a"
    asked = Mending.from_arguments(build_parser().parse_args(words.split()))
    assert asked == Mending(True, 2, 1.5, 0, 3, True, (30, 40), "bottom", True)
    assert Mending.from_arguments(build_parser().parse_args(["-s", "a"])) == Mending()


@pytest.mark.parametrize(
    ("type", "mending", "reverse", "said"),
    [
        ("debug", Mending(clean=True), False, "type debug shows what the network says"),
        ("rgba", Mending(crop=1), True, "reverse takes the object away"),
        ("blur", Mending(size="9x9"), False, "size needs something behind the object, which blur has not"),
        ("overlay", Mending(size="9x9"), False, "size needs something behind the object"),
        ("map", Mending(shadow=True), False, "a shadow falls on rgba, a color or a picture, not on map"),
        ("blur", Mending(shadow=True), False, "not on blur"),
    ],
)
def test_what_does_not_go_together(type, mending, reverse, said):
    with pytest.raises(CutoutError) as caught:
        mended_style(style_of(type), mending, reverse)
    assert said in str(caught.value)


def test_a_style_keeps_what_it_has():
    style = mended_style(style_of("white"), Mending(grow=1), True)
    assert style.mending.grow == 1 and mended_style(style, None, True) is style
