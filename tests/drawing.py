"""A hand for the page that people draw on: on a server (inspyrenet.editor) and in the browser (inspyrenet.web_page)."""

from collections.abc import Iterable
from typing import Any

from tests.browser import Browser

MARGIN = 12  # CSS pixels that the page leaves around an image


def on_screen(browser: Browser, point: tuple[float, float], shape: tuple[int, ...]) -> tuple[float, float]:
    """Where the page shows a pixel (x, y) of an image of (height, width, …), which it fits in."""
    left, top, width, height = browser.evaluate(
        "(box => [box.x, box.y, box.width, box.height])(document.querySelector('#canvas').getBoundingClientRect())"
    )
    scale = min((width - 2 * MARGIN) / shape[1], (height - 2 * MARGIN) / shape[0])
    corner = left + (width - scale * shape[1]) / 2, top + (height - scale * shape[0]) / 2
    return corner[0] + scale * point[0], corner[1] + scale * point[1]


def draw(browser: Browser, places: Iterable[tuple[float, float]], touch: bool) -> None:
    """A line through places on the screen, with the finger or the mouse."""
    first, *others = places
    if touch:
        fingers(browser, "touchStart", first)
        for place in others:
            fingers(browser, "touchMove", place)
        fingers(browser, "touchEnd")
        return
    mouse(browser, "mousePressed", first)
    for place in others:
        mouse(browser, "mouseMoved", place)
    mouse(browser, "mouseReleased", [first, *others][-1])


def fingers(browser: Browser, kind: str, *places: tuple[float, float]) -> None:
    points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
    browser.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)


def mouse(browser: Browser, kind: str, place: tuple[float, float], **more: Any) -> None:
    held = 0 if kind == "mouseReleased" else 1
    words = {"button": "left", "buttons": held, "clickCount": 1, **more}
    browser.send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **words)


def key(browser: Browser, key: str, **more: Any) -> None:
    for kind in ("keyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key=key, **more)
