from __future__ import annotations

import pytest
import torch

from recipes.edge.network import EdgeNet
from recipes.edge.optimisers import COOL_DOWN, WARM_UP, build_optimisers, factor, plateau_end, set_rates
from recipes.edge.step import DENSE, error_points, step_losses, total
from recipes.pretraining.batches import Batch


def _batch(images: int = 2, instances: int = 4, size: int = 64) -> Batch:
    """One square an image, asked for again and again."""
    grid = size // 4
    target = torch.zeros(images, instances, grid, grid)
    target[..., 4:10, 3:12] = 1
    generator = torch.Generator().manual_seed(0)
    return Batch(
        pixels=torch.randn(images, 3, size, size, generator=generator),
        labels=target[:, 0].long(),
        edges=torch.rand(images, 1, grid, grid, generator=generator).round(),
        targets=target,
        boxes=torch.tensor([12.0, 16, 48, 40]).expand(images, instances, 4).clone(),
        positives=torch.rand(images, instances, 6, 2, generator=generator) * 20 + 18,
        negatives=torch.rand(images, instances, 6, 2, generator=generator) * 10,
        coarse=target.clone(),
    )


@pytest.fixture(scope="module")
def net() -> EdgeNet:
    torch.manual_seed(0)
    return EdgeNet(64)


def test_each_step_asks_boxes_and_points_and_every_other_one_a_third_kind(net: EdgeNet) -> None:
    kinds = []
    for step in range(8):
        with torch.no_grad():
            losses = step_losses(net, _batch(), step)
        assert {"box", "points", "points/multi", *DENSE} <= losses.keys()
        assert ("box/multi" in losses) == (step % 4 == 1)
        kinds.append({name.split("/")[0] for name in losses if name[0] != "~"} - {"box", "points", *DENSE})
    assert kinds == [{"box+points"}, set(), {"refine box"}, set(), {"mask"}, set(), {"refine points"}, set()]


def test_a_step_is_decided_by_its_number(net: EdgeNet) -> None:
    with torch.no_grad():
        first, again = step_losses(net, _batch(), 2), step_losses(net, _batch(), 2)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_sum_counts_what_is_minimised() -> None:
    losses = {"box": torch.tensor(1.0), "edges": torch.tensor(3.0), "~box iou": torch.tensor(100.0)}
    assert total(losses) == 2.5


def test_a_few_steps_on_one_image_learn_it() -> None:
    torch.manual_seed(0)
    net, batch = EdgeNet(64), _batch(1)
    optimisers, costs = build_optimisers(net), []
    for _ in range(6):
        set_rates(optimisers, WARM_UP, 1000)
        loss = total(step_losses(net, batch, 3))
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        costs.append(loss.item())
    assert costs[-1] < 0.9 * costs[0]


def test_frozen_weights_are_in_no_optimiser(net: EdgeNet) -> None:
    learns = {id(p) for o in build_optimisers(net) for group in o.param_groups for p in group["params"]}
    assert learns == {id(p) for p in net.parameters() if p.requires_grad}
    assert id(net.backbone.conv_stem.weight) not in learns


def test_the_rate_warms_up_stays_and_falls() -> None:
    steps = 1000
    rates = [factor(step, steps) for step in range(steps)]
    assert rates[0] == 1 / WARM_UP
    assert set(rates[WARM_UP : plateau_end(steps)]) == {1.0}
    assert plateau_end(steps) == round(steps * (1 - COOL_DOWN))
    falling = rates[plateau_end(steps) :]
    assert falling == sorted(falling, reverse=True)
    assert rates[-1] == 0.02
    # up to the end of its plateau, a run is the beginning of a longer one
    assert rates[: plateau_end(steps) + 1] == [factor(step, 2 * steps) for step in range(plateau_end(steps) + 1)]


def test_a_correcting_click_lies_where_the_mask_is_wrong() -> None:
    target, logits = torch.zeros(1, 2, 16, 16), torch.full((1, 2, 16, 16), -5.0)
    target[:, 0, 3, 5] = 1  # missed
    logits[:, 1, 7, 2] = 5  # too much
    points, labels = error_points(logits, target, torch.Generator().manual_seed(0), 4)
    assert points[0, :, 0].tolist() == [[5 * 4 + 1.5, 3 * 4 + 1.5], [2 * 4 + 1.5, 7 * 4 + 1.5]]
    assert labels[0, :, 0].tolist() == [1, 0]
