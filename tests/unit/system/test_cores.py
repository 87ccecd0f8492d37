"""How many cores a process may use: what the affinity, a container or a scheduler grants."""

import math
import os

import pytest

from inspyrenet.utils.system import cores
from inspyrenet.utils.system.cores import cgroup_limit, usable_cores


@pytest.fixture
def place(tmp_path):
    """A tree of control groups that belongs to the test, and what /proc/self/cgroup says."""

    def make(own: str, **files: str):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "self").write_text(own)
        return tmp_path / "cgroup", tmp_path / "self"

    return make


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/job/step\n", {"job/cpu.max": "200000 100000", "job/step/cpu.max": "max 100000"}, 2),
        ("0::/job/step\n", {"job/cpu.max": "400000 100000", "job/step/cpu.max": "100000 100000"}, 1),
        ("0::/outside\n", {"cpu.max": "300000 100000"}, 3),
        ("3:memory:/a\n1:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"}, 0.5),
        ("1:cpu,cpuacct:/\n", {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "9"}, math.inf),
        ("1:cpu:/a:b\n", {}, math.inf),
    ],
)
def test_the_least_limit_counts(place, own, files, limit):
    assert cgroup_limit(*place(own, **files)) == limit


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert cgroup_limit(tmp_path / "none", tmp_path / "none") == math.inf


@pytest.mark.parametrize(("limit", "wanted"), [(math.inf, 8), (2.5, 3), (0.2, 1), (64, 8)])
def test_cores_are_what_may_be_used(monkeypatch, limit, wanted):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "cgroup_limit", lambda: limit)
    assert usable_cores() == wanted


def test_where_there_is_no_affinity_the_machine_counts(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.setattr(cores, "cgroup_limit", lambda: math.inf)
    assert usable_cores() == 1
