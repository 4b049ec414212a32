"""A few seconds of what `python -m tests.fuzz` does for minutes: every reader, the same inputs each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.attempt import Fuzzer
from tests.fuzz.seed import Seed
from tests.fuzz.seeds import seeds


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    return Fuzzer(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("target", sorted({seed.target for seed in seeds()}))
def test_hostile_input_is_read_or_refused_and_nothing_else(fuzzer: Fuzzer, target: str) -> None:
    outcomes = [fuzzer.attempt(target, number) for number in range(150)]
    assert {outcome: number for number, outcome in enumerate(outcomes)}.keys() == {"read", "refused"}


@pytest.mark.parametrize("seed", seeds(), ids=lambda seed: seed.name)
def test_whole_files_are_read(fuzzer: Fuzzer, seed: Seed) -> None:
    assert fuzzer.judge(seed, seed.content, None) == seed.whole


def test_the_watch_sees_what_must_not_happen(fuzzer: Fuzzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = fuzzer.seeds[0]

    def reads(path: Path) -> object:
        return lambda *_: path.read_bytes()

    def writes(path: Path) -> object:
        return lambda *_: path.write_text("x")

    for hostile, seen in (
        (reads(Path("/etc/hostname")), "did open to read"),
        (writes(tmp_path / "x"), "did open to write"),
    ):
        monkeypatch.setattr(fuzzer, "_read", hostile)
        assert fuzzer.judge(seed, seed.content, None).startswith(seen)
    monkeypatch.setattr(fuzzer, "_read", lambda *_: {}["x"])
    assert fuzzer.judge(seed, seed.content, None).startswith("KeyError")
