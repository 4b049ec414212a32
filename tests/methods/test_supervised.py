import pytest
import torch

from tests.losses import oracles
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.supervised import Supervised, SupervisedSettings
from wesam.updates.update import update_of


def test_equals_the_slow_formula_on_both_views() -> None:
    batch, segmenter = make_batch((2, 1), masked=True), adapted_segmenter()
    losses = Supervised(segmenter, SupervisedSettings())(batch)
    assert batch.masks is not None
    per_image: list[float] = []
    for pixels in (batch.weak, batch.strong):
        for image, rows in ((0, [0, 1]), (1, [2])):
            weight = batch.valid[image]
            values = []
            for row in rows:
                with torch.no_grad():
                    features = segmenter.encode(pixels[image : image + 1])
                    answer = segmenter.decode(features, batch.prompts[row : row + 1], torch.tensor([0]))
                logits, mask = answer.logits[0], batch.masks[row]
                error = answer.iou.item() - oracles.iou(logits > 0, mask, weight)
                focal = oracles.focal(logits, mask, weight, alpha=0.8)
                values.append(20 * focal + oracles.dice(logits, mask, weight) + error**2)
            per_image.append(sum(values) / len(values))
    assert losses["total"].item() == pytest.approx(sum(per_image) / 4, rel=1e-4)


def test_trains_the_adapter_alone() -> None:
    segmenter = adapted_segmenter()
    method = Supervised(segmenter, SupervisedSettings())
    assert method.needs == "masks"
    losses = method(make_batch(masked=True))
    losses["total"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in update_of(segmenter).parameters())
    assert sum(p.grad is not None for p in segmenter.parameters()) == len(update_of(segmenter).parameters())
    assert [name for name, loss in losses.items() if loss.requires_grad] == ["total"]


def test_refuses_a_batch_without_masks() -> None:
    method = Supervised(adapted_segmenter(), SupervisedSettings())
    with pytest.raises(ValueError, match="with masks"):
        method(make_batch())
