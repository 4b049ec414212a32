from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from tests.conftest import ImageSet
from tests.training.setting import MeanFeature, SmallRun
from wesam.batches.batch import Batch
from wesam.errors import NonFiniteLossError
from wesam.training import guard
from wesam.training.accelerator import make_accelerator
from wesam.training.checkpoint import list_checkpoints, load_checkpoint
from wesam.training.config import RunConfig
from wesam.training.guard import FiniteGuard, all_finite
from wesam.training.run_folder import RunFolder

NAN = float("nan")


class _Poisoned(MeanFeature):
    """Its loss on one image is not finite; of the weights it depends as always."""

    image = "3.png"
    poison = NAN

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        factor = torch.tensor([self.poison if name == self.image else 1.0 for name in batch.sample_ids])
        return {"total": (self.segmenter.encode(batch.weak).pooled.mean((1, 2, 3)) * factor).mean()}


class _BadGradient(MeanFeature):
    """A finite loss whose gradient is not: the root of 0."""

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        feature = self.segmenter.encode(batch.weak).pooled.mean()
        return {"total": (feature - feature.detach()).sqrt() if "3.png" in batch.sample_ids else feature}


class _BadEvery(MeanFeature):
    """A loss that is NaN whatever it sees while the flag is up."""

    bad = False

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {"total": super().losses(batch)["total"] * (NAN if self.bad else 1.0)}


@pytest.mark.parametrize("poison", [NAN, float("inf")])
def test_a_poisoned_image_is_named_and_its_steps_are_left_out(
    image_set: ImageSet, tmp_path: Path, poison: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Poisoned, "poison", poison)
    # Six images in batches of two: one step in three sees the poisoned one.
    run = SmallRun(image_set, tmp_path, {"steps": 9, "log_every": 1}, _Poisoned)
    assert run.train().steps == 9
    left_out = [row for row in run.events if row["event"] == "step left out"]
    assert len(left_out) == 3
    assert all(row["images"] == ["3.png"] for row in left_out)
    assert "3.png; left out (1 in a row)" in run.messages[0]
    logged = [row for row in run.folder.read_metrics() if "total" in row]
    assert len(logged) == 6
    assert {row["step"] for row in logged} | {row["step"] for row in left_out} == set(range(1, 10))
    assert all_finite(run.weights)
    assert any(bool(tensor.any()) for name, tensor in run.weights.items() if "lora_B" in name)


def test_a_gradient_that_is_not_finite_is_left_out_too(image_set: ImageSet, tmp_path: Path) -> None:
    run = SmallRun(image_set, tmp_path, {"steps": 3}, _BadGradient)
    run.train()
    (row,) = run.events
    assert len(row["images"]) == 2  # each alone has a finite loss, so both are named
    assert "3.png" in row["images"]
    assert all_finite(run.weights)


class _NanBackwards(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: object, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(_ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] * NAN


class _NeverAGradient(MeanFeature):
    """A finite loss whose gradient never is."""

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {"total": _NanBackwards.apply(super().losses(batch)["total"])}


def test_a_scaler_that_finds_no_scale_ends_the_run(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fp16's scaler leaves steps out in silence; one whose every gradient is NaN would do so to the end."""

    def with_scaler(config: RunConfig, folder: RunFolder) -> Accelerator:
        accelerator = make_accelerator(config, folder)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        accelerator.scaler = scaler
        # As accelerate does where fp16 runs, which on a CPU it does not.
        monkeypatch.setattr(
            accelerator,
            "unscale_gradients",
            lambda *_: [scaler.unscale_(one.optimizer) for one in accelerator._optimizers],
        )
        return accelerator

    monkeypatch.setattr("tests.training.setting.make_accelerator", with_scaler)
    run = SmallRun(image_set, tmp_path, {"steps": 40, "health": {"every": 0}}, _NeverAGradient)
    with pytest.raises(NonFiniteLossError, match="after 3 returns"):
        run.train()
    assert [row["step"] for row in run.events if row["event"] == "step left out"][:3] == [3, 4, 5]  # at scale 1
    healthy = SmallRun(image_set, tmp_path / "healthy", {"steps": 4, "health": {"every": 0}}, MeanFeature)
    healthy.train()
    assert not healthy.events


def test_an_image_that_another_process_met_is_the_one_named(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wesam.training.loop.gather_object", lambda own: [*own, "elsewhere.png"])
    run = SmallRun(image_set, tmp_path, {"steps": 3}, _BadGradient)
    run.train()
    assert [row["images"] for row in run.events] == [["elsewhere.png"]]


def test_the_steps_left_out_change_nothing_else(image_set: ImageSet, tmp_path: Path) -> None:
    """A run whose last step is left out ends with the weights it had before."""
    whole, cut = (SmallRun(image_set, tmp_path / name, {"steps": 4}, _BadEvery) for name in ("whole", "cut"))
    whole.train()

    class LastBad(_BadEvery):
        calls = 0

        def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
            self.calls += 1
            self.bad = self.calls > 4
            return super().losses(batch)

    cut = SmallRun(image_set, tmp_path / "cut5", {"steps": 5}, LastBad)
    cut.train()
    # Warm-up and rate are the same for both lengths.
    assert all(torch.equal(cut.weights[name], tensor) for name, tensor in whole.weights.items())


def test_weights_that_went_bad_roll_back_at_half_the_rate(image_set: ImageSet, tmp_path: Path) -> None:
    class Diverges(MeanFeature):
        """After the fourth step the weights are poisoned, once."""

        steps = 0

        def after_step(self) -> None:
            self.steps += 1
            if self.steps == 5:
                with torch.no_grad():
                    next(p for p in self.segmenter.parameters() if p.requires_grad).fill_(float("inf"))

    settings = {"steps": 10, "checkpoint_every": 4, "log_every": 1}
    run = SmallRun(image_set, tmp_path, settings, Diverges)
    run.train()
    assert all_finite(run.weights)
    (back,) = [row for row in run.events if row["event"] == "rollback"]
    assert back["step"] == 4
    assert any("back at step 4, at 0.5 of the learning rate" in message for message in run.messages)
    rows = [row for row in run.folder.read_metrics() if "total" in row]
    assert [row["step"] for row in rows] == list(range(1, 11))  # none is left out in the end
    assert [row["learning_rate"] for row in rows[3:6]] == pytest.approx([1e-2, 5e-3, 5e-3])
    assert load_checkpoint(list_checkpoints(run.folder.checkpoints)[-1]).rollbacks == 1


def test_bad_weights_never_become_a_checkpoint(image_set: ImageSet, tmp_path: Path) -> None:
    class BadAtTheEnd(MeanFeature):
        steps = 0

        def after_step(self) -> None:
            self.steps += 1
            if self.steps == 4:
                with torch.no_grad():
                    next(p for p in self.segmenter.parameters() if p.requires_grad).fill_(NAN)

    run = SmallRun(image_set, tmp_path, {"steps": 4, "checkpoint_every": 2}, BadAtTheEnd)
    run.train()
    assert [row["event"] for row in run.events] == ["rollback"]
    assert all_finite(run.weights)


def test_after_so_many_returns_it_stops_and_the_checkpoint_stays(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BAD_STEPS", 2)
    monkeypatch.setattr(guard, "ROLLBACKS", 2)

    class BadFromFive(_BadEvery):
        steps = 0

        def after_step(self) -> None:
            self.steps += 1
            self.bad = self.steps >= 4

    settings = {"steps": 40, "checkpoint_every": 4}
    run = SmallRun(image_set, tmp_path, settings, BadFromFive)
    with pytest.raises(
        NonFiniteLossError, match=r"at step 6 on \d.png, .*after 2 returns.*step-0000004.*learning_rate"
    ):
        run.train()
    assert [row["event"] for row in run.events] == ["rollback", "rollback", "step left out", "step left out"]
    assert all_finite(load_checkpoint(list_checkpoints(run.folder.checkpoints)[-1]).adapter)
    assert not run.folder.adapter.exists()


def test_the_rate_halves_with_each_return() -> None:
    finite = FiniteGuard()
    assert (finite.rate, finite.must_stop, finite.must_go_back) == (1, False, False)
    finite.rollbacks, finite.streak = 3, 3
    assert (finite.rate, finite.must_stop, finite.must_go_back) == (0.125, True, True)
