import torch

from tests.methods.scenes import adapted_segmenter
from wesam.methods.ema import EmaAdapter
from wesam.updates.update import update_of


def test_starts_at_the_weights_and_follows_them_by_the_decay() -> None:
    segmenter = adapted_segmenter()
    start = update_of(segmenter).state()
    ema = EmaAdapter(segmenter, decay=0.75)
    assert all(torch.equal(ema.weights()[name], weight) for name, weight in start.items())
    with torch.no_grad():
        for parameter in update_of(segmenter).parameters():
            parameter.add_(1)
    ema.update(segmenter)
    ema.update(segmenter)
    for name, average in ema.weights().items():
        torch.testing.assert_close(average, start[name] + 1 - 0.75**2)


def test_teaches_with_the_average_and_leaves_the_weights() -> None:
    segmenter = adapted_segmenter()
    start = update_of(segmenter).state()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = segmenter.encode(pixels).pooled
    ema = EmaAdapter(segmenter, decay=0.9)
    with torch.no_grad():
        for parameter in update_of(segmenter).parameters():
            parameter.zero_()
    with ema.teaching(segmenter):
        taught = segmenter.encode(pixels).pooled
    assert torch.equal(taught, before)
    assert not taught.requires_grad
    assert all(weight.abs().sum() == 0 for weight in update_of(segmenter).state().values())
    assert all(torch.equal(ema.weights()[name], weight) for name, weight in start.items())


def test_moves_with_its_owner_and_is_part_of_its_state() -> None:
    ema = EmaAdapter(adapted_segmenter(), decay=0.9)
    assert len(ema.state_dict()) == len(ema.weights())
    assert all(weight.dtype == torch.float64 for weight in ema.double().weights().values())
