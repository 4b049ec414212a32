from pathlib import Path

import pytest
import torch

from wesam.errors import WesamError
from wesam.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, save_checkpoint


def checkpoint(step: int) -> Checkpoint:
    weight = torch.nn.Parameter(torch.randn(3, 2))
    optimiser = torch.optim.Adam([weight])
    weight.sum().backward()
    optimiser.step()
    return Checkpoint(step, {"a.weight": weight.detach()}, optimiser.state_dict(), {"ema": torch.ones(2)}, {})


def test_round_trip_is_exact(tmp_path: Path) -> None:
    saved = checkpoint(7)
    loaded = load_checkpoint(save_checkpoint(tmp_path, saved, keep=1))
    assert loaded.step == 7
    assert torch.equal(loaded.adapter["a.weight"], saved.adapter["a.weight"])
    assert torch.equal(loaded.extra["ema"], saved.extra["ema"])
    moments, expected = loaded.optimiser["state"][0], saved.optimiser["state"][0]
    assert all(torch.equal(moments[name], expected[name]) for name in expected)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        save_checkpoint(tmp_path, checkpoint(step), keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-0000010", "step-0000015"]


def test_a_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(5), keep=2)
    (tmp_path / ".step-0000010.partial").mkdir()
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step-0000005"]
    save_checkpoint(tmp_path, checkpoint(10), keep=2)  # and does not stand in the way
    assert load_checkpoint(list_checkpoints(tmp_path)[-1]).step == 10


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(5), keep=2)
    (path / "adapter.safetensors").write_bytes(b"broken")
    with pytest.raises(WesamError, match="step-0000005: expected a whole checkpoint"):
        load_checkpoint(path)
