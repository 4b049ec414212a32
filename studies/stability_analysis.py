"""What the rows of the stability study say: which signals follow the truth, and which rule chooses well.

Runs nothing: it reads what `studies.stability` recorded, so a new rule is judged without a new run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.stability_rules import SCALES
from wesam import markdown
from wesam.errors import WesamError
from wesam.health.probe import Signals
from wesam.health.selection import DEFAULT_RULE, Candidate, SelectionSettings, choose
from wesam.health.signals import SIGNAL_NAMES, gain

# Points of mIoU below the source model that still count as not below it (the goal of the study).
ALLOWED_BELOW = 0.5

MEAN = "mean"

LAST = SelectionSettings(rule="last")
DEFAULT = SelectionSettings(rule=DEFAULT_RULE)


@dataclass(frozen=True)
class Point:
    """One recorded point of a run.

    Attributes:
        step: of the weights; 0 is the source model.
        made: "" for a point that the run passed; `MEAN` for the mean of the weights at the last points up to `step`;
            "scale 0.5" for the update of `step` times 0.5.
        signals: of health.
        miou: true mIoU on the test images, in percent.
    """

    step: int
    made: str
    signals: Signals
    miou: float

    def candidate(self) -> Candidate:
        return Candidate(f"step {self.step} {self.made}".strip(), self.step, self.signals)


@dataclass(frozen=True)
class Run:
    """One recorded run.

    Attributes:
        domain, prompt, seed, arm: what was run.
        points: in the order of their steps, the source model first.
        made: further points, by the step that they end with.
    """

    domain: str
    prompt: str
    seed: int
    arm: str
    points: tuple[Point, ...]
    made: Mapping[int, tuple[Point, ...]]

    def is_scored_at(self, length: int) -> bool:
        """Whether all points that end with this length are there; a study that was stopped may lack some."""
        return {MEAN, *map(scale_name, SCALES)} <= {point.made for point in self.made.get(length, ())}

    def until(self, length: int, settings: SelectionSettings) -> list[Point]:
        """What a rule with these settings would have chosen from, had the run ended after `length` steps."""
        passed = [point for point in self.points if point.step <= length]
        made = self.made.get(passed[-1].step, ())
        wanted = {MEAN} if settings.average_last > 1 else set()
        wanted |= {scale_name(scale) for scale in settings.scales}
        missing = wanted - {point.made for point in made}
        if missing and len(passed) > 1:
            raise WesamError(
                f"{self.domain}, {self.prompt}, seed {self.seed}, {self.arm}: expected the points "
                f"{', '.join(sorted(missing))} of step {passed[-1].step}, got a study without; is {length} one of its "
                f"lengths?"
            )
        return passed + [point for point in made if point.made in wanted]


@dataclass(frozen=True)
class Outcome:
    """What one rule did to one run of one length; mIoU in percent.

    Attributes:
        chosen: of the point that the rule chose.
        direct: of the source model.
        last: of the last step.
        oracle: of the best point that the run passed, the source model included.
        adapted: whether it chose other than the source model.
    """

    chosen: float
    direct: float
    last: float
    oracle: float
    adapted: bool

    @property
    def regret(self) -> float:
        return self.oracle - self.chosen

    @property
    def gain(self) -> float:
        return self.chosen - self.direct


def scale_name(scale: float) -> str:
    return f"scale {scale:g}"


def read_runs(folder: Path) -> list[Run]:
    """All runs under a study's folder.

    Raises:
        WesamError: if there is none, or a row cannot be read.
    """
    runs = []
    for path in sorted(folder.rglob("rows.jsonl")):
        points: list[Point] = []
        keys: dict[str, Any] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                keys = {name: row[name] for name in ("domain", "prompt", "seed", "arm")}
                points.append(Point(row["step"], row["made"], row["signals"], row["miou"]))
            except (json.JSONDecodeError, KeyError) as error:
                raise WesamError(f"{path}: line {number}: expected a row of the study, got: {error!r}") from error
        passed = tuple(sorted((point for point in points if not point.made), key=lambda point: point.step))
        if passed and passed[0].step == 0 and len(passed) > 1:
            made = [point for point in points if point.made]
            ends = {point.step: tuple(other for other in made if other.step == point.step) for point in made}
            runs.append(Run(**keys, points=passed, made=ends))
    if not runs:
        raise WesamError(f"{folder}: expected rows of at least one run, found none")
    return runs


def outcome(run: Run, length: int, settings: SelectionSettings) -> Outcome:
    """Applies a rule to a run that ended after `length` steps."""
    offered = run.until(length, settings)
    choice = choose([point.candidate() for point in offered], settings)
    passed = [point.miou for point in offered if not point.made]
    return Outcome(offered[choice.index].miou, passed[0], passed[-1], max(passed), not choice.source)


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation (Spearman 1904), equal values sharing their mean rank; NaN where one never changes."""
    a, b = _ranks(first), _ranks(second)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    _, place, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    return (ends - (counts - 1) / 2)[place]


def correlations(runs: Sequence[Run], length: int) -> str:
    """Markdown: how each signal's gain follows the true mIoU along a run."""
    domains = list(dict.fromkeys(run.domain for run in runs))
    lines = []
    for name in SIGNAL_NAMES:
        found: dict[str, list[float]] = {domain: [] for domain in domains}
        for run in runs:
            passed = run.until(length, LAST)
            source = passed[0].signals[name]
            gains = [gain(name, point.signals[name], source) for point in passed]
            value = spearman(gains, [point.miou for point in passed])
            if np.isfinite(value):
                found[run.domain].append(value)
        everything = [value for values in found.values() for value in values]
        cells = [_mean(values, "+.2f") for values in [*found.values(), everything]]
        above = f"{sum(value > 0 for value in everything)} of {len(everything)}"
        lines.append([name, *cells, above])
    return markdown.table(["signal", *domains, "all", "runs above 0"], lines)


def rule_table(runs: Sequence[Run], lengths: Sequence[int], rules: Mapping[str, SelectionSettings], most: int) -> str:
    """Markdown: the rules over all runs and lengths, the best first by `preference`, and always "last"."""
    judged = {name: outcomes(runs, lengths, settings) for name, settings in rules.items()}
    ranked = sorted(judged, key=lambda name: preference(judged[name]))
    shown = [name for place, name in enumerate(ranked) if place < most or name == "last"]
    return _outcome_table("rule", {name: judged[name] for name in shown})


def length_table(runs: Sequence[Run], lengths: Sequence[int], rules: Mapping[str, SelectionSettings]) -> str:
    """Markdown: the given rules at each length."""
    rows = {
        f"{name}, {length} steps": outcomes(runs, [length], settings)
        for length in lengths
        for name, settings in rules.items()
    }
    return _outcome_table("rule and length", rows)


def leave_one_domain_out(runs: Sequence[Run], lengths: Sequence[int], rules: Mapping[str, SelectionSettings]) -> str:
    """Markdown: the rule that all other domains prefer, and what it does to the domain left out."""
    domains = list(dict.fromkeys(run.domain for run in runs))
    if len(domains) < 2:
        return "Leaving one domain out needs two domains at least."
    rows: dict[str, list[Outcome]] = {}
    together: list[Outcome] = []
    for domain in domains:
        others = [run for run in runs if run.domain != domain]
        name = preferred(others, lengths, rules)
        found = outcomes([run for run in runs if run.domain == domain], lengths, rules[name])
        rows[f"{domain}: {name}"] = found
        together += found
    return _outcome_table("domain left out: rule of the others", {**rows, "all": together})


def arm_table(runs: Sequence[Run], lengths: Sequence[int]) -> str:
    """Markdown: what each arm reaches without any choice, at each length."""
    arms = list(dict.fromkeys(run.arm for run in runs))
    return _outcome_table(
        "arm, length (last step)",
        {
            f"{arm}, {length}": outcomes([run for run in runs if run.arm == arm], [length], LAST)
            for arm in arms
            for length in lengths
        },
    )


def domain_table(runs: Sequence[Run], length: int) -> str:
    """Markdown: on each domain and kind of label what the best point, the last step and the package's default rule
    gain over the source model, mean ± standard deviation over seeds."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(f"{run.domain}, {run.prompt}" + ("" if run.arm == "default" else f", {run.arm}"), []).append(
            run
        )
    rows = []
    for name, own in groups.items():
        last, default = (outcomes(own, [length], settings) for settings in (LAST, DEFAULT))
        gains = (
            [result.oracle - result.direct for result in last],
            [result.gain for result in last],
            [result.gain for result in default],
        )
        direct = _mean([result.direct for result in last], ".1f")
        rows.append([name, str(len(own)), direct, *(markdown.difference(values) for values in gains)])
    columns = ["domain, labels", "seeds", "Direct", "best point", "last step", "chosen by default"]
    return markdown.table(columns, rows)


def outcomes(runs: Iterable[Run], lengths: Sequence[int], settings: SelectionSettings) -> list[Outcome]:
    return [outcome(run, length, settings) for run in runs for length in lengths]


def preferred(runs: Sequence[Run], lengths: Sequence[int], rules: Mapping[str, SelectionSettings]) -> str:
    """The name of the rule that comes first by `preference`."""
    return min(rules, key=lambda name: preference(outcomes(runs, lengths, rules[name])))


def preference(found: Sequence[Outcome]) -> tuple[float, float]:
    """Sorts rules: first by how far the worst run falls below the source model beyond what is allowed, then by the
    mean regret."""
    worst = max(0.0, -min(result.gain for result in found) - ALLOWED_BELOW)
    return round(worst, 6), float(np.mean([result.regret for result in found]))


def _outcome_table(first: str, rows: Mapping[str, Sequence[Outcome]]) -> str:
    columns: dict[str, Callable[[Sequence[Outcome]], str]] = {
        "runs": lambda found: str(len(found)),
        "Direct": lambda found: _mean([result.direct for result in found], ".2f"),
        "chosen - Direct": lambda found: _mean([result.gain for result in found], "+.2f"),
        "worst": lambda found: f"{min(result.gain for result in found):+.2f}",
        f"below by > {ALLOWED_BELOW:g}": lambda found: _share([result.gain < -ALLOWED_BELOW for result in found]),
        "regret to oracle": lambda found: _mean([result.regret for result in found], ".2f"),
        "chosen - last": lambda found: _mean([result.chosen - result.last for result in found], "+.2f"),
        "not adapted": lambda found: _share([not result.adapted for result in found]),
    }
    lines = [[name, *(column(found) for column in columns.values())] for name, found in rows.items() if found]
    return markdown.table([first, *columns], lines)


def _mean(values: Sequence[float], form: str) -> str:
    return format(float(np.mean(values)), form) if values else ""


def _share(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)}"


def report(runs: Sequence[Run], lengths: Sequence[int], rules: Mapping[str, SelectionSettings], most: int = 15) -> str:
    """The whole analysis as Markdown.

    Args:
        runs: of `read_runs`.
        lengths: in steps; runs that were scored at all of them count.
        rules: of `stability_rules.rules`.
        most: rules to show.

    Raises:
        WesamError: if no run was scored at all of the lengths.
    """
    whole = [run for run in runs if all(run.is_scored_at(length) for length in lengths)]
    if not whole:
        recorded = sorted({length for run in runs for length in run.made})
        raise WesamError(f"lengths: expected some of {recorded}, as recorded, got {list(lengths)}")
    arms = list(dict.fromkeys(run.arm for run in whole))
    name = preferred(whole, lengths, rules)
    parts = [
        f"{len(whole)} runs that were scored at {max(lengths)} steps, of {len(runs)}; arms: {', '.join(arms)}. mIoU in "
        f"percent; lengths {', '.join(map(str, lengths))} steps are parts of one run.",
        "## Arms, without any choice\n\n" + arm_table(whole, lengths),
        f"## Domains, after {max(lengths)} steps\n\n" + domain_table(whole, max(lengths)),
        "## Rank correlation of each signal's gain with true mIoU along a run\n\n" + correlations(whole, max(lengths)),
        f"## Rules over all runs and lengths\n\n{len(rules)} rules; the best first: no run further below Direct than "
        f"{ALLOWED_BELOW:g}, then the least regret.\n\n" + rule_table(whole, lengths, rules, most),
        "## Leave one domain out\n\n" + leave_one_domain_out(whole, lengths, rules),
        f"## Preferred by all domains: {name}\n\n"
        + length_table(whole, lengths, {"last": rules["last"], name: rules[name]}),
    ]
    return "\n\n".join(parts)
