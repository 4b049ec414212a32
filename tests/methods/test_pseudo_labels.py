import torch

from wesam.methods.pseudo_labels import certainty, soft_labels


def test_what_the_label_corrected_is_certain() -> None:
    logits = torch.tensor([[[2.0, -2.0, 2.0, -2.0]]])
    labels = torch.tensor([[[True, False, False, True]]])
    soft = soft_labels(logits, labels)
    torch.testing.assert_close(soft, torch.tensor([[[0.8808, 0.1192, 0.0, 1.0]]]), atol=1e-4, rtol=0)
    assert torch.equal(soft > 0.5, labels)


def test_certainty_vanishes_at_the_outline() -> None:
    torch.testing.assert_close(certainty(torch.tensor([[[0.0, 0.5, 0.75, 1.0]]])), torch.tensor([[[1.0, 0, 0.5, 1]]]))
