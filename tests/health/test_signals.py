"""Each signal against cases whose value is known by thought."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode

from wesam.health.signals import (
    SIGNAL_NAMES,
    SIGNALS,
    anchor_agreement,
    area_drift,
    degenerate,
    effective_rank,
    gain,
    label_agreement,
    mirrored_back,
    prompts_from_answers,
)
from wesam.types import NOT_A_POINT, Prompts


def rectangle(x0: int, y0: int, x1: int, y1: int, side: int = 8) -> torch.Tensor:
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, y0:y1, x0:x1] = True
    return mask


EVERYWHERE = torch.ones(1, 8, 8)


def test_every_signal_is_described() -> None:
    assert set(SIGNALS) == set(SIGNAL_NAMES)


@pytest.mark.parametrize(
    ("name", "value", "source", "expected"),
    [
        ("flip_agreement", 0.9, 0.8, 0.1),
        ("degenerate_masks", 0.3, 0.1, -0.2),
        ("area_drift", -0.3, 0.0, -0.3),
        ("area_drift", 0.3, 0.0, -0.3),
        ("feature_rank", 6.0, 8.0, -0.25),
        ("feature_rank", 6.0, 0.0, 0.0),
    ],
)
def test_gain_is_positive_where_a_signal_is_better(name, value, source, expected) -> None:
    assert gain(name, value, source) == pytest.approx(expected)


@given(width=st.integers(1, 12))
def test_a_whole_number_of_cells_is_mirrored_exactly(width: int) -> None:
    logits = torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(width))
    back = mirrored_back(logits, float(width))
    assert torch.equal(back[:, :, :width], logits[:, :, :width].flip(2))


def test_half_a_cell_is_interpolated() -> None:
    ramp = torch.arange(8.0).expand(1, 8, 8)
    # A ramp's mirror image in an image of 6.5 cells: value at cell j is 5.5 - j.
    assert mirrored_back(ramp, 6.5)[0, 0, :5].tolist() == [5.5, 4.5, 3.5, 2.5, 1.5]


def test_a_box_asks_for_all_four_sides() -> None:
    box = Prompts(boxes=torch.tensor([[4.0, 8.0, 16.0, 24.0]]))  # cells 1..4 and 2..6 of 4 pixels
    assert label_agreement(rectangle(1, 2, 4, 6), box, 4.0).item() == pytest.approx(1)
    short, outside = rectangle(1, 2, 3, 6), rectangle(1, 2, 8, 6)
    assert 0.5 < label_agreement(short, box, 4.0).item() < 1
    assert label_agreement(outside, box, 4.0).item() < label_agreement(short, box, 4.0).item()
    assert label_agreement(torch.zeros(1, 8, 8, dtype=torch.bool), box, 4.0).item() == pytest.approx(0, abs=1e-5)


def test_points_count_by_their_side_and_padding_not_at_all() -> None:
    points = torch.tensor([[[9.0, 9.0], [30.0, 30.0], [10.0, 10.0], [0.0, 0.0]]])
    labels = torch.tensor([[1, 0, 0, NOT_A_POINT]])
    prompts = Prompts(points=points, point_labels=labels)
    assert label_agreement(rectangle(2, 2, 4, 4), prompts, 4.0).item() == pytest.approx(2 / 3)


def test_kinds_of_label_are_averaged_where_they_are_there() -> None:
    masks = torch.cat([rectangle(0, 0, 8, 4), rectangle(0, 0, 8, 4)])
    prompts = Prompts(
        boxes=torch.tensor([[0.0, 0.0, 32.0, 16.0], [torch.nan] * 4]),
        masks=torch.where(torch.cat([rectangle(0, 0, 8, 8), rectangle(0, 0, 8, 8)]), 5.0, -5.0),
    )
    assert label_agreement(masks, prompts, 4.0).tolist() == pytest.approx([0.75, 0.5])


def test_area_drift_is_the_log_of_the_ratio_on_the_image() -> None:
    valid = EVERYWHERE.clone()
    valid[:, 4:] = 0
    drift = area_drift(rectangle(0, 0, 8, 8), rectangle(0, 0, 4, 4), valid)
    assert drift.item() == pytest.approx(math.log(33 / 17))
    assert area_drift(~rectangle(0, 0, 8, 8), ~rectangle(0, 0, 8, 8), valid).item() == 0


def test_empty_and_full_masks_are_degenerate() -> None:
    masks = torch.cat([rectangle(0, 0, 0, 0), rectangle(0, 0, 8, 8), rectangle(0, 0, 4, 4)])
    assert degenerate(masks, EVERYWHERE.expand(3, -1, -1)).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("vectors", "rank"),
    [
        (torch.eye(2).repeat(4, 1), 1),  # a line between two points
        (torch.cat([torch.eye(5), -torch.eye(5)]), 5),
        (torch.ones(6, 3), 1),
        (torch.ones(1, 3), 1),
    ],
)
def test_effective_rank_counts_directions(vectors: torch.Tensor, rank: float) -> None:
    assert effective_rank(vectors) == pytest.approx(rank)


def test_other_prompts_come_from_the_answer() -> None:
    logits = torch.where(torch.cat([rectangle(1, 2, 6, 5), rectangle(0, 0, 0, 0)]), 3.0, -3.0)
    box, point, mask = prompts_from_answers(logits, 4.0)
    assert box.boxes is not None
    assert box.boxes.tolist() == [[4, 8, 24, 20], [0, 0, 32, 32]]
    assert point.points is not None
    x, y = point.points[0, 0].tolist()
    assert (x + 0.5) / 4 in (2.5, 3.5, 4.5)  # on the middle line, away from the ends
    assert (y + 0.5) / 4 == 3.5
    assert mask.masks is logits


class _AppleGpu(TorchFunctionMode):
    """Refuses float64 until a tensor has come to the CPU, as MPS does."""

    came_to_cpu = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self.came_to_cpu |= func is torch.Tensor.cpu
        if not self.came_to_cpu and (func is torch.Tensor.double or torch.float64 in (*args, *kwargs.values())):
            raise TypeError("Cannot convert a MPS Tensor to float64")
        return func(*args, **kwargs)


def test_signals_need_no_float64_of_a_gpu() -> None:
    with _AppleGpu():
        mirrored_back(torch.zeros(1, 8, 8), 6.5)
        effective_rank(torch.randn(4, 3))


def test_where_the_source_model_is_silent_there_is_nothing_to_agree_with() -> None:
    silent = torch.zeros(1, 8, 8, dtype=torch.bool)
    beside = EVERYWHERE.clone()
    beside[:, :, 4:] = 0
    assert anchor_agreement(rectangle(0, 0, 4, 4), rectangle(0, 0, 4, 2), EVERYWHERE).item() == 0.5
    assert anchor_agreement(silent, rectangle(0, 0, 4, 2), EVERYWHERE).item() == 0
    assert anchor_agreement(rectangle(0, 0, 4, 4), silent, EVERYWHERE).isnan().item()
    assert anchor_agreement(rectangle(0, 0, 4, 4), rectangle(4, 0, 8, 8), beside).isnan().item()
