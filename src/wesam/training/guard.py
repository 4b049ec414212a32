"""What a run does about losses and gradients that are not finite: leave the step out, go back, stop."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.methods.base import Method

# Steps in a row that are left out before the run goes back to its last checkpoint, at half the learning rate; and how
# often it goes back before it stops (docs/design-decisions.md).
BAD_STEPS = 3
ROLLBACKS = 3


class FiniteGuard:
    """Counts steps that were left out, and returns to the last checkpoint.

    Attributes:
        streak: steps left out in a row until now.
        rollbacks: returns until now.
        suspects: the images of the steps of the streak.
    """

    def __init__(self) -> None:
        self.streak = 0
        self.rollbacks = 0
        self.suspects: list[str] = []

    @property
    def rate(self) -> float:
        """Factor on the learning rate: what diverged once would diverge again on the same path."""
        return 0.5**self.rollbacks

    @property
    def must_go_back(self) -> bool:
        return self.streak >= BAD_STEPS

    @property
    def must_stop(self) -> bool:
        return self.rollbacks >= ROLLBACKS

    def judge(self, accelerator: Accelerator, losses: Sequence[dict[str, Tensor]], norm: Tensor) -> bool:
        """Whether a step may be taken: losses and gradient are finite, in all processes.

        It waits for the device, which is the price of never letting a bad gradient into the weights. With fp16's scaler
        an infinite gradient is how it finds its scale, and it leaves such steps out itself; only where the scale cannot
        be the reason any more are they counted here.

        Args:
            losses: of the step's batches.
            norm: () the gradient's norm over all batches and processes.
        """
        values = [loss["total"].detach().float() for loss in losses]
        if accelerator.scaler is None or accelerator.scaler.get_scale() <= 1:
            values.append(norm.to(values[0]))
        bad = (~torch.isfinite(torch.stack(values))).any().float()
        if accelerator.num_processes > 1:
            bad = accelerator.reduce(bad, reduction="sum")
        good = not bool(bad)
        if good:
            self.reset()
        else:
            self.streak += 1
        return good

    def reset(self) -> None:
        """Ends the streak."""
        self.streak, self.suspects = 0, []


def all_finite(tensors: dict[str, Tensor]) -> bool:
    """Whether no value is NaN or infinite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values())


@torch.no_grad()
def culprits(method: Method, batches: Sequence[Batch]) -> list[str]:
    """Ids of the images whose own loss is not finite; [] where each alone is fine."""
    pieces = [piece for batch in batches for piece in batch.split(len(batch))]
    return [piece.sample_ids[0] for piece in pieces if not bool(torch.isfinite(method(piece)["total"]))]
