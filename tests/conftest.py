"""For all tests: what a command changes in its process is undone, and test processes share the cores."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest
import torch

from inspyrenet.utils.config import plugins
from inspyrenet.utils.metrics import registry
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


@pytest.fixture(autouse=True)
def own_code_is_forgotten(tmp_path_factory, monkeypatch):
    """Modules and metrics that a test writes may have the names of another test's: both may run in one process."""
    tables = (plugins._allowed, registry.METRICS, registry.OUTSIDE, registry._SPELLINGS)
    before = [dict(table) for table in tables]
    modules, written = set(sys.modules), tmp_path_factory.getbasetemp()
    monkeypatch.syspath_prepend(written / "nothing")  # which restores what is added to the path
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
    for name in sys.modules.keys() - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and Path(file).is_relative_to(written):
            del sys.modules[name]


@pytest.fixture
def flushed():
    """Subnormal numbers are zero: with them, an attention's softmax takes minutes on a CPU."""
    with flushed_denormals():
        yield


def pytest_collection_modifyitems(items):
    for item in items:
        if set(item.path.parts) & set(NETWORKS):
            item.fixturenames.insert(0, "flushed")
