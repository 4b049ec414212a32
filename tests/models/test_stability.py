import pytest
import torch

from wesam.models.stability import stability_score


@pytest.mark.parametrize("offset", [0.5, 1.0, 2.0])
def test_is_the_iou_of_the_masks_cut_above_and_below(offset: float) -> None:
    logits = torch.randn(6, 9, 9, generator=torch.Generator().manual_seed(0)) * 2
    valid = torch.ones(9, 9)
    valid[:, 6:] = 0
    for row, got in zip(logits, stability_score(logits, valid, offset), strict=True):
        high = {(y, x) for y in range(9) for x in range(6) if row[y, x] > offset}
        low = {(y, x) for y in range(9) for x in range(6) if row[y, x] > -offset}
        assert got == pytest.approx(len(high & low) / len(high | low))


def test_sharp_masks_are_stable_and_vague_or_empty_ones_are_not() -> None:
    sharp = torch.full((4, 4), -9.0)
    sharp[1:3, 1:3] = 9.0
    logits = torch.stack([sharp, sharp * 0.1, torch.full((4, 4), -9.0)])
    assert stability_score(logits).tolist() == [1.0, 0.0, 0.0]
