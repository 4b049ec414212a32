"""The learning rate of each method: one of three, chosen without masks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wesam.adaptation import run
from wesam.atomic import replaced_file
from wesam.bench.arm import Arm
from wesam.bench.cells import Cell
from wesam.bench.runner import Bench, cell_config, was_begun
from wesam.errors import WesamError
from wesam.health.selection import RULE_SIGNALS
from wesam.health.signals import gain
from wesam.untrusted import read_json

#: Every method has the same three to choose from.
RATES = (1e-4, 5e-4, 2e-3)

#: Two families, one seed, boxes.
CHOSEN_ON = ("endoscopy", "robotic")

_FILE = "rates.json"


def read_rates(out: Path) -> dict[str, float]:
    """What `choose_rates` chose in a folder of results, by row; {} where it did not run.

    Raises:
        WesamError: if the file there is not its own.
    """
    path = out / _FILE
    if not path.exists():
        return {}
    content = read_json(path, "chosen learning rates")
    try:
        return {name: float(rate) for name, rate in content["chosen"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise WesamError(f"{path}: expected learning rates that wesam bench chose, got another file") from error


def choose_rates(bench: Bench, arms: Sequence[Arm], tell: Callable[[str], None]) -> None:
    """Runs each row with each rate on two families, and notes the rate whose chosen step gained most by the signals.

    No mask is looked at: the gain is that of `health.selection`, and 0 where the rule kept the source model; of equals
    the lowest rate. Runs that were noted are not run again.

    Args:
        bench: where and with what; the choice is written to `rates.json` in its folder.
        arms: rows; those that do not learn are passed over.
        tell: told of each run.

    Raises:
        WesamError: if a run cannot be made.
    """
    path = bench.out / _FILE
    gains: dict[str, dict[str, float]] = read_json(path, "chosen learning rates")["gains"] if path.exists() else {}
    for arm in (arm for arm in arms if arm.learns):
        for rate in RATES:
            for dataset in CHOSEN_ON:
                key = f"{rate:g} {dataset}"
                if key in gains.get(arm.name, {}):
                    continue
                work = bench.out / "work" / "rates" / arm.name / key.replace(" ", "-")
                config = cell_config(
                    bench, Cell(replace(arm, rate=rate), dataset, "box", 0), bench.target(dataset), work
                )
                done = run(config, resume=was_begun(config))
                if bench.main:
                    gains.setdefault(arm.name, {})[key] = _gain(done.summary["selection"])
                    _write(path, gains)
                    shutil.rmtree(work)
                    tell(f"{arm.name}, rate {rate:g}, {dataset}: signals {gains[arm.name][key]:+.4f}")


def chosen(gains: Mapping[str, float]) -> float:
    """Of the gains by "rate dataset" the rate with the highest mean over data sets; the lowest of equals."""

    def mean(rate: float) -> float:
        own = [gained for key, gained in gains.items() if key.split()[0] == f"{rate:g}"]
        return sum(own) / len(own) if own else float("-inf")

    return max(RATES, key=lambda rate: (mean(rate), -rate))


def _gain(selection: Mapping[str, Any]) -> float:
    if not selection["adapted"]:
        return 0.0
    names = RULE_SIGNALS
    gained = [gain(name, selection["signals"][name], selection["source_signals"][name]) for name in names]
    return round(sum(gained) / len(gained), 6)


def _write(path: Path, gains: Mapping[str, Mapping[str, float]]) -> None:
    content = {"chosen": {name: chosen(own) for name, own in gains.items()}, "gains": gains}
    with replaced_file(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
