"""Handlers of Ctrl-C and SIGTERM: there for a while, gone afterwards, and none outside the main thread."""

import signal
import subprocess
import sys
import threading

import pytest

from inspyrenet.utils.system.signals import STOPPING, Handler


@pytest.mark.parametrize("number", STOPPING)
def test_a_handler_is_there_for_a_while(number):
    before, seen = signal.getsignal(number), []
    with pytest.raises(RuntimeError), Handler(lambda number, frame: seen.append(number)):
        signal.raise_signal(number)
        raise RuntimeError
    assert seen == [number] and signal.getsignal(number) is before


def test_other_signals_stay_as_they_are():
    before = signal.getsignal(signal.SIGINT)
    with Handler(print, (signal.SIGTERM,)):
        assert signal.getsignal(signal.SIGTERM) is print and signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_nothing_changes():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with Handler(print):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_spared_worker_dies_of_the_second_sigterm_only():
    code = """
import signal
from inspyrenet.utils.train.signals import spare_worker
spare_worker()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.raise_signal(number)
print("alive", flush=True)
signal.raise_signal(signal.SIGTERM)
print("not dead")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "alive\n")
