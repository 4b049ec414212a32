"""Threads: never more than the cores that this process has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wesam.cli.threads import free_cores

QUOTA, PERIOD = "cpu/x/cpu.cfs_quota_us", "cpu/x/cpu.cfs_period_us"  # version 1
HAS_AFFINITY = hasattr(os, "sched_getaffinity")


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    if HAS_AFFINITY:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def groups(root: Path, own: str, files: dict[str, str]) -> int:
    (root / "own").write_text(own)
    for name, text in files.items():
        path = root / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return free_cores(root / "fs", root / "own")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b\n", {}, 8),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n"}, 8),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "250000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "1600000 100000\n"}, 8),
        (
            "3:cpu,cpuacct:/x\n1:memory:/x\n",
            {"cpu/x/cpu.cfs_quota_us": "400000", "cpu/x/cpu.cfs_period_us": "100000"},
            4,
        ),
        ("3:cpu:/x\n", {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_quotas_of_containers_count(tmp_path: Path, own: str, files: dict[str, str], expected: int) -> None:
    assert groups(tmp_path, own, files) == expected


def test_without_control_groups_the_cores_count(tmp_path: Path) -> None:
    assert free_cores(tmp_path, tmp_path / "none") == 8


@pytest.mark.skipif(not HAS_AFFINITY, reason="a system without affinities")
def test_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert free_cores(tmp_path, tmp_path / "none") == 1


def test_the_program_sets_them_before_anything_starts_threads_and_leaves_what_the_user_set() -> None:
    code = (
        "import os, sys; from wesam.cli.threads import limit_threads; limit_threads(); "
        "assert 'torch' not in sys.modules; print(os.environ['OMP_NUM_THREADS'], os.environ['OMP_WAIT_POLICY'])"
    )
    for given, expected in (({}, None), ({"OMP_NUM_THREADS": "7"}, 7)):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")} | given
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        threads, policy = found.stdout.split()
        assert policy == "PASSIVE"
        assert int(threads) >= 1 if expected is None else int(threads) == expected
