from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wesam.adaptation import AdaptResult
from wesam.bench import rates
from wesam.bench.methods import DIRECT, OURS
from wesam.bench.plan import QUICK
from wesam.bench.rates import RATES, choose_rates, chosen, read_rates
from wesam.bench.runner import Bench
from wesam.errors import WesamError
from wesam.health.selection import RULE_SIGNALS
from wesam.models.families import find_family
from wesam.training.config import RunConfig


def test_the_highest_mean_wins_and_the_lowest_rate_of_equals() -> None:
    low, middle, high = (f"{rate:g}" for rate in RATES)
    assert chosen({f"{low} a": 0.0, f"{middle} a": 0.3, f"{middle} b": -0.1, f"{high} a": 0.05}) == RATES[1]
    assert chosen({f"{rate} a": 0.0 for rate in (low, middle, high)}) == RATES[0]


def test_rates_are_chosen_by_signals_alone_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    def run(config: RunConfig, resume: bool) -> AdaptResult:
        ran.append(config.learning_rate)
        config.out.mkdir(parents=True)
        gained = {1e-4: 0.0, 5e-4: 0.01, 2e-3: 0.02}[config.learning_rate]
        signals = dict.fromkeys(RULE_SIGNALS, 0.5)
        better = {name: value + gained for name, value in signals.items()}
        kept = {"adapted": gained > 0, "signals": better, "source_signals": signals}
        return AdaptResult(config.out, config.out, {"selection": kept}, None)

    monkeypatch.setattr(rates, "run", run)
    target: Any = SimpleNamespace(name="t", version="1", images=tmp_path, train=(), test=())
    monkeypatch.setattr(Bench, "target", lambda *_: target)
    monkeypatch.setattr("wesam.bench.runner.write_coco", lambda *_: None)
    monkeypatch.setattr(Bench, "family", find_family("sam"))
    bench = Bench("m", tmp_path / "out", QUICK, {})
    choose_rates(bench, [DIRECT, OURS], lambda _: None)
    assert read_rates(bench.out) == {"ours": 2e-3}
    assert len(ran) == 6
    choose_rates(bench, [OURS], lambda _: None)
    assert len(ran) == 6


def test_another_file_is_refused(tmp_path: Path) -> None:
    assert read_rates(tmp_path) == {}
    (tmp_path / "rates.json").write_text(json.dumps([1]))
    with pytest.raises(WesamError, match="learning rates"):
        read_rates(tmp_path)
