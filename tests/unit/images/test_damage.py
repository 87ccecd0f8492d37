"""JPEG files whose damage their decoder repairs without an error, and whole ones that look like them."""

import io

import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.images.damage import warned_jpegs
from inspyrenet.data.images.headers import coded_scans

KINDS = [{}, {"optimize": True}, {"progressive": True}, {"restart_marker_rows": 1}]
SECTOR = 512


def jpeg(noise: float, **options) -> bytes:
    """A smooth picture of 200 x 300 pixels under noise of this standard deviation."""
    y, x = np.mgrid[:200, :300]
    shapes = np.stack([x * 0.3 + 20 * np.sin(y / 9), y * 0.4, (x + y) * 0.2], -1)
    pixels = shapes + np.random.default_rng(0).normal(0, noise, shapes.shape)
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", **options)
    return stream.getvalue()


def flat(value: int, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((1500, 1500, 3), value, np.uint8)).save(stream, "JPEG", **options)
    return stream.getvalue()


def filled(data: bytes, value: int = 0) -> bytes:
    """As some cameras fill their files up to a size."""
    return data[:-2] + bytes([value]) * 4000 + data[-2:]


def damaged(tmp_path, files: list[bytes]) -> list[bool]:
    paths = [tmp_path / f"{number}.jpg" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    found = warned_jpegs(paths)
    assert all(str(path) in message and "is damaged" in message for path, message in found.items())
    return [path in found for path in paths]


def test_whole_files_are_kept(tmp_path):
    """Zeros are a flat area in some of them: a flat picture consists of little else."""
    zeros = [flat(value, **kind) for value in (0, 128, 255) for kind in KINDS]
    assert any(bytes(8 * SECTOR) in data for data in zeros)
    whole = [jpeg(noise, **kind) for noise in (0, 8) for kind in KINDS]
    fillings = [filled(data, value) for data in whole for value in (0, 0xAA, 0xFF)]
    assert not any(damaged(tmp_path, [*zeros, *whole, *fillings]))


def test_zeros_from_the_middle_to_the_end_are_no_filling(tmp_path):
    whole = [jpeg(noise, **kind) for noise in (0, 2, 8) for kind in KINDS]
    halves = [data[: len(data) // 2] + bytes(len(data) - len(data) // 2 - 2) + data[-2:] for data in whole]
    assert all(damaged(tmp_path, halves))


@pytest.mark.parametrize("kind", [{}, {"restart_marker_rows": 1}], ids=str)
def test_a_lost_sector_of_a_file_with_the_tables_of_the_standard(tmp_path, kind):
    data = jpeg(8, **kind)
    files = [data[:at] + bytes(SECTOR) + data[at + SECTOR :] for at in range(2000, len(data) - 2 * SECTOR, SECTOR)]
    assert len(files) > 8 and all(damaged(tmp_path, files))


def test_a_lost_sector_that_the_decoder_does_not_notice(tmp_path, monkeypatch):
    monkeypatch.setattr("inspyrenet.data.images.damage._warnings", lambda paths: dict.fromkeys(paths, ""))
    data = jpeg(8)
    middle = len(data) // 2
    assert damaged(tmp_path, [data, data[:middle] + bytes(SECTOR) + data[middle + SECTOR :]]) == [False, True]


def test_scans_and_the_symbols_of_their_zeros():
    """In the standard's tables, a coefficient of one bit in brightness, an end in color (T.81, K.5 and K.6); means have none."""
    ((scan, symbols),) = coded_scans(jpeg(8))
    assert symbols == {0, 1} and jpeg(8).endswith(scan + b"\xff\xd9")
    assert next(coded_scans(jpeg(8, progressive=True)))[1] == set()
    assert not [*coded_scans(jpeg(8)[:100])] and not [*coded_scans(b"\xff\xd8\xff\xda\x00")]
