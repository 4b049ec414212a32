from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.batches.batch import Batch
from wesam.methods.branches import Branches
from wesam.methods.regions import tight_boxes
from wesam.methods.resam import Resam, ResamSettings, dice, focal, refined, soft_alignment
from wesam.types import Prompts


def clicks(counts: tuple[int, ...] = (3, 1)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    number = sum(counts)
    points = 8 + 32 * torch.rand(number, 1, 2, generator=generator)
    prompts = Prompts(points=points, point_labels=torch.ones(number, 1, dtype=torch.long))
    return replace(make_batch(counts), prompts=prompts)


def test_sure_cells_of_one_object_alone_by_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, index = 3 * torch.randn(3, 4, 4, generator=generator), torch.tensor([0, 0, 1])
    found = refined(logits, index, 2, 0.3)

    def sure(n: int, y: int, x: int) -> bool:
        p = 1 / (1 + math.exp(-logits[n, y, x].item()))
        entropy = (-p * math.log(p) - (1 - p) * math.log(1 - p)) / math.log(2)
        return p * (1 - entropy) > 0.3

    for n, rivals in enumerate(([1], [0], [])):
        for y in range(4):
            for x in range(4):
                assert found[n, y, x] == (sure(n, y, x) and not any(sure(other, y, x) for other in rivals))
    assert 0 < found.sum() < found.numel()


def test_near_entries_of_the_queue_weigh_more_by_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    features, queue = (F.normalize(torch.randn(n, 4, generator=generator), dim=1) for n in (2, 5))
    found = soft_alignment(features, queue)
    for n in range(2):
        near = [max(0.0, F.cosine_similarity(features[n], entry, dim=0).item()) for entry in queue]
        powers = [math.exp(value / 0.07) for value in near]
        expected = sum(p * (1 - c) for p, c in zip(powers, near, strict=True)) / sum(powers)
        assert found[n].item() == pytest.approx(expected, rel=1e-4)
    assert soft_alignment(features, queue[:0]).tolist() == [0, 0]


def test_the_box_of_what_is_left_asks_again() -> None:
    method, batch = Resam(adapted_segmenter(drift=0.3), ResamSettings(confident=0.0)), clicks()
    taught = method.teach(batch)
    segmenter, index = method.segmenter, batch.image_index
    features = segmenter.encode(batch.weak)
    left = refined(segmenter.decode(features, batch.prompts, index).logits, index, 2, 0.0)
    left &= batch.valid[index] > 0
    boxes = tight_boxes(left) * (segmenter.input_size / segmenter.mask_grid)
    expected = segmenter.decode(features, Prompts(boxes=boxes), index).logits > 0
    assert torch.equal(taught.masks, expected)
    assert taught.found.tolist() == left.flatten(1).any(1).tolist()


def test_a_label_with_a_box_keeps_it() -> None:
    method, batch = Resam(adapted_segmenter(), ResamSettings(confident=0.99)), make_batch()
    taught = method.teach(batch)
    assert taught.found.all()
    logits = method.segmenter.decode(method.segmenter.encode(batch.weak), batch.prompts, batch.image_index).logits
    assert torch.equal(taught.masks, logits > 0)


def test_an_object_without_a_sure_cell_teaches_nothing() -> None:
    method, batch = Resam(adapted_segmenter(), ResamSettings(confident=0.999)), clicks()
    taught = method.teach(batch)
    assert not taught.found.any()
    branches = Branches(method.segmenter, batch)
    assert focal(branches, batch, taught).abs().max() == dice(branches, batch, taught).abs().max() == 0
    assert method.queue.isnan().all()
    method(batch)["total"].backward()


def test_it_learns_from_clicks() -> None:
    method = Resam(adapted_segmenter(drift=0.3), ResamSettings(confident=0.0))
    totals = learn(method, clicks())
    assert totals[-1] < totals[0]
    assert not method.queue[0].isnan().any()
