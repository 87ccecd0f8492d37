"""The one thread in which a process runs graphs, and what goes wrong there."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inspyrenet.networks import runtimes
from inspyrenet.networks.network import NotEnoughMemory


def test_threads_that_begin_at_once_share_the_networks_thread(monkeypatch):
    """Both make an executor before either keeps it."""
    both = threading.Barrier(2, timeout=20)

    def slow(*words):
        both.wait()
        return ThreadPoolExecutor(*words)

    monkeypatch.setattr(runtimes, "ThreadPoolExecutor", slow)
    monkeypatch.setattr(runtimes, "_NETWORK_THREADS", {})
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: runtimes._in_network_thread(threading.get_ident), range(2)))
    assert places[0] == places[1]
    assert runtimes._in_network_thread(threading.get_ident) == places[0]


def test_every_process_has_its_own(monkeypatch):
    monkeypatch.setattr(runtimes, "_NETWORK_THREADS", {})
    assert runtimes._network_thread(1) is runtimes._network_thread(1) is not runtimes._network_thread(2)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 9", NotEnoughMemory),
        ("CUDA failure 2: out of memory ; GPU=0", NotEnoughMemory),
        ("Exception from src/inference: std::bad_alloc", NotEnoughMemory),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions", runtimes.GraphError),
    ],
)
def test_a_lack_of_memory_is_told_from_other_failures(text, kind):
    error = runtimes._failed("onnxruntime", {"image": np.zeros((2, 3, 8, 9), np.float32)}, RuntimeError(text))
    assert type(error) is kind and "image 2×3×8×9" in str(error) and text in str(error)
