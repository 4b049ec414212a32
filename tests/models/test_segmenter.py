from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.models.official import sam_oracle as oracle
from tests.tiny import tiny_segmenter
from wesam.errors import WesamError
from wesam.models.features import Features
from wesam.models.official.sam import to_official
from wesam.models.prompt_groups import group_by_kind
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, Prompts

NAN = float("nan")


@pytest.fixture
def segmenter() -> Segmenter:
    return tiny_segmenter()


@pytest.fixture
def features(segmenter: Segmenter) -> Features:
    with torch.no_grad():
        return segmenter.encode(pixels(2))


def pixels(count: int, size: int = 64) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(7))


def boxes(count: int) -> Tensor:
    corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(3)) * 30
    return torch.cat([corner, corner + 25], 1)


def mask_prompts(count: int) -> Tensor:
    return torch.randn(count, 16, 16, generator=torch.Generator().manual_seed(5)) * 4


def assert_same(got: MaskPrediction, expected: MaskPrediction) -> None:
    torch.testing.assert_close(got.logits, expected.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got.iou, expected.iou, rtol=1e-4, atol=1e-5)


def test_grids_follow_the_input_size() -> None:
    small, large = tiny_segmenter(), tiny_segmenter(input_size=128)
    assert (small.input_size, small.mask_grid) == (64, 16)
    assert (large.input_size, large.mask_grid) == (128, 32)
    features = large.encode(pixels(1, 128))
    assert features.pooled.shape == (1, 16, 8, 8)
    answer = large.decode(features, Prompts(boxes=boxes(1)), torch.zeros(1, dtype=torch.long))
    assert answer.logits.shape == (1, 32, 32)


def test_encoder_computes_what_the_original_does(segmenter: Segmenter) -> None:
    state = to_official(segmenter.network)
    for image, features in zip(pixels(2), segmenter.encode(pixels(2)).pooled, strict=True):
        torch.testing.assert_close(features, oracle.encode(state, image), rtol=1e-4, atol=1e-4)


def test_every_kind_of_prompt_is_asked_as_the_original_asks(segmenter: Segmenter, features: Features) -> None:
    """Mixed in one call, padding anywhere: each answer is that of the original to that prompt alone."""
    box, mask = boxes(11), mask_prompts(11)
    clicks = [(10.0, 12.0, 1), (40.0, 50.0, 0), (33.0, 8.0, 1)]
    nothing = (0.0, 0.0, -1)
    asked: list[tuple[bool, list[tuple[float, float, int]], bool]] = [
        (True, [], False),
        (False, clicks, False),
        (False, [clicks[0]], False),
        (True, clicks[:2], False),
        (False, [], True),
        (True, [], True),
        (False, [clicks[1]], True),
        (True, [clicks[2]], True),
        (False, clicks[::-1], False),  # kinds met before: answers must find their way back in order
        (True, [], False),
        (False, [clicks[2]], False),
    ]
    padded = [given + [nothing] * (3 - len(given)) for _, given, _ in asked]
    padded[2] = [nothing, clicks[0], nothing]  # padding need not come last
    points = torch.tensor(padded)
    prompts = Prompts(
        boxes=torch.where(torch.tensor([[has] for has, _, _ in asked]), box, NAN),
        points=points[..., :2],
        point_labels=points[..., 2].long(),
        masks=torch.where(torch.tensor([[[has]] for _, _, has in asked]), mask, NAN),
    )
    index = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0])
    with torch.no_grad():
        answer = segmenter.decode(features, prompts, index)
    state = to_official(segmenter.network)
    for row, (has_box, given, has_mask) in enumerate(asked):
        logits, iou = oracle.decode(
            state,
            features.pooled[index[row]],
            box[row] if has_box else None,
            given or None,
            mask[row] if has_mask else None,
        )
        torch.testing.assert_close(answer.logits[row], logits, rtol=1e-3, atol=1e-4, msg=f"row {row}")
        torch.testing.assert_close(answer.iou[row], iou, rtol=1e-3, atol=1e-4, msg=f"row {row}")


def test_the_answers_to_a_click_of_several_meanings_are_those_of_the_original(
    segmenter: Segmenter, features: Features
) -> None:
    clicks = [[(10.0, 12.0, 1)], [(33.0, 8.0, 1), (50.0, 40.0, 0)], [(20.0, 41.0, 1)]]  # of two kinds, in turn
    points = torch.tensor([given + [(0.0, 0.0, -1)] * (2 - len(given)) for given in clicks])
    prompts = Prompts(points=points[..., :2], point_labels=points[..., 2].long())
    index = torch.tensor([0, 1, 1])
    segmenter.decode_chunk = 1
    with torch.no_grad():
        answer = segmenter.decode_multimask(features, prompts, index)
    assert answer.logits.shape == (3, 3, 16, 16)
    state = to_official(segmenter.network)
    for row, given in enumerate(clicks):
        for output in range(3):
            logits, iou = oracle.decode(state, features.pooled[index[row]], points=given, output=1 + output)
            torch.testing.assert_close(answer.logits[row, output], logits, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(answer.iou[row, output], iou, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("prompts", "groups"),
    [
        (Prompts(boxes=boxes(5)), 1),
        (Prompts(masks=mask_prompts(5)), 1),
        (Prompts(boxes=boxes(3), masks=mask_prompts(3)), 1),
        (Prompts(points=torch.ones(3, 2, 2), point_labels=torch.ones(3, 2, dtype=torch.long)), 1),
        (Prompts(points=torch.ones(2, 2, 2), point_labels=torch.tensor([[1, 0], [1, -1]])), 2),
        (Prompts.cat([Prompts(boxes=boxes(2)), Prompts(masks=mask_prompts(2)), Prompts(boxes=boxes(1))]), 2),
    ],
)
def test_prompts_are_split_only_where_kinds_differ(prompts: Prompts, groups: int) -> None:
    split = group_by_kind(prompts)
    assert len(split) == groups
    assert sorted(torch.cat([group.rows for group in split]).tolist()) == list(range(len(prompts)))


def test_chunks_and_batches_change_nothing(segmenter: Segmenter, features: Features) -> None:
    prompts = Prompts.cat([Prompts(boxes=boxes(7)), Prompts(masks=mask_prompts(4))])
    index = torch.arange(11) % 2
    with torch.no_grad():
        whole = segmenter.decode(features, prompts, index)
        segmenter.decode_chunk = 2
        assert_same(segmenter.decode(features, prompts, index), whole)
        for row in (0, 6, 10):
            alone = segmenter.decode(
                features[index[row : row + 1]], prompts[row : row + 1], torch.zeros(1, dtype=torch.long)
            )
            assert_same(alone, whole[row : row + 1])


def test_gradients_are_the_same_with_and_without_recomputation(segmenter: Segmenter, features: Features) -> None:
    prompts = Prompts.cat([Prompts(boxes=boxes(5)), Prompts(masks=mask_prompts(4))])
    gradients = []
    for chunk in (100, 2):
        segmenter.decode_chunk = chunk
        leaf = features.pooled.clone().requires_grad_()
        answer = segmenter.decode(Features(leaf), prompts, torch.arange(9) % 2)
        (answer.logits.square().mean() + answer.iou.sum()).backward()
        gradients.append(leaf.grad)
    assert gradients[0] is not None
    assert gradients[0].abs().max() > 1e-4
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_recomputation_keeps_less_for_the_backward_pass(segmenter: Segmenter, features: Features) -> None:
    def kept(count: int) -> int:
        sizes: list[int] = []

        def note(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            segmenter.decode(
                Features(features.pooled.clone().requires_grad_()),
                Prompts(boxes=boxes(count)),
                torch.zeros(count, dtype=torch.long),
            )
        return sum(sizes)

    segmenter.decode_chunk = 4
    assert kept(40) < kept(4)


def test_a_thousand_prompts(segmenter: Segmenter, features: Features) -> None:
    leaf = features.pooled.clone().requires_grad_()
    answer = segmenter.decode(Features(leaf), Prompts(boxes=boxes(1000)), torch.zeros(1000, dtype=torch.long))
    answer.logits.mean().backward()
    assert answer.logits.shape == (1000, 16, 16)
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


def test_default_chunk_shrinks_with_the_feature_grid() -> None:
    assert tiny_segmenter(input_size=128).decode_chunk == tiny_segmenter().decode_chunk // 4


def test_no_prompt_gives_no_mask(segmenter: Segmenter, features: Features) -> None:
    nothing = Prompts(boxes=torch.zeros(0, 4)), torch.zeros(0, dtype=torch.long)
    assert segmenter.decode(features, *nothing).logits.shape == (0, 16, 16)
    assert segmenter.decode_multimask(features, *nothing).logits.shape == (0, 3, 16, 16)


def test_frozen_until_an_adapter_comes(segmenter: Segmenter) -> None:
    assert not any(parameter.requires_grad for parameter in segmenter.parameters())


def test_anchor_without_an_adapter_is_the_same_network(segmenter: Segmenter) -> None:
    with torch.no_grad(), segmenter.anchor():
        inside = segmenter.encode(pixels(1)).pooled
    assert torch.equal(inside, segmenter.encode(pixels(1)).pooled)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_is_near_and_comes_back_as_float32(precision: str) -> None:
    exact, low = tiny_segmenter(), tiny_segmenter()
    low.precision = precision  # type: ignore[assignment]
    prompts, index = Prompts(boxes=boxes(6)), torch.arange(6) % 2
    with torch.no_grad():
        features = low.encode(pixels(2))
        answer, expected = (s.decode(s.encode(pixels(2)), prompts, index) for s in (low, exact))
    assert features.pooled.dtype == answer.logits.dtype == answer.iou.dtype == torch.float32
    assert not torch.equal(answer.logits, expected.logits)
    torch.testing.assert_close(answer.logits, expected.logits, rtol=0.1, atol=0.05)


def test_prompt_coordinates_keep_their_precision_in_bf16(segmenter: Segmenter, features: Features) -> None:
    """A quarter of a pixel at 1000 is below the resolution of bf16, and must still be seen."""
    seen: list[Tensor] = []
    encoder = segmenter.network.prompt_encoder
    encoder.register_forward_hook(lambda module, args, output: seen.append(output[0]))
    segmenter.precision = "bf16"
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        segmenter.decode(features, Prompts(boxes=torch.tensor([[40.0, 41, 60, 61]])), torch.tensor([0]))
        segmenter.decode(features, Prompts(boxes=torch.tensor([[40.05, 41, 60, 61]])), torch.tensor([0]))
    assert seen[0].dtype == torch.float32
    assert not torch.equal(seen[0], seen[1])


def test_precision_does_not_depend_on_the_callers_autocast(segmenter: Segmenter) -> None:
    with torch.no_grad():
        expected = segmenter.encode(pixels(1)).pooled
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(segmenter.encode(pixels(1)).pooled, expected)


Call = Callable[[Segmenter, Features], object]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s, f: s.encode(pixels(1, 32)), ValueError, r"pixels \(B, 3, 64, 64\), got \(1, 3, 32, 32\)"),
        (
            lambda s, f: s.decode(f, Prompts(boxes=boxes(2)), torch.tensor([0])),
            ValueError,
            r"image_index \(2,\), got \(1,\)",
        ),
        (
            lambda s, f: s.decode(f, Prompts(masks=torch.zeros(1, 8, 8)), torch.tensor([0])),
            ValueError,
            r"mask prompts \(N, 16, 16\), got \(1, 8, 8\)",
        ),
        (
            lambda s, f: s.decode(
                f,
                Prompts(points=torch.zeros(2, 1, 2), point_labels=torch.tensor([[1], [-1]])),
                torch.tensor([0, 0]),
            ),
            WesamError,
            "got none at row 1",
        ),
    ],
)
def test_wrong_calls(
    segmenter: Segmenter, features: Features, call: Call, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call(segmenter, features)
