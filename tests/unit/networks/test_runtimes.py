"""The one thread in which a process runs graphs."""

import threading
from concurrent.futures import ThreadPoolExecutor

from inspyrenet.networks import runtimes


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
