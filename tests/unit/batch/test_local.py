"""Workers as processes of this machine."""

import fcntl
import os
import subprocess
import sys
import time

import pytest

from inspyrenet.batch import local
from inspyrenet.batch.errors import BatchError
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.layout import Layout
from inspyrenet.engine.network_options import NetworkOptions

SCRIPT = """
import fcntl, sys, time
from inspyrenet.batch.inputs import Item
from inspyrenet.batch.layout import Layout
from inspyrenet.engine.network_options import NetworkOptions
from inspyrenet.batch.local import LocalExecutor

def make(name, device, threads):
    file = open(sys.argv[1], "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write("held")
    file.flush()
    def work(task):
        while True:
            time.sleep(1 + 0 * file.fileno())
    return work

if __name__ == "__main__":
    with LocalExecutor(print, NetworkOptions(device="cpu")) as executor:
        list(executor.run([[Item("a.jpg", "a.png")]], make, Layout(1, 1)))
"""


def within(seconds, happens):
    end = time.monotonic() + seconds
    while not happens() and time.monotonic() < end:
        time.sleep(0.02)
    return happens()


def test_a_worker_ends_when_its_command_is_killed(tmp_path):
    """Also in the middle of an image: the command's lock is free, and the next command may be at work already."""
    (tmp_path / "run.py").write_text(SCRIPT)
    mark = tmp_path / "mark"
    command = subprocess.Popen([sys.executable, str(tmp_path / "run.py"), str(mark)])
    try:
        assert within(60, lambda: mark.exists() and mark.read_text() == "held")
        with mark.open() as file:

            def is_free():
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            assert not is_free()
            command.kill()
            command.wait()
            assert within(30, is_free)
    finally:
        command.kill()
        command.wait()


def test_a_worker_may_die_of_any_signal():
    assert [local._cause(code) for code in (1, -9, -40)] == ["exit code 1", "SIGKILL", "signal 40"]


class Deadly:
    """A `make` that ends its process before it can be called, as a module that is gone does."""

    def __reduce__(self):
        return os._exit, (7,)


def test_a_worker_that_never_gets_ready_ends_the_batch():
    said = []

    def say(line):
        said.append(line)
        assert len(said) < local.TRIES, "it starts again and again"

    with local.LocalExecutor(say, NetworkOptions(device="cpu")) as executor:
        rows = executor.run([[Item("a.jpg", "a.png")]], Deadly(), Layout(1, 1))
        with pytest.raises(BatchError, match=r"worker 1 of 1 died 3 times before it was ready \(exit code 7\)"):
            next(rows)
    assert said == ["worker 1 of 1 died (exit code 7); it starts again"] * 2
