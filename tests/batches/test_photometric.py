from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from wesam.batches.photometric import PhotometricSettings, strong_view

OFF = {
    f"{name}_probability": 0.0
    for name in ("posterize", "equalize", "sharpness", "solarize", "brightness_contrast", "shadow")
}
ALWAYS = PhotometricSettings(**dict.fromkeys(OFF, 1.0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def image(height: int = 24, width: int = 32, seed: int = 0) -> Tensor:
    return (torch.rand(3, height, width, generator=generator(seed)) * 255).byte().float() / 255


def only(change: str, **strengths: Any) -> PhotometricSettings:
    return PhotometricSettings(**{**OFF, f"{change}_probability": 1.0, **strengths})


@given(
    st.integers(0, 2**32),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["noise", "black", "white", "flat"]),
)
def test_stays_an_image_of_the_same_size(seed: int, height: int, width: int, kind: str) -> None:
    flat = {"black": 0.0, "white": 1.0, "flat": 0.3}
    original = image(height, width) if kind == "noise" else torch.full((3, height, width), flat[kind])
    strong = strong_view(original, ALWAYS, generator(seed))
    assert strong.shape == original.shape
    assert strong.dtype == original.dtype
    assert torch.isfinite(strong).all()
    assert 0 <= float(strong.min()) <= float(strong.max()) <= 1


def test_the_seed_decides() -> None:
    settings = PhotometricSettings()
    views = [strong_view(image(), settings, generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_leaves_its_input_alone_and_does_nothing_when_switched_off() -> None:
    original = image()
    kept = original.clone()
    assert torch.equal(strong_view(original, PhotometricSettings(**OFF), generator()), kept)
    strong_view(original, ALWAYS, generator())
    assert torch.equal(original, kept)


@pytest.mark.parametrize("change", [name.removesuffix("_probability") for name in OFF])
def test_each_change_changes_something(change: str) -> None:
    dim = image() * 0.5 + 0.25  # solarize sees values on both sides of its threshold, equalize an uneven histogram
    strong = strong_view(
        dim, only(change, solarize_threshold=(0.5, 0.5)) if change == "solarize" else only(change), generator()
    )
    assert not torch.allclose(strong, dim, atol=1e-3)


def test_a_change_that_is_switched_off_leaves_the_draws_of_the_others_as_they_are() -> None:
    original = image()
    shadow = strong_view(original, only("shadow"), generator())
    unseen = only("shadow", posterize_probability=1.0, posterize_bits=(8, 8))
    assert torch.equal(strong_view(original, unseen, generator()), shadow)


def test_draws_always_come_in_the_same_number() -> None:
    first, second = generator(), generator()
    strong_view(image(), ALWAYS, first)
    strong_view(image(), PhotometricSettings(**OFF), second)
    assert torch.equal(first.get_state(), second.get_state())


def test_posterize_keeps_bits_within_its_range() -> None:
    counts = set()
    for seed in range(30):
        strong = strong_view(image(), only("posterize", posterize_bits=(1, 2)), generator(seed))
        counts.add(len(strong.unique()))
    assert counts == {2, 4}


def test_solarize_inverts_what_is_bright() -> None:
    original = image()
    strong = strong_view(original, only("solarize", solarize_threshold=(0.7, 0.7)), generator())
    torch.testing.assert_close(strong, torch.where(original >= 0.7, 1 - original, original))


def test_a_shadow_is_soft_and_only_darkens() -> None:
    white = torch.ones(3, 40, 40)
    for seed in range(20):
        light = strong_view(white, only("shadow", shadow_depth=(0.5, 0.5)), generator(seed))
        assert 0.5 <= float(light.min()) < float(light.max()) <= 1
        assert torch.equal(light[0], light[1])
        step = max(float(light.diff(dim=1).abs().max()), float(light.diff(dim=2).abs().max()))
        assert step < 0.2


def test_probabilities_are_kept() -> None:
    settings = only("solarize", solarize_probability=0.3, solarize_threshold=(0.0, 0.0))
    changed = sum(not torch.equal(strong_view(image(3, 3), settings, generator(s)), image(3, 3)) for s in range(400))
    assert 80 < changed < 160


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("blur", 1),
        ("equalize_probability", 1.5),
        ("posterize_bits", (5, 4)),
        ("posterize_bits", (0, 4)),
        ("shadow_depth", (0.2, 1.2)),
    ],
)
def test_refuses_settings_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        PhotometricSettings.model_validate({field: value})


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3, h, w\)"):
        strong_view(torch.zeros(1, 3, 4, 4), ALWAYS, generator())
