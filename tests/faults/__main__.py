"""python -m tests.faults --repeats 20: everything that can happen to a run, and a table of what it cost."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.faults.faults import FAULTS
from tests.faults.scene import Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20, help="of each fault")
    parser.add_argument("--fault", action="append", choices=list(FAULTS), help="repeatable; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        print(
            f"{scene.seconds_before:.1f} s to the first checkpoint, {scene.seconds_between:.2f} s to each further one"
        )
        rows, bad = [], 0
        for name in options.fault or FAULTS:
            outcomes: Counter[str] = Counter()
            failures = 0
            for number in range(options.repeats):
                out = Path(folder) / f"{name}-{number}"
                start = time.monotonic()
                try:
                    outcome = FAULTS[name](scene, out, Random(f"{options.seed} {name} {number}"))
                    outcomes[outcome] += 1
                except AssertionError as error:
                    outcome = f"LOST: {error}"
                    failures += 1
                print(f"{name} {number}: {outcome} ({time.monotonic() - start:.0f} s)", flush=True)
                shutil.rmtree(out, ignore_errors=True)
            bad += failures
            told = "; ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes.items()))
            rows.append(f"| {FAULTS[name].__doc__} | {options.repeats} | {failures or 'nothing'} | {told} |")
    print("\n".join(["| fault | tried | lost | outcomes |", "| --- | --- | --- | --- |", *rows]))
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
