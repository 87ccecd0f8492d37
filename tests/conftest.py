"""For all tests: networks compute without subnormal numbers, as in every command, and test processes share the cores."""

import os

import hypothesis
import pytest
import torch

from inspyrenet.utils.system.cores import usable_cores
from inspyrenet.utils.system.precision import flushed_denormals

hypothesis.settings.register_profile("inspyrenet", deadline=None, derandomize=True)  # the same everywhere, however slow
hypothesis.settings.load_profile("inspyrenet")

NETWORKS = ("parity", "contract", "integration")  # folders of tests that run networks

if "PYTEST_XDIST_WORKER" in os.environ:
    share = max(1, usable_cores() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    torch.set_num_threads(share)
    os.environ["OMP_NUM_THREADS"] = str(share)  # for the processes that tests start
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # do not burn a core while waiting for the others


@pytest.fixture(autouse=True)
def denormals_as_before():
    """A command flushes subnormal numbers for its whole process; the next test has them again."""
    before = (torch.tensor(1e-310, dtype=torch.float64) * 1).item() == 0
    yield
    torch.set_flush_denormal(before)


@pytest.fixture
def flushed():
    """Subnormal numbers are zero: with them, an attention's softmax takes minutes on a CPU."""
    with flushed_denormals():
        yield


def pytest_collection_modifyitems(items):
    for item in items:
        if set(item.path.parts) & set(NETWORKS):
            item.fixturenames.insert(0, "flushed")
