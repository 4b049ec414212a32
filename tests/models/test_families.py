"""Each family answers as transformers' own model of it does, whatever the prompt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.tiny import FAMILIES, tiny_config, tiny_model, tiny_segmenter
from wesam.models import families
from wesam.models.families.sam import Sam
from wesam.models.features import Features
from wesam.models.inference import inference
from wesam.models.load import load_source
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts

BOXES = torch.tensor([[4.0, 5, 30, 40], [20, 10, 50, 44], [1, 2, 12, 9]])
POINTS = torch.tensor([[[10.0, 12], [40, 30]], [[33, 8], [5, 50]], [[20, 21], [22, 40]]])
LABELS = torch.tensor([[1, 0], [1, 1], [1, 0]])
MASKS = 4 * torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(5))
INDEX = torch.tensor([0, 1, 0])
KINDS = {
    "box": Prompts(boxes=BOXES),
    "clicks": Prompts(points=POINTS, point_labels=LABELS),
    "box and clicks": Prompts(boxes=BOXES, points=POINTS, point_labels=LABELS),
    "mask": Prompts(masks=MASKS),
    "box and mask": Prompts(boxes=BOXES, masks=MASKS),
}


@pytest.fixture(scope="module", params=FAMILIES)
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return tiny_segmenter(family=request.param)


def pixels(segmenter: Segmenter) -> Tensor:
    side = segmenter.input_size
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def published(network: Any, image: Tensor, prompts: Prompts, several: bool) -> tuple[Tensor, Tensor]:
    """(K, m, m) logits and (K,) IoU of one prompt by transformers' own `forward`."""
    given = {
        "input_points": None if prompts.points is None else prompts.points[:, None],
        "input_labels": None if prompts.point_labels is None else prompts.point_labels[:, None],
        "input_boxes": None if prompts.boxes is None else prompts.boxes[:, None],
        "input_masks": None if prompts.masks is None else prompts.masks[:, None],
    }
    answer = network(pixel_values=image[None], multimask_output=several, **given)
    return answer.pred_masks[0, 0], answer.iou_scores[0, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("several", [False, True])
def test_masks_are_those_of_transformers(segmenter: Segmenter, kind: str, several: bool) -> None:
    prompts, images = KINDS[kind], pixels(segmenter)
    with inference(segmenter):
        features = Features.cat([segmenter.encode(image[None]) for image in images])
        answer = (segmenter.decode_multimask if several else segmenter.decode)(features, prompts, INDEX)
        for row, image in enumerate(INDEX.tolist()):
            logits, iou = published(segmenter.network, images[image], prompts[row : row + 1], several)
            got = answer.logits[row].view_as(logits), answer.iou[row].view_as(iou)
            torch.testing.assert_close(got[0], logits, rtol=1e-4, atol=1e-4 * max(1, float(logits.abs().max())))
            torch.testing.assert_close(got[1], iou, rtol=1e-4, atol=1e-4)


def test_masks_depend_on_image_and_prompt(segmenter: Segmenter) -> None:
    with inference(segmenter):
        features = segmenter.encode(pixels(segmenter))
        masks = segmenter.decode(features, Prompts(boxes=BOXES[[0, 0, 1]]), torch.tensor([0, 1, 0])).logits
    assert masks.std() > 0.1
    assert (masks[0] - masks[1]).abs().max() > 0.01 * masks.std()
    assert (masks[0] - masks[2]).abs().max() > 0.01 * masks.std()


def test_a_single_mask_is_of_the_same_token_in_training_and_evaluation(segmenter: Segmenter) -> None:
    """Teacher, anchor and student; only for prediction SAM 2 may answer with the best of several."""
    assert not segmenter.as_published
    prompts, answers = KINDS["box"], []
    with torch.no_grad():
        features = segmenter.encode(pixels(segmenter))
        for training in (True, False):
            segmenter.train(training)
            answers.append(segmenter.decode(features, prompts, INDEX).logits)
    assert torch.equal(*answers)


@pytest.mark.parametrize("family", ["sam2", "edgetam", "sam3_tracker"])
def test_prediction_gives_the_best_of_several_where_the_single_mask_is_not_stable(family: str) -> None:
    segmenter = tiny_segmenter(family=family)
    decoder = segmenter.network.mask_decoder
    decoder.dynamic_multimask_stability_thresh = 1.1  # nothing is stable
    with torch.no_grad():
        features = segmenter.encode(pixels(segmenter))
        single = segmenter.decode(features, KINDS["box"], INDEX).logits
    with inference(segmenter):
        several = segmenter.decode_multimask(features, KINDS["box"], INDEX)
        predicted = segmenter.decode(features, KINDS["box"], INDEX)
        decoder.dynamic_multimask_via_stability = False
        assert torch.equal(segmenter.decode(features, KINDS["box"], INDEX).logits, single)
    best = several.iou.argmax(1)
    assert torch.equal(predicted.logits, several.logits[torch.arange(3), best])
    assert not torch.equal(predicted.logits, single)
    assert not segmenter.as_published


def test_gradients_reach_the_encoder_and_match_with_chunks(segmenter: Segmenter) -> None:
    weight = next(
        parameter for name, parameter in segmenter.network.named_parameters() if "patch" in name or "stem" in name
    )
    gradients, whole = [], segmenter.decode_chunk
    weight.requires_grad_(True)
    for chunk in (whole, 2):
        segmenter.decode_chunk = chunk
        answer = segmenter.decode(segmenter.encode(pixels(segmenter)), KINDS["box"], INDEX)
        gradients += torch.autograd.grad(answer.logits.square().mean() + answer.iou.sum(), weight)
    weight.requires_grad_(False)
    segmenter.decode_chunk = whole
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3 * float(gradients[0].abs().max()))


def test_a_step_in_training_mode_changes_no_statistics(segmenter: Segmenter) -> None:
    before = {name: buffer.clone() for name, buffer in segmenter.named_buffers()}
    with torch.no_grad():
        expected = segmenter.encode(pixels(segmenter)).pooled
        segmenter.train()
        got = segmenter.encode(pixels(segmenter)).pooled
    segmenter.eval()
    assert torch.equal(got, expected)
    assert all(torch.equal(buffer, before[name]) for name, buffer in segmenter.named_buffers())


def test_targets_name_layers_of_their_kind(segmenter: Segmenter) -> None:
    """And the layers of attention and linear lie in blocks."""
    layers = {name: layer for name, layer in segmenter.network.named_modules() if not list(layer.children())}
    for target, pattern in segmenter.family.targets.items():
        found = {name: layer for name, layer in layers.items() if re.fullmatch(pattern, name)}
        assert found, target
        if target in ("attention", "linear"):
            assert all(isinstance(layer, nn.Linear | nn.Conv2d) for layer in found.values())
            assert all(layer.kernel_size == (1, 1) for layer in found.values() if isinstance(layer, nn.Conv2d))
            assert all(re.match(segmenter.family.block, name) for name in found)
        if target == "norms":
            assert all("Norm" in type(layer).__name__ for layer in found.values())


def test_features_are_indexed_joined_and_changed_together(segmenter: Segmenter) -> None:
    with torch.no_grad():
        features = segmenter.encode(pixels(segmenter))
    again = Features.cat([features[1:], features[torch.tensor([0])]])
    assert len(again) == 2
    for part, whole in zip((again.pooled, *again.extra), (features.pooled, *features.extra), strict=True):
        assert torch.equal(part, whole.flip(0))
    assert not any(part.any() for part in (features.zeros_like().pooled, *features.zeros_like().extra))
    assert features.half().float().pooled.dtype == torch.float32


def test_a_family_is_added_from_outside_in_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "_FAMILIES", dict(families._FAMILIES))

    class Toy(Sam):
        model_type = "toy"

        def encode(self, network: Any, pixels: Tensor) -> Features:
            return Features(network.scale * pixels[:, :1, ::16, ::16])

    network = nn.Module()
    network.scale = nn.Parameter(torch.ones(1))
    network.config = tiny_config()
    network.config.model_type = "toy"
    families.register(Toy())
    segmenter = Segmenter(network, name="toy")
    assert segmenter.encode(torch.ones(1, 3, 64, 64)).pooled.shape == (1, 1, 4, 4)
    assert "toy" in families.family_names()


def test_a_sam2_encoder_that_pools_without_growing_wider_loads_and_runs(tmp_path: Path) -> None:
    """transformers' own forward pass fails on it."""
    network = tiny_model("sam2", blocks=[1, 1, 1, 1], widths=[8, 16, 32, 32], everywhere=[2])
    network.save_pretrained(tmp_path / "model")
    segmenter = load_source(tmp_path / "model", device="cpu")
    with torch.no_grad():
        assert segmenter.encode(pixels(segmenter)).pooled.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_all_masks_in_one_pass_are_the_single_and_the_several(segmenter: Segmenter, kind: str) -> None:
    with torch.no_grad():
        features = segmenter.encode(pixels(segmenter))
        every = segmenter.decode_every(features, KINDS[kind], INDEX)
        single = segmenter.decode(features, KINDS[kind], INDEX)
        several = segmenter.decode_multimask(features, KINDS[kind], INDEX)
    torch.testing.assert_close(every.logits[:, 0], single.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(every.logits[:, 1:], several.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(every.iou, torch.cat([single.iou[:, None], several.iou], 1), rtol=1e-4, atol=1e-4)
