"""How many threads a command may use: never more than the cores that this process has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def limit_threads() -> None:
    """Tells torch, its libraries and OpenCV how many threads to start. To be called before any of them is imported.

    What the user has set in the environment stays. Threads that wait sleep, by default: where other work needs the
    cores, spinning ones would hold up each other.
    """
    cores = str(free_cores())
    for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ.setdefault(name, cores)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def free_cores(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> int:
    """Cores that this process may use: by its affinity, and whole ones of its cgroups' quotas (containers).

    Args:
        cgroups: where the control groups are mounted.
        own: the file that names those of this process.

    Returns:
        At least 1.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([allowed, *_quotas(cgroups, own)])))


def _quotas(cgroups: Path, own: Path) -> Iterator[float]:
    """In cores, of each control group that this process is in, and of those above it."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers == "":  # version 2: one tree
            tree, files = cgroups, ["cpu.max"]
        elif "cpu" in controllers.split(","):
            tree, files = cgroups / "cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        group = tree / place.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(tree):
                break
            yield from _quota(folder, files)


def _quota(folder: Path, files: list[str]) -> Iterator[float]:
    """The quota of one group, where there is one: "max" or -1 is none."""
    try:
        quota, period = " ".join((folder / name).read_text(encoding="utf-8") for name in files).split()
    except (OSError, ValueError):  # the group has no such file, as the root has none
        return
    if quota not in ("max", "-1"):
        yield int(quota) / int(period)
