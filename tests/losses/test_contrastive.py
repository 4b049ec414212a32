import itertools

import pytest
import torch
from torch import Tensor

from tests.losses import oracles
from wesam.losses.contrastive import ContrastiveForm, background_masks, contrastive_loss, pool_features

FORMS: tuple[ContrastiveForm, ...] = ("summed", "row-wise")


def random_scene(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features (2, 3, 2, 2), masks (5, 8, 8) of which the fourth is empty, image_index."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 3, 2, 2, generator=generator)
    masks = (torch.rand(5, 8, 8, generator=generator) > 0.7).float()
    masks[3] = 0
    return features, masks, torch.tensor([0, 0, 1, 1, 1])


def test_pooling_equals_the_oracle() -> None:
    features, masks, index = random_scene()
    z, present = pool_features(features, masks, index)
    expected = [oracles.pool(features[i], mask) for i, mask in zip(index, masks, strict=True)]
    assert present.tolist() == [vector is not None for vector in expected] == [True, True, True, False, True]
    torch.testing.assert_close(z, torch.tensor([vector or [0.0] * 3 for vector in expected]))


def test_a_mask_of_one_cell_does_not_vanish() -> None:
    """Nearest-neighbour resizing would lose it."""
    mask = torch.zeros(1, 8, 8)
    mask[0, 5, 6] = 1
    features = torch.randn(1, 3, 2, 2)
    z, present = pool_features(features, mask, torch.tensor([0]))
    assert present.item()
    torch.testing.assert_close(z[0], torch.nn.functional.normalize(features[0, :, 1, 1], dim=0))


def test_pooling_computes_in_float32_under_autocast() -> None:
    features, masks, index = random_scene()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, _ = pool_features(features, masks, index)
    torch.testing.assert_close(z, pool_features(features, masks, index)[0], rtol=0, atol=0)


def test_background_is_the_valid_area_that_no_instance_covers() -> None:
    masks = torch.tensor([[[1, 0, 0]], [[1, 1, 0]], [[0, 0, 0]]])
    valid = torch.tensor([[[1.0, 1.0, 1.0]], [[1.0, 1.0, 0.0]]])
    background = background_masks(masks, torch.tensor([0, 0, 1]), valid)
    assert background.tolist() == [[[False, False, True]], [[True, True, False]]]


@pytest.mark.parametrize(("form", "cross_image"), list(itertools.product(FORMS, (True, False))))
def test_equals_the_oracle(form: ContrastiveForm, cross_image: bool) -> None:
    features, masks, index = random_scene()
    others = (features + 0.5 * torch.randn_like(features), masks.roll(1, 1))
    queries, seen = pool_features(features, masks, index)
    keys, also = pool_features(*others, index)
    loss = contrastive_loss(queries, keys, seen & also, index, 2, form=form, cross_image_negatives=cross_image)
    expected = oracles.contrastive(
        [oracles.pool(features[i], mask) for i, mask in zip(index, masks, strict=True)],
        [oracles.pool(others[0][i], mask) for i, mask in zip(index, others[1], strict=True)],
        index.tolist(),
        2,
        form,
        cross_image,
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("present", [[False, False], [True, False]])
def test_is_exactly_0_with_a_graph_where_fewer_than_two_entries_are_left(
    form: ContrastiveForm, present: list[bool]
) -> None:
    z = torch.nn.functional.normalize(torch.randn(2, 4), dim=1)
    z = torch.where(torch.tensor(present)[:, None], z, 0).requires_grad_()
    loss = contrastive_loss(z, z.detach(), torch.tensor(present), torch.tensor([0, 0]), 1, form=form)
    loss.backward()
    assert loss.item() == 0
    assert z.grad is not None
    assert z.grad.abs().sum() == 0


@pytest.mark.parametrize("form", FORMS)
def test_entries_left_out_get_no_gradient_and_change_nothing(form: ContrastiveForm) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.nn.functional.normalize(torch.randn(4, 3, generator=generator)) for _ in range(2))
    queries.requires_grad_()
    present, index = torch.tensor([True, False, True, True]), torch.tensor([0, 1, 0, 2])
    loss = contrastive_loss(queries, keys, present, index, 3, form=form)
    loss.backward()
    assert queries.grad is not None
    assert queries.grad.isfinite().all()
    assert queries.grad[1].abs().sum() == 0
    kept = [0, 2, 3]
    fewer = contrastive_loss(queries[kept], keys[kept], present[kept], torch.tensor([0, 0, 2]), 3, form=form)
    torch.testing.assert_close(loss, fewer)


@pytest.mark.parametrize("form", FORMS)
def test_without_cross_image_negatives_a_batch_is_the_mean_of_its_images(form: ContrastiveForm) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.nn.functional.normalize(torch.randn(5, 3, generator=generator)) for _ in range(2))
    index, present = torch.tensor([0, 0, 0, 1, 1]), torch.ones(5, dtype=torch.bool)

    def loss(rows: slice, images: int) -> Tensor:
        return contrastive_loss(
            queries[rows],
            keys[rows],
            present[rows],
            index[rows] - index[rows][0],
            images,
            form=form,
            cross_image_negatives=False,
        )

    torch.testing.assert_close(loss(slice(None), 2), (loss(slice(3), 1) + loss(slice(3, 5), 1)) / 2)


def test_instances_of_other_images_are_negatives() -> None:
    queries = torch.eye(2, requires_grad=True)
    entries = (queries, torch.eye(2), torch.ones(2, dtype=torch.bool), torch.tensor([0, 1]), 2)
    assert contrastive_loss(*entries, cross_image_negatives=False).item() == 0
    assert contrastive_loss(*entries).item() > 0


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="queries"):
        contrastive_loss(torch.zeros(2, 3), torch.zeros(3, 3), torch.ones(2), torch.zeros(2), 1)
    with pytest.raises(ValueError, match="features"):
        pool_features(torch.zeros(1, 3, 2), torch.zeros(1, 4, 4), torch.zeros(1, dtype=torch.int64))
