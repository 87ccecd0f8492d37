"""Files of single objects: stopped at any moment nothing is lost, and no file is replaced that this program did not write."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inspyrenet.batch.places import write_result as write_result_of_batch
from inspyrenet.data.images.read import find_files
from inspyrenet.remover.image_types import Result
from inspyrenet.remover.object_files import note_of
from inspyrenet.remover.writing import write_result

WAYS = {"one": write_result, "batch": write_result_of_batch}
STOPPED = """
import os, sys
from pathlib import Path
from inspyrenet.data import whole_file
from tests.unit.remover.test_object_files import result_of
from inspyrenet.remover.writing import write_result

left = int(sys.argv[2])
def replace(self, target, rename=Path.replace):
    global left
    left -= 1
    if left < 0:
        os._exit(9)  # as a killed process ends
    return rename(self, target)
Path.replace = replace
write_result(result_of(int(sys.argv[3])), sys.argv[1], "png")
"""


def result_of(value: int, count: int = 2) -> Result:
    """A gray result of `count` objects, each with a value of its own."""
    pictures = [np.full((4, 6), value + number, np.uint8) for number in range(count + 1)]
    return Result(pictures[0], objects=tuple(Result(one) for one in pictures[1:]))


def values(folder: Path) -> dict[str, int]:
    from PIL import Image

    return {path.name: Image.open(path).getpixel((0, 0)) for path in find_files(folder)}


@pytest.mark.parametrize("steps", range(4))  # note, object 1, object 2, result
@pytest.mark.parametrize("earlier", [False, True])
def test_a_run_that_was_killed_blocks_no_other(tmp_path, steps, earlier):
    target = tmp_path / "photo.png"
    if earlier:
        write_result(result_of(50), target)
    command = [sys.executable, "-c", STOPPED, str(target), str(steps), "100"]
    assert subprocess.run(command, check=False).returncode == 9
    found = values(tmp_path)
    assert set(found.values()) <= {50, 51, 52, 100, 101, 102} and found.get("photo.png") == (50 if earlier else None)
    write_result(result_of(200), target)
    assert values(tmp_path) == {"photo.png": 200, "photo.out.1.png": 201, "photo.out.2.png": 202}


@pytest.mark.parametrize("way", WAYS)
def test_another_file_is_not_replaced(tmp_path, way):
    target = tmp_path / "photo.png"
    (tmp_path / "photo.out.2.png").write_bytes(b"a photograph")
    with pytest.raises(FileExistsError, match=r"photo\.out\.2\.png: an object's own file would replace it: rename it"):
        WAYS[way](result_of(1), target, "png")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.out.2.png"]
    assert (tmp_path / "photo.out.2.png").read_bytes() == b"a photograph"


def test_an_object_that_was_retouched_is_not_replaced(tmp_path):
    target = tmp_path / "photo.png"
    write_result(result_of(1), target)
    for number in (1, 2):
        (tmp_path / f"photo.out.{number}.png").write_bytes(b"retouched")
    with pytest.raises(FileExistsError, match=r"photo\.out\.1\.png and 1 more: an object's own file"):
        write_result(result_of(5), target)
    assert values_of_result(target) == 1 and (tmp_path / "photo.out.1.png").read_bytes() == b"retouched"


def values_of_result(target: Path) -> int:
    from PIL import Image

    return Image.open(target).getpixel((0, 0))


def test_the_note_is_one_for_sha256sum_and_keeps_what_an_earlier_run_made(tmp_path):
    target = tmp_path / "photo.out.png"
    for value, count in ((1, 3), (9, 1), (20, 3), (20, 3)):
        write_result(result_of(value, count), target)
    lines = note_of(target).read_text().splitlines()
    assert note_of(target).name == ".photo.out.objects"
    assert sorted({line[66:] for line in lines}) == [f"photo.out.{number}.png" for number in (1, 2, 3)]
    assert len(lines) == 3 and not [path for path in find_files(tmp_path) if path == note_of(target)]


def test_files_that_are_what_would_be_written_are_no_strangers(tmp_path):
    target = tmp_path / "photo.png"
    write_result(result_of(1), target)
    note_of(target).unlink()  # lost with a copy of the folder
    write_result(result_of(1), target)
    assert note_of(target).is_file()


def test_a_result_without_objects_leaves_no_note(tmp_path):
    write_result(result_of(1, 0), tmp_path / "photo.png")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
