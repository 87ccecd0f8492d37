"""Files of both layers are whole or not there."""

import errno
import os
import stat

import pytest

from inspyrenet.data import whole_file as of_data
from inspyrenet.utils.system import whole_file as of_utils

BOTH = pytest.mark.parametrize("whole_file", [of_data.whole_file, of_utils.whole_file], ids=["data", "utils"])


@BOTH
def test_the_file_takes_its_name_at_the_end(tmp_path, whole_file):
    path = tmp_path / "deep" / "er" / "a.png"
    with whole_file(path) as partial:
        assert partial.parent == path.parent and partial.suffix == ".png" and partial.name.startswith(".")
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new" and list(path.parent.iterdir()) == [path]


@BOTH
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_older_file_alone(tmp_path, whole_file, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@BOTH
def test_bytes_are_on_the_disk_before_the_name_and_the_name_where_asked(tmp_path, whole_file, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(stat.S_ISDIR(os.fstat(handle).st_mode)))
    for sync_name, expected in ((False, [False]), (True, [False, True])):
        with whole_file(tmp_path / "a.png", sync_name) as partial:
            partial.write_bytes(b"new")
            assert done == []
        assert done == expected
        done.clear()


@BOTH
def test_a_disk_that_is_full_when_asked_keeps_the_older_file(tmp_path, whole_file, monkeypatch):
    """Some file systems notice only then."""
    (tmp_path / "a.png").write_bytes(b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), whole_file(tmp_path / "a.png") as partial:
        partial.write_bytes(b"new")
    assert (tmp_path / "a.png").read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
