"""How large an image may be, however it comes: as a file, an upload or an array. The one place that says so.

Memory follows the number of pixels, and that of resizing the longer side, too: a file of 69 bytes can be 49 million pixels high
and one wide, and every row of it would be stretched to the width of the network's input.
"""

from collections.abc import Iterator

MAX_PIXELS = 110_000_000  # takes under 2 GB on any way through this package; phones' photographs have up to 108 million
MAX_SIDE = 200_000  # pixels; panoramas have up to 100,000
BAND = 2**20  # pixels that are worked on at a time, where a whole image would take several copies


def size_problem(width: int, height: int, max_pixels: int = MAX_PIXELS) -> str | None:
    """What is wrong with an image's size and what to do about it; None where it may be read."""
    if width * height > max_pixels:
        count = f"{width}x{height} is {width * height / 1e6:.0f} million pixels"
        return f"{count}, more than the limit of {max_pixels / 1e6:.0f}; scale the image down first"
    if max(width, height) > MAX_SIDE:
        return f"{width}x{height} has a side of more than {MAX_SIDE} pixels, which is the limit; cut the image in parts first"
    return None


def bands(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Rows (first, stop) of an image, a band of about BAND pixels after the other."""
    rows = max(1, BAND // max(1, width))
    return ((top, min(top + rows, height)) for top in range(0, height, rows))
