import pytest
import torch

from wesam.losses.reduce import image_mean


def test_is_the_mean_over_instances_then_over_images() -> None:
    values = torch.tensor([1.0, 3.0, 10.0])
    assert image_mean(values, torch.tensor([0, 0, 1]), 2).item() == (2 + 10) / 2


def test_duplicated_instances_change_nothing() -> None:
    values, index = torch.rand(5), torch.tensor([0, 0, 1, 2, 2])
    doubled = image_mean(values.repeat(2), index.repeat(2), 3)
    torch.testing.assert_close(doubled, image_mean(values, index, 3))


def test_a_batch_is_the_mean_of_its_images() -> None:
    first, second = torch.rand(4), torch.rand(1)
    alone = [image_mean(v, torch.zeros(len(v), dtype=torch.int64), 1) for v in (first, second)]
    together = image_mean(torch.cat([first, second]), torch.tensor([0, 0, 0, 0, 1]), 2)
    torch.testing.assert_close(together, (alone[0] + alone[1]) / 2)


def test_images_without_instances_are_left_out() -> None:
    assert image_mean(torch.tensor([4.0]), torch.tensor([1]), 3).item() == 4
    assert image_mean(torch.zeros(0), torch.zeros(0, dtype=torch.int64), 2).item() == 0


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="image_index"):
        image_mean(torch.zeros(2), torch.zeros(3, dtype=torch.int64), 1)
