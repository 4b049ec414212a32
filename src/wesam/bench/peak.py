"""How much memory a piece of work held at most."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_MB = 1e6


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Within it, a function that says how many megabytes were held at most since it was entered.

    On CUDA those of the device; on Linux those of the process. Elsewhere those of the process since it began, as no
    other count is to be had.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        yield lambda: torch.cuda.max_memory_allocated() / _MB
        return
    if _STATUS.exists():
        with suppress(OSError):  # in a sandbox that forbids it the count is that since the process began
            _CLEAR.write_text("5", encoding="ascii")  # sets the highest resident size back to the present one
        yield _resident_peak
        return
    yield _ever


def _resident_peak() -> float:
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / _MB


def _ever() -> float:
    if sys.platform == "win32":
        return float("nan")
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / _MB if sys.platform == "darwin" else used * 1024 / _MB
