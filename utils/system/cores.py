"""How many processor cores this process may use. Imports nothing heavy."""

import math
import os
from pathlib import Path

CGROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Cores of the process's affinity, or fewer where a container or a scheduler grants fewer (Linux control groups)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, cgroup_limit())))


def cgroup_limit(root: Path = CGROUPS, own: Path = OWN) -> float:
    """Processor time for each second, the least that the process's group and the groups above it grant; infinite without any.

    Both versions: cpu.max holds quota and period, cpu.cfs_quota_us and cpu.cfs_period_us one each; "max" and -1 are none.
    """
    limits = [math.inf]
    for folder in _groups(root, own):
        words = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        if len(words) == 2 and words[0] not in ("max", "-1"):
            limits.append(int(words[0]) / int(words[1]))
    return min(limits)


def _groups(root: Path, own: Path) -> list[Path]:
    """Folders of the process's groups and of all above them. In a container the path may lie outside what is shown."""
    folders = []
    for line in own.read_text().splitlines() if own.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            top = root / controllers
            inner = top / path.lstrip("/")
            folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(top)]
    return folders


def _words(file: Path) -> list[str]:
    return file.read_text().split() if file.is_file() else []
