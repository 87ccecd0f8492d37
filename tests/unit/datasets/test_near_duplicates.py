"""Copies of a picture are found in other sizes, qualities and colors, and mirrored; other pictures are not."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from inspyrenet.data.datasets.near_duplicates import fingerprints, groups_of, near_duplicates
from inspyrenet.data.images.read import ImageError


def picture(seed: int, size=(160, 120)) -> Image.Image:
    """A smooth random picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def files(tmp_path):
    def save(name: str, image: Image.Image, **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.mark.parametrize(
    ("change", "mirrored"),
    [
        (lambda image: image.resize((400, 300)), False),
        (lambda image: ImageOps.autocontrast(image).point(lambda v: int(v * 0.8)), False),
        (lambda image: image.crop((3, 2, 158, 119)), False),
        (ImageOps.mirror, True),
    ],
)
def test_a_changed_copy_is_found_among_others(files, change, mirrored):
    first = [files(f"{seed}.png", picture(seed)) for seed in range(6)]
    second = [files("other.png", picture(99)), files("copy.jpg", change(picture(3)), quality=40)]
    assert near_duplicates(fingerprints(first), fingerprints(second)) == [(3, 1, mirrored)]
    assert near_duplicates(fingerprints([*first, second[1]])) == [(3, 6, mirrored)]


def test_pictures_of_one_color_and_no_pictures_are_like_no_other(files):
    plain = [files(f"plain{value}.png", Image.new("RGB", (64, 48), (value,) * 3)) for value in (0, 200)]
    assert near_duplicates(fingerprints(plain)) == []
    assert near_duplicates(fingerprints([]), fingerprints(plain)) == []


def test_a_symmetric_picture_is_no_pair_with_itself(files):
    half = np.asarray(picture(1, (80, 120)))
    image = files("s.png", Image.fromarray(np.hstack([half, half[:, ::-1]])))
    assert near_duplicates(fingerprints([image])) == []


def test_groups_hold_what_is_linked():
    assert groups_of(6, [(4, 1), (1, 5), (2, 3)]) == [[0], [1, 4, 5], [2, 3]]


def test_an_unreadable_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"none\.jpg"):
        fingerprints([tmp_path / "none.jpg"])
