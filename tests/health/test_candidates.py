from pathlib import Path

import pytest
import torch

from wesam.errors import WesamError
from wesam.health.candidates import CandidateFolder
from wesam.health.selection import Candidate

SIGNALS = {"flip_agreement": 0.1 + 0.2, "area_drift": -1e-17}


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"q.lora_A.weight": torch.full((2, 3), value), "q.lora_B.weight": torch.full((3, 2), 10 * value)}


def folder(root: Path, *steps: int) -> CandidateFolder:
    made = CandidateFolder(root)
    for step in steps:
        made.add(Candidate(f"step {step}", step, dict(SIGNALS)), weights(step))
    return made


def test_signals_and_weights_come_back_exactly(tmp_path: Path) -> None:
    made = folder(tmp_path, 0, 5, 10_000_000)
    assert [candidate.step for candidate in made.read()] == [0, 5, 10_000_000]
    assert made.read()[1] == Candidate("step 5", 5, SIGNALS)
    assert torch.equal(made.weights(5)["q.lora_B.weight"], torch.full((3, 2), 50.0))


def test_later_candidates_are_dropped(tmp_path: Path) -> None:
    made = folder(tmp_path, 0, 5, 10)
    made.cut(5)
    assert [candidate.step for candidate in made.read()] == [0, 5]


def test_damage_is_named(tmp_path: Path) -> None:
    made = folder(tmp_path, 0)
    (tmp_path / "step-0000005.safetensors").write_bytes(b"broken")
    with pytest.raises(WesamError, match="step-0000005.safetensors: expected a candidate"):
        made.read()
    with pytest.raises(WesamError, match="step-0000005.safetensors: expected a candidate"):
        made.weights(5)
    with pytest.raises(WesamError, match="step-0000009.safetensors: expected a candidate"):
        made.weights(9)
