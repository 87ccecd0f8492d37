"""What a client of the page may set, and that nothing else passes."""

import pytest

from inspyrenet.demo.controls import TYPES, as_hex, read_controls
from inspyrenet.remover.compositing import CutoutError


@pytest.mark.parametrize(
    ("sent", "color"),
    [
        ("#0f766e", "#0f766e"),
        ("#ABCDEF", "#ABCDEF"),
        ("rgba(15.2, 118, 110.6, 1)", "#0f766f"),
        ("rgb(1,2,3)", "#010203"),
        ("rgba(999, 0, 0, 0.5)", "#ff0000"),
    ],
)
def test_colors_as_a_color_picker_sends_them(sent, color):
    assert as_hex(sent) == color


@pytest.mark.parametrize(
    "sent",
    ["/etc/passwd", "back.png", "#12345", "#1234567", "rgba(1,2)", "rgba(1,2,3,4,5)", "rgb(nan,0,0)", "rgb(-1,0,0)", "", "file:///a",
     "rgba(1e9,0,0,1)", "map", "#0f766e\n", None, 7, ["#0f766e"], {"path": "/etc/passwd"}, True],
)  # fmt: skip
def test_whatever_is_no_color_is_refused(sent):
    with pytest.raises(CutoutError, match="#rrggbb"):
        as_hex(sent)


def test_every_result_of_the_page():
    for name, kind in TYPES.items():
        wish = read_controls(name, "#0f766e", 0.5, True)
        assert (wish.style.kind, wish.threshold, wish.reverse) == (kind, 0.5, True)
    assert read_controls("White", "ignored", 0, False).threshold is None


@pytest.mark.parametrize(
    "sent",
    [
        ("rgba", "#000000", 0, False),
        ("/etc/passwd", "#000000", 0, False),
        (["White"], "#000000", 0, False),
        (None, "#000000", 0, False),
        ("White", "#000000", "0", False),
        ("White", "#000000", 2, False),
        ("White", "#000000", float("nan"), False),
        ("White", "#000000", True, False),
        ("White", "#000000", 0, "/etc/passwd"),
        ("White", "#000000", 0, 1),
        ("White", "#000000", 0, None),
    ],
)
def test_what_no_control_can_be_set_to(sent):
    with pytest.raises(CutoutError):
        read_controls(*sent)
