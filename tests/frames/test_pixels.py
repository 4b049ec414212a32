import pytest
import torch

from wesam.frames.input_format import InputFormat
from wesam.frames.pixels import to_input

FORMAT = InputFormat(size=8, grid=2, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.5))


def test_normalises_then_pads_with_zeros_at_the_bottom_right() -> None:
    image = torch.rand(3, 5, 8)
    pixels = to_input(image, FORMAT)
    assert pixels.shape == (3, 8, 8)
    for channel, (mean, std) in enumerate(zip(FORMAT.mean, FORMAT.std, strict=True)):
        torch.testing.assert_close(pixels[channel, :5], (image[channel] - mean) / std)
    assert not pixels[:, 5:].any()


@pytest.mark.parametrize("shape", [(3, 9, 4), (1, 4, 4), (1, 3, 4, 4)])
def test_refuses_an_image_that_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sides up to 8"):
        to_input(torch.zeros(shape), FORMAT)
