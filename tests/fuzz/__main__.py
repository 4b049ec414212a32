"""python -m tests.fuzz --inputs 100000: every reader on hostile input, each attempt within time and memory limits."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import psutil

from tests.fuzz.attempt import Fuzzer
from tests.fuzz.seeds import seeds

SECONDS = 10  # of the processor that one input may take; the usual is a thousandth
PATIENCE = 120  # seconds by the clock: what waits takes no processor, and a busy machine takes long
BYTES = 2**31  # that reading may add to the process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="over all readers together")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each reader")
    parser.add_argument("--target", action="append", help="a reader; repeatable; default: all")
    parser.add_argument("--out", type=Path, default=Path("fuzz-failures"), help="where failing inputs are kept")
    options = parser.parse_args()
    targets = options.target or sorted({seed.target for seed in seeds()})
    each = -(-options.inputs // len(targets))
    print(f"{len(targets)} readers, {each} inputs each", flush=True)
    bad = 0
    for target in targets:
        start = time.monotonic()
        outcomes = run(target, options.first, options.first + each, options.out)
        seconds = time.monotonic() - start
        failures = sum(outcomes.values()) - outcomes["read"] - outcomes["refused"]
        bad += failures
        row = {"target": target, "inputs": sum(outcomes.values()), "read": outcomes["read"]}
        row |= {"refused": outcomes["refused"], "failures": failures, "seconds": round(seconds, 1)}
        print(json.dumps(row), flush=True)
    raise SystemExit(1 if bad else 0)


def run(target: str, first: int, last: int, out: Path) -> Counter[str]:
    """Inputs `first` to `last` of one reader, in a process that is begun anew after each that dies or hangs."""
    outcomes: Counter[str] = Counter()
    number = first
    while number < last:
        current = multiprocessing.Value("q", number)
        with multiprocessing.Manager() as manager:
            told = manager.Queue()
            child = multiprocessing.Process(target=_child, args=(target, number, last, current, told))
            child.start()
            watched = psutil.Process(child.pid)
            seen, since, used = -1, 0.0, 0.0
            while child.is_alive():
                child.join(0.5)
                with suppress(psutil.NoSuchProcess):
                    times = watched.cpu_times()
                    if current.value != seen:
                        seen, since, used = current.value, time.monotonic(), times.user + times.system
                    elif times.user + times.system - used > SECONDS or time.monotonic() - since > PATIENCE:
                        child.kill()
                        child.join()
            while not told.empty():
                done, outcome = told.get()
                _count(outcomes, target, done, outcome, out)
            number = current.value
        if child.exitcode != 0:
            _count(outcomes, target, number, f"died or hung (exit code {child.exitcode})", out)
            number += 1
    return outcomes


def _count(outcomes: Counter[str], target: str, number: int, outcome: str | Counter[str], out: Path) -> None:
    if isinstance(outcome, Counter):
        outcomes.update(outcome)
        return
    outcomes[outcome] += 1
    print(f"{target} {number}: {outcome}", flush=True)
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        seed, content, _ = Fuzzer(Path(folder)).input(target, number)
    (out / f"{target}-{number}-{Path(seed.name).name}").write_bytes(content)


def _child(target: str, first: int, last: int, current: Synchronized[int], told: object) -> None:
    # Written to memory: a hundred thousand small files would be the disk's test, not ours.
    home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=home) as folder:
        fuzzer = Fuzzer(Path(folder))
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + BYTES, size + BYTES))
        fine: Counter[str] = Counter()
        for number in range(first, last):
            current.value = number
            outcome = fuzzer.attempt(target, number)
            if outcome in ("read", "refused"):
                fine[outcome] += 1
            else:
                told.put((number, outcome))  # type: ignore[attr-defined]
            if number % 500 == 499:
                told.put((number, fine))  # type: ignore[attr-defined]
                fine = Counter()
        told.put((last, fine))  # type: ignore[attr-defined]
        current.value = last


if __name__ == "__main__":
    main()
