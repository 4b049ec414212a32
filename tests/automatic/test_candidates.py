from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.automatic.conftest import PatchSegmenter, picture
from tests.input_formats import padded
from tests.tiny import tiny_segmenter
from wesam.automatic import candidates as module
from wesam.automatic.candidates import Candidates, find_candidates, point_grid
from wesam.automatic.settings import GridSettings
from wesam.evaluation.metrics import mask_overlap
from wesam.frames.geometry import Geometry
from wesam.models.inference import encode_view, full_size_masks
from wesam.models.stability import stability_score
from wesam.types import MultimaskPrediction, Prompts

GRID = GridSettings(points_per_side=8)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 90), st.integers(1, 90), st.integers(1, 9))
def test_the_grid_is_even_and_inside(x0: int, y0: int, width: int, height: int, count: int) -> None:
    points = point_grid((x0, y0, x0 + width, y0 + height), count)
    assert points.shape == (count * count, 2)
    centres = points + 0.5  # of the pixel: as far from the first edge as from the last
    low, high = torch.tensor([x0, y0]), torch.tensor([x0 + width, y0 + height])
    torch.testing.assert_close(centres[0] - low, high - centres[-1], rtol=1e-4, atol=1e-3)
    assert (centres > low).all()
    assert (centres < high).all()


def test_every_answer_of_the_network_that_has_a_mask_is_kept_as_it_was() -> None:
    """Masks at full size and scores are those of one uncut call, whatever chunks they came in."""
    segmenter = tiny_segmenter()
    image = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    geometry = Geometry((0, 0, 80, 48), padded(64))
    points = point_grid(geometry.crop, 8)
    with torch.no_grad():
        features = encode_view(segmenter, image, geometry)
        asked = Prompts(points=geometry.points(points)[:, None], point_labels=torch.ones(64, 1, dtype=torch.long))
        answer = segmenter.decode_multimask(features, asked, torch.zeros(64, dtype=torch.long))
    logits, valid = answer.logits.flatten(0, 1), geometry.valid(16)
    present = ((logits > 0) & (valid > 0)).any((1, 2))
    for limit in (module._VALUES_AT_ONCE, 3 * 16 * 16 * 5):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_VALUES_AT_ONCE", limit)
            found = find_candidates(segmenter, image, GRID)
        assert len(found) == int(present.sum()) > 50
        np.testing.assert_allclose(found.iou, answer.iou.flatten()[present].numpy(), rtol=1e-4)
        expected = stability_score(logits[present], valid)
        np.testing.assert_allclose(found.stability, expected.numpy(), atol=0.02)
        np.testing.assert_array_equal(found.points, points.repeat_interleave(3, 0)[present].numpy())
        kept = found.mask_logits(np.arange(len(found)), 16)
        whole = torch.where(valid > 0, logits[present], kept)  # beside the image nothing need be kept
        assert torch.equal((kept > 0) & (valid > 0), (whole > 0) & (valid > 0))
        assert torch.where((kept > -15) & (valid > 0), (kept - whole).abs(), 0).max() <= 1 / 8
        assert found.cells.tolist() == ((kept > 0) & (valid > 0)).sum((1, 2)).tolist()


@settings(max_examples=20)
@given(st.integers(0, 100))
def test_rounded_logits_give_the_same_masks_at_full_size(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.nn.functional.interpolate(torch.randn(1, 3, 5, 5, generator=generator) * 8, 64, mode="bicubic")
    geometry = Geometry((0, 0, 130, 90), padded(64))
    found = module._kept(MultimaskPrediction(smooth, torch.ones(1, 3)), torch.zeros(1, 2), geometry, 0, (130, 90), GRID)
    kept = found.mask_logits(np.arange(len(found)), 64)
    height = int(geometry.valid(64)[:, 0].sum())
    truths = [mask[None] for mask in smooth[0] if (mask[:height] > 0).any()]
    for truth, mine in zip(truths, kept, strict=True):
        (expected,), (got,) = (list(full_size_masks(m, geometry, (90, 130))) for m in (truth, mine[None]))
        assert mask_overlap(got, expected).iou > 0.97


def test_boxes_lie_around_the_objects(patches: PatchSegmenter) -> None:
    found = find_candidates(patches, picture(64, 128, (20, 10, 50, 30)), GRID)
    sure = found.iou > 0.8
    assert sure.any()
    np.testing.assert_allclose(found.boxes[sure], np.tile([20, 10, 50, 30], (sure.sum(), 1)), atol=2)
    np.testing.assert_allclose(found.share[sure], 30 * 20 / (64 * 128), rtol=0.15)
    inside = (found.points[:, 0] > 18) & (found.points[:, 0] < 52)
    assert inside.all()


def test_an_image_without_anything_gives_nothing(patches: PatchSegmenter) -> None:
    found = find_candidates(patches, picture(32, 32), GRID)
    assert len(found) == 0
    assert found.mask_logits(np.zeros(0, np.int64), 64).shape == (0, 64, 64)


def test_tiles_find_small_objects_and_leave_out_what_their_sides_cut(patches: PatchSegmenter) -> None:
    """4 pixels of 256 are one cell of the whole image, but four on a tile of 64."""
    image = picture(256, 256, (40, 40, 44, 44), (60, 100, 70, 110))  # the second lies across x = 64
    found = find_candidates(patches, image, GridSettings(points_per_side=32), tile=64, overlap=0)
    assert len(found.crops) == 1 + 16
    sure = found.iou > 0.8
    on_tiles = found.view[sure] > 0
    small = np.abs(found.boxes[sure] - [40, 40, 44, 44]).max(1) < 1
    assert (small & on_tiles).any()
    wide = found.boxes[sure][found.boxes[sure][:, 1] > 90]
    assert (np.abs(wide - [60, 100, 70, 110]).max(1) < 5).all()  # never a half of it
    assert len(wide)


def test_parts_join_in_order(patches: PatchSegmenter) -> None:
    image = picture(64, 64, (10, 10, 20, 20))
    found = find_candidates(patches, image, GRID)
    twice = Candidates.join([(0, 0, 64, 64)], [found, found])
    last = np.array([len(twice) - 1])
    assert torch.equal(twice.mask_logits(last, 64), found.mask_logits(last - len(found), 64))
