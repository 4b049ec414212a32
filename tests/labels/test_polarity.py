from __future__ import annotations

import pytest

from wesam.labels.polarity import read_polarity


@pytest.mark.parametrize("name", ["-", "−", "neg", "Negative", "negative 2", "-3", " bg ", "BACKGROUND"])
def test_names_of_points_off_an_object(name: str) -> None:
    assert read_polarity(name) == ("", 0)


@pytest.mark.parametrize("name", ["+", "pos", "Positive", "positive 12", "+1", "fg", "foreground"])
def test_names_of_points_on_an_object(name: str) -> None:
    assert read_polarity(name) == ("", 1)


@pytest.mark.parametrize(("name", "expected"), [("cell -", ("cell", 0)), ("dead cell +", ("dead cell", 1))])
def test_a_sign_after_a_class(name: str, expected: tuple[str, int]) -> None:
    assert read_polarity(name) == expected


@pytest.mark.parametrize(
    "name", ["", "cell", "HER2-", "HER2+", "Ki67 negative", "negative nucleus", "post", "bgr", "5"]
)
def test_names_of_classes(name: str) -> None:
    assert read_polarity(name) == (name, 1)
