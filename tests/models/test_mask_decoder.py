"""The decoder in another order of work: the masks and gradients of transformers' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.tiny import tiny_model
from wesam.models.few_tokens import attend, read_image, write_image
from wesam.models.rows import rows_of


class Attention(nn.Module):
    """As transformers names its parts."""

    def __init__(self, heads: int = 4, width: int = 16, inner: int = 8) -> None:
        super().__init__()
        self.num_attention_heads, self.scaling = heads, (inner // heads) ** -0.5
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, inner) for _ in range(3))
        self.out_proj = nn.Linear(inner, width)


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tokens", [3, 40])  # few, and too many for it to pay
@pytest.mark.parametrize("rows", [None, torch.tensor([1, 0, 1])])
@pytest.mark.parametrize("reads", [True, False])
def test_attention_with_few_tokens_is_attention(tokens: int, rows: Tensor | None, reads: bool) -> None:
    torch.manual_seed(0)
    layer: Any = Attention()
    images = 3 if rows is None else 2
    token, key = (drawn(3, tokens, 16, seed=seed).requires_grad_() for seed in (1, 2))
    placed, image = (drawn(images, 25, 16, seed=seed).requires_grad_() for seed in (3, 4))
    each = [part if rows is None else part[rows] for part in (placed, image)]
    if reads:
        got, expected = read_image(layer, token, placed, image, rows), attend(layer, token, *each)
    else:
        got, expected = write_image(layer, placed, key, token, rows), attend(layer, each[0], key, token)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    leaves = [*(part for part in (token, key, placed, image)), *layer.parameters()]
    gradients = [torch.autograd.grad(answer.square().sum(), leaves, allow_unused=True) for answer in (got, expected)]
    for one, other in zip(*gradients, strict=True):
        zeros = torch.zeros(()) if one is None and other is None else torch.zeros_like(other if one is None else one)
        torch.testing.assert_close(
            zeros if one is None else one, zeros if other is None else other, rtol=1e-4, atol=1e-4
        )


def test_rows_and_their_gradient_are_those_of_indexing() -> None:
    parts = drawn(3, 4, 5, seed=0).requires_grad_()
    rows = torch.tensor([2, 0, 2, 2])
    weight = drawn(4, 4, 5, seed=1)
    got, expected = ((taken * weight).sum() for taken in (rows_of(parts, rows), parts[rows]))
    assert torch.equal(rows_of(parts, rows), parts[rows])
    torch.testing.assert_close(torch.autograd.grad(got, parts), torch.autograd.grad(expected, parts))
    assert rows_of(parts, None) is parts


@pytest.mark.parametrize("family", ["sam", "sam2", "edgetam"])
def test_gradients_of_the_decoder_are_those_of_transformers(family: str) -> None:
    """What `update=decoder` learns by, and what reaches the encoder."""
    from tests.models.test_families import BOXES, INDEX
    from wesam.models.families.shared import embed_prompts
    from wesam.models.segmenter import Segmenter
    from wesam.types import Prompts

    network = tiny_model(family)
    segmenter = Segmenter(network, name=family)
    decoder = network.mask_decoder.requires_grad_(True)
    with torch.no_grad():
        features = segmenter.encode(drawn(2, 3, segmenter.input_size, segmenter.input_size, seed=7))
    features = features.map(lambda part: part.clone().requires_grad_())
    prompts = Prompts(boxes=BOXES)
    embedded, chosen = embed_prompts(network, prompts), features[INDEX]
    finer = {"high_resolution_features": list(chosen.extra)} if chosen.extra else {}
    expected = decoder(
        image_embeddings=chosen.pooled,
        image_positional_embeddings=embedded.position,
        sparse_prompt_embeddings=embedded.sparse,
        dense_prompt_embeddings=embedded.dense,
        multimask_output=True,
        **finer,
    )
    got = segmenter.decode_multimask(features, prompts, INDEX)
    leaves = [features.pooled, *features.extra, *decoder.parameters()]
    weight = drawn(*got.logits.shape, seed=8)
    gradients = [
        torch.autograd.grad((logits * weight).sum() + iou.sum(), leaves, allow_unused=True)
        for logits, iou in ((expected[0][:, 0], expected[1][:, 0]), (got.logits, got.iou))
    ]
    compared = 0
    for one, other in zip(*gradients, strict=True):
        if one is None or other is None:
            assert one is None or not one.any()  # a token that is not drawn
            continue
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
        compared += 1
    assert compared > 50
