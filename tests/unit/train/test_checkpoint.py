"""Checkpoint files: atomic writing, reading of good and bad files, the folder of a run and its lock."""

import errno
import json
import logging
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inspyrenet.utils.train import checkpoint
from inspyrenet.utils.train.checkpoint import (
    CheckpointError,
    CheckpointFolder,
    SaveError,
    read_checkpoint,
    read_weights,
    save_atomic,
    stamped,
)
from inspyrenet.utils.train.lock import LOCK, LockedError, RunLock

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def equal(left: dict, right: dict) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


class FullDisk:
    """A stream on a disk that has room for `room` more bytes."""

    def __init__(self, stream, room: int) -> None:
        self.stream, self.room = stream, room

    def write(self, data) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(data)

    def flush(self) -> None:
        self.stream.flush()


# -- writing ------------------------------------------------------------------------------------------------------


def test_what_is_saved_comes_back_and_parents_are_made(tmp_path: Path) -> None:
    path = save_atomic({"x": WEIGHTS, "n": (1, "two", None, 3.0)}, tmp_path / "deep" / "er" / "file.pth")
    content = torch.load(path, weights_only=True)
    assert content["n"] == (1, "two", None, 3.0)
    assert equal(content["x"], WEIGHTS)
    assert [entry.name for entry in path.parent.iterdir()] == ["file.pth"]


@pytest.mark.parametrize("room", [0, 600, 5000])
def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(tmp_path: Path, monkeypatch, room: int) -> None:
    folder = CheckpointFolder(tmp_path)
    old = folder.save({"model": WEIGHTS}, 1)
    before = old.read_bytes()
    monkeypatch.setattr(checkpoint, "_write", lambda content, stream: torch.save(content, FullDisk(stream, room)))
    big = {"model": {"w": torch.zeros(5000)}}
    for iteration in (1, 2):  # over the old file, and beside it
        with pytest.raises(SaveError, match=r"the disk is full .* intact") as caught:
            folder.save(big, iteration)
        assert caught.value.errno == errno.ENOSPC
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [old.name]
    assert old.read_bytes() == before


def test_the_advice_for_a_full_disk_helps(tmp_path: Path, monkeypatch) -> None:
    """A disk for two checkpoints and a half: three never fit, and with keep=1 the older one makes room for the third."""
    weights = {"model": {"w": torch.zeros(20_000)}}
    size = save_atomic(stamped(weights), tmp_path / "measured" / "x.pth").stat().st_size
    folder = tmp_path / "run"

    def write(content, stream) -> None:
        room = 2.5 * size - sum(path.stat().st_size for path in folder.iterdir())
        torch.save(content, FullDisk(stream, int(room)))

    monkeypatch.setattr(checkpoint, "_write", write)
    for iteration in (1, 2):
        CheckpointFolder(folder, keep=2).save(weights, iteration)
    with pytest.raises(SaveError, match=r"1 older removed first with --resume Train\.Checkpoint\.keep=1"):
        CheckpointFolder(folder, keep=2).save(weights, 3)
    assert CheckpointFolder(folder, keep=1).save(weights, 3).is_file()
    assert [path.name for path in folder.iterdir()] == ["checkpoint_00000003.pth"]


def test_a_checkpoint_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch) -> None:
    done: list[str | int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(Path, "replace", lambda old, new: done.append(old.rename(new).name))
    path = save_atomic({}, tmp_path / "x.pth")
    assert done == [path.stat().st_ino, "x.pth", tmp_path.stat().st_ino]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SaveError, match="cannot write"):
        save_atomic({}, tmp_path / "file" / "x.pth")


def test_an_object_that_cannot_be_saved_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="pickle"):
        save_atomic({"f": lambda: None}, tmp_path / "x.pth")
    assert list(tmp_path.iterdir()) == []


# -- reading ------------------------------------------------------------------------------------------------------


def test_safetensors_and_legacy_files_are_read(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    torch.save(WEIGHTS, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert equal(read_weights(tmp_path / "w.safetensors"), WEIGHTS)
    assert equal(read_weights(tmp_path / "old.pt"), WEIGHTS)


def test_averaged_weights_are_preferred_unless_told_otherwise(tmp_path: Path) -> None:
    averaged = {name: value + 1 for name, value in WEIGHTS.items()}
    save_atomic(stamped({"model": WEIGHTS, "ema": {"weights": averaged, "updates": 3}}), tmp_path / "c.pth")
    assert equal(read_weights(tmp_path / "c.pth"), averaged)
    assert equal(read_weights(tmp_path / "c.pth", prefer_ema=False), WEIGHTS)
    save_atomic(stamped({"model": WEIGHTS, "ema": None}), tmp_path / "d.pth")
    assert equal(read_weights(tmp_path / "d.pth"), WEIGHTS)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("w.pth", b"", "is empty"),
        ("w.safetensors", b"", "is empty"),
        ("w.pth", b"\n<!DOCTYPE html><html>", "a web page"),
        ("w.safetensors", b"<html>", "a web page"),
        ("w.pth", b"\x89PNG\r\n", "a PNG picture"),
        ("w.pth", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        *[(f"w.{kind}", b"what is this?\n", "a text file.*'what is this[?]'") for kind in ("pth", "safetensors")],
        ("w.pth", ("\ufeff" + "é" * 200).encode(), "a text file, not weights"),
        ("w.pth", b"what\0is this?", "no torch file"),
        ("w.safetensors", b"what\0is this?", "no safetensors file"),
    ],
)
def test_a_wrong_file_is_named_for_what_it_is(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_weights(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [5_000, 20_000, 66_000])
def test_a_file_that_is_cut_anywhere_is_named(tmp_path: Path, size: int) -> None:
    torch.save({"weight": torch.randn(100_000)}, tmp_path / "a.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "a.pth").read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"cut\.pth is truncated or corrupt"):
        read_weights(tmp_path / "cut.pth")


def test_a_pickled_model_is_not_opened(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"Linear.*could run code"):
        read_weights(tmp_path / "w.pth")


def test_a_missing_file_is_a_file_not_found_error(tmp_path: Path) -> None:
    for name in ("w.pth", "w.safetensors"):
        with pytest.raises(FileNotFoundError, match="no such weights file"):
            read_weights(tmp_path / name)


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = save_atomic(stamped({"model": WEIGHTS}), tmp_path / "c.pth")
    data = bytearray(path.read_bytes())
    data[data.index(WEIGHTS["a.weight"].numpy().tobytes()) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(path)


def test_only_our_checkpoints_continue_a_run(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="not continue one"):
        read_checkpoint(tmp_path / "w.pth")
    torch.save({**stamped({}), "version": 99}, tmp_path / "new.pth")
    with pytest.raises(CheckpointError, match="newer version"):
        read_checkpoint(tmp_path / "new.pth")


@pytest.mark.parametrize("read", [read_weights, read_checkpoint])
def test_zipped_weights_that_unpack_to_absurd_sizes_are_refused_unread(tmp_path: Path, monkeypatch, read) -> None:
    """torch's own files are zip files without packing."""
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    save_atomic({"w": torch.zeros(2_000_000)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, zipfile.ZipFile(tmp_path / "bomb.pth", "w") as bomb:
        for entry in plain.infolist():
            bomb.writestr(entry.filename, plain.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match=r"bomb\.pth would unpack from 0\.0 MB to 8 MB") as caught:
        read(tmp_path / "bomb.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"version": None}, {"version": "1"}, {"version": 0}, {"version": True}, {"version": torch.ones(2)},
        {"model": {}}, {"model": None}, {"model": [1]}, {"model": {"a": 1}}, {"model": {1: torch.ones(1)}},
        {"ema": 3}, {"ema": {}}, {"ema": {"weights": {"a": None}}},
    ],
)  # fmt: skip
def test_a_malformed_checkpoint_of_ours_is_one_line(tmp_path: Path, change: dict) -> None:
    torch.save({**stamped({"model": WEIGHTS}), **change}, tmp_path / "w.pth")
    for read in (read_weights, read_checkpoint):
        with pytest.raises(CheckpointError, match=r"w\.pth is a malformed checkpoint: its .* take another") as caught:
            read(tmp_path / "w.pth")
        assert "\n" not in str(caught.value)
    torch.save({name: value for name, value in stamped({}).items() if name not in change}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="malformed"):
        read_weights(tmp_path / "w.pth")


# -- the folder ---------------------------------------------------------------------------------------------------


def test_the_last_k_and_the_best_stay(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=2)
    for iteration in (9, 10, 11, 100):
        folder.save({"model": WEIGHTS, "iteration": iteration}, iteration)
        if iteration == 10:
            folder.save_best({"model": WEIGHTS})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.pth",
        "checkpoint_00000011.pth",
        "checkpoint_00000100.pth",
    ]
    path, content = folder.latest()
    assert (path.name, content["iteration"]) == ("checkpoint_00000100.pth", 100)
    assert folder.weights_file() == folder.best


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:-1]])
def test_a_torn_newest_file_falls_back_with_a_warning(tmp_path: Path, caplog, damage) -> None:
    folder = CheckpointFolder(tmp_path, keep=3)
    for iteration in (1, 2, 3):
        newest = folder.save({"model": WEIGHTS, "iteration": iteration}, iteration)
    newest.write_bytes(damage(newest.read_bytes()))
    with caplog.at_level(logging.WARNING):
        path, content = folder.latest()
    assert (path.name, content["iteration"]) == ("checkpoint_00000002.pth", 2)
    assert "checkpoint_00000003.pth" in caplog.text
    assert equal(read_weights(tmp_path), WEIGHTS)


def test_a_folder_without_a_readable_file_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "run")
    assert folder.latest() is None
    with pytest.raises(FileNotFoundError, match="train first"):
        folder.weights_file()
    folder.save({"model": WEIGHTS}, 1).write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        folder.latest()


def test_the_only_weights_file_of_a_folder_is_taken_and_several_are_not(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "latest.pth")
    assert equal(read_weights(tmp_path), WEIGHTS)
    torch.save(WEIGHTS, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"latest\.pth, other\.pth"):
        read_weights(tmp_path)


# -- the lock -----------------------------------------------------------------------------------------------------


def test_two_runs_in_one_folder_are_refused_and_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    with (
        RunLock(tmp_path),
        pytest.raises(LockedError, match=rf"process {os.getpid()} .* is already running"),
        RunLock(tmp_path),
    ):
        pass
    assert not (tmp_path / LOCK).exists()
    with RunLock(tmp_path):
        assert (tmp_path / LOCK).exists()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        pass
    (tmp_path / LOCK).write_text(json.dumps({"pid": process.pid, "host": socket.gethostname(), "started": 1}))
    with RunLock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_process_number_that_was_given_again_is_not_the_holder(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        return  # only Linux tells when a process started
    (tmp_path / LOCK).write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": 1}))
    with RunLock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["started"] > 1


def test_a_holder_elsewhere_counts_as_alive(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(json.dumps({"pid": 1, "host": "another-machine", "started": None}))
    with pytest.raises(LockedError, match="another-machine"), RunLock(tmp_path):
        pass
    assert (tmp_path / LOCK).exists()


def test_a_half_written_lock_is_respected_while_young_and_cleared_when_old(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("")
    with pytest.raises(LockedError, match="already running"), RunLock(tmp_path):
        pass
    os.utime(tmp_path / LOCK, (1, 1))
    with RunLock(tmp_path):
        assert (tmp_path / LOCK).read_text()
