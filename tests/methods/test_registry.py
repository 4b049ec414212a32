from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError

from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.batches.batch import Batch
from wesam.methods import registry
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.direct import Direct
from wesam.methods.registry import build_method, method_names, parse_settings, register
from wesam.methods.supervised import Supervised
from wesam.methods.wesam import Wesam
from wesam.training.config import make_config

BASE = {"model": "m", "images": "i", "labels": "l", "out": "o"}


@pytest.mark.parametrize(("name", "expected"), [("wesam", Wesam), ("supervised", Supervised), ("direct", Direct)])
def test_the_name_decides(name: str, expected: type[Method]) -> None:
    settings = parse_settings(name)
    assert type(build_method(settings, adapted_segmenter())) is expected
    assert parse_settings(settings.model_dump(mode="json")) == settings
    assert parse_settings(settings) is settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("wesom", "expected a method of dept, direct, resam, .*, wesam"),
        ({}, "expected the name of a method"),
        (3, "expected the name of a method"),
        ({"name": "wesam", "teachr": "ema"}, "teachr"),
        ({"name": "wesam", "anchor_weight": -1}, "anchor_weight"),
        ({"name": "supervised", "anchor_weight": 1}, "anchor_weight"),
        ({"name": "direct", "focal_alpha": 1}, "focal_alpha"),
    ],
)
def test_what_is_not_a_setting_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_settings(wrong)


def test_settings_are_frozen() -> None:
    settings = parse_settings("wesam")
    with pytest.raises(ValidationError, match="frozen"):
        settings.name = "wesam"


class ToySettings(MethodSettings):
    """A method from outside the package."""

    name: Literal["toy"] = "toy"
    scale: float = 2.0


class Toy(Method):
    """Lowers the features; chosen by its last step."""

    selection = "last"
    shown: ClassVar[tuple[str, ...]] = ("total", "toy")

    def losses(self, batch: Batch) -> Losses:
        assert isinstance(self.settings, ToySettings)
        loss = self.settings.scale * self.segmenter.encode(batch.weak).pooled.square().mean()
        return {"total": loss, "toy": loss.detach()}


def test_a_method_is_one_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))
    register(ToySettings, Toy)
    assert "toy" in method_names()
    config = make_config({**BASE, "method": "toy"}, overrides=["method.scale=3"])
    assert config.method == ToySettings(scale=3)
    assert config.effective_selection.rule == "last"
    assert config.model_dump(mode="json")["method"] == {"name": "toy", "scale": 3.0}
    build_method(config.method, adapted_segmenter())(make_batch())["total"].backward()
    with pytest.raises(ValueError, match="name that is free"):
        register(type("Other", (ToySettings,), {}), Toy)
