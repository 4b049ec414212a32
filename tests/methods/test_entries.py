import torch

from wesam.methods.entries import Entries
from wesam.models.features import Features


def test_instances_come_first_then_a_background_an_image() -> None:
    features = torch.randn(2, 3, 2, 2)
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[0, :4, :4] = True
    masks[1, :, 4:] = True
    masks[2] = True  # covers its image: no background is left
    index, valid = torch.tensor([0, 0, 1]), torch.ones(2, 8, 8)
    entries = Entries(background=True, ignore_padding=True)
    z, present = entries.pool(Features(features), masks, index, valid)
    assert entries.image_index(index, 2).tolist() == [0, 0, 1, 0, 1]
    assert present.tolist() == [True, True, True, True, False]
    torch.testing.assert_close(z[3], torch.nn.functional.normalize(features[0, :, 1, 0], dim=0))
    without = Entries(background=False, ignore_padding=True)
    assert torch.equal(without.pool(Features(features), masks, index, valid)[0], z[:3])
    assert torch.equal(without.image_index(index, 2), index)


def test_padding_is_pooled_only_where_it_counts() -> None:
    features = torch.randn(1, 3, 2, 2)
    masks, valid = torch.ones(1, 8, 8, dtype=torch.bool), torch.ones(1, 8, 8)
    valid[:, 4:] = 0
    index = torch.tensor([0])
    on_image, _ = Entries(background=False, ignore_padding=True).pool(Features(features), masks, index, valid)
    everywhere, _ = Entries(background=False, ignore_padding=False).pool(Features(features), masks, index, valid)
    torch.testing.assert_close(on_image[0], torch.nn.functional.normalize(features[0, :, 0].mean(1), dim=0))
    torch.testing.assert_close(everywhere[0], torch.nn.functional.normalize(features[0].mean((1, 2)), dim=0))
