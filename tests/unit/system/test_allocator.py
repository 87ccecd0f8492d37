"""The bounds of torch's CPU caches, and memory that is kept."""

import os
import resource
import subprocess
import sys

import pytest
import torch

from inspyrenet.utils.system.allocator import KERNELS, PREDICTING, TRAINING, bound_kernel_caches, freed_memory_kept

NAMES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
MANY_KERNELS = """
import torch
from inspyrenet.utils.system.allocator import bound_kernel_caches
bound_kernel_caches()
with torch.inference_mode():
    for _ in range(2):
        for size in range(8, 8 + 40):
            torch.nn.functional.conv2d(torch.ones(2, 16, size, 99), torch.ones(16, 16, 5, 5))
"""


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_caches_are_bounded():
    bound_kernel_caches()
    assert [os.environ.get(name) for name in NAMES] == [str(KERNELS), None, "1"]


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("DNNL_PRIMITIVE_CACHE_CAPACITY", "7")
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "9")
    bound_kernel_caches()
    assert [os.environ.get(name) for name in NAMES] == [None, "7", "9"]


@pytest.mark.parametrize(("capacity", "remembered"), [("20", False), (None, True)])
def test_the_bound_works_though_torch_is_imported_already(capacity, remembered):
    settings = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": capacity} if capacity else {}
    environment = os.environ | settings | {"ONEDNN_VERBOSE": "profile_create"}
    done = subprocess.run(
        [sys.executable, "-c", MANY_KERNELS], env=environment, capture_output=True, text=True, check=True
    )
    created = [line for line in done.stdout.splitlines() if ",convolution," in line]
    if not created:
        pytest.skip("this torch has no oneDNN")
    assert any("cache_hit" in line for line in created) == remembered


@pytest.mark.parametrize("options", [PREDICTING, TRAINING], ids=["predicting", "training"])
def test_a_freed_map_is_there_for_the_next_one(options):
    with freed_memory_kept(options) as kept:
        if not kept:
            pytest.skip("this C library has no such settings")
        fresh = [
            pages_of_a_map() for _ in range(12)
        ]  # glibc sets the ends of the first seven apart, so that they do not fit
    assert fresh[-1] * resource.getpagesize() < 2**20, "the map was made of new pages"


def pages_of_a_map() -> int:
    """How many pages the system had to give for a map of 64 MB, which is freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(64, 512, 512)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
