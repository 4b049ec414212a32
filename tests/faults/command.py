"""`wesam` in processes of their own, which can be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

# Each process is forked from one that has imported what a run imports: that takes most of a tiny run's time.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["wesam.adaptation", "wesam.cli", "torch.utils.tensorboard"])

SECONDS = 600  # after which a command hangs


class Command:
    """A `wesam` command that goes on beside the caller.

    Args:
        arguments: what stands behind `wesam`.
        log: file that takes what is printed.
        prepare: called in the new process, before the command.
    """

    def __init__(self, arguments: Sequence[str], log: Path, prepare: Callable[[], None] | None = None) -> None:
        self._log = log
        self._process = _CONTEXT.Process(target=_run, args=(list(arguments), log, prepare))
        self._process.start()

    @property
    def ended(self) -> bool:
        return not self._process.is_alive()

    @property
    def children(self) -> list[int]:
        """Processes that it began."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    @property
    def printed(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        if not self.ended and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGINT)

    def wait(self, noisy: bool = False) -> int:
        """Until it ends; gives its exit code, below 0 where a signal ended it.

        Args:
            noisy: whether a process beside it may print a traceback of its own.
        """
        self._process.join(SECONDS)
        if self._process.exitcode is None:
            self.kill()
            raise AssertionError(f"the command hangs: {self.printed[-2000:]}")
        assert noisy or "Traceback" not in self.printed, self.printed[-3000:]
        return self._process.exitcode

    def finish(self, code: int = 0) -> str:
        """Waits for the end, checks the exit code, and gives what was printed."""
        got = self.wait()
        assert got == code, f"expected exit code {code}, got {got}: {self.printed[-2000:]}"
        return self.printed

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Until something has come of it, or it ended."""
        end = time.monotonic() + SECONDS
        while not ready() and not self.ended:
            assert time.monotonic() < end, f"the run does not get on: {self.printed[-2000:]}"
            time.sleep(0.002)


def _run(arguments: list[str], log: Path, prepare: Callable[[], None] | None) -> None:
    file = log.open("w", buffering=1)
    for stream in (1, 2):
        os.dup2(file.fileno(), stream)  # what is not Python prints too
    sys.stdout = sys.stderr = file
    sys.argv = ["wesam", *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    torch.set_num_threads(1)
    if prepare is not None:
        prepare()
    from wesam.cli import app

    app()
