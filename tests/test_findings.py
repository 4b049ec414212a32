"""What a user reads who gives a wrong setting: one line with the setting, what is allowed and what came."""

from __future__ import annotations

import pytest

from wesam.errors import WesamError
from wesam.training.config import make_config

BASE = {"model": "m", "images": "i", "labels": "l", "out": "o"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("steps=many", "steps: expected a whole number, got 'many'"),
        ("steps=1.5", "steps: expected a whole number, got 1.5"),
        ("steps=0", "steps: expected at least 1, got 0"),
        ("learning_rate=0", "learning_rate: expected more than 0, got 0"),
        ("learning_rate=fast", "learning_rate: expected a number, got 'fast'"),
        ("precision=fp64", "precision: expected 'fp32', 'bf16' or 'fp16', got 'fp64'"),
        ("method.as_published=maybe", "method.as_published: expected true or false, got 'maybe'"),
        ("update.last=2", "update.last: expected at most 1, got 2"),
        ("views=3", "views: expected a block of settings, got 3"),
        ("views.tile=10", "views: expected overlap below tile, got overlap=64 and tile=10"),
        ("trackers=nosuch", "trackers: expected a list, got 'nosuch'"),
        ("labels_format=1", "labels_format: expected text, got 1"),
        ("images=1", "images: expected a path, got 1"),
        ("learning_rat=1", "learning_rat: unknown setting (got 1)"),
        ("views.tle=3", "views.tle: unknown setting (got 3)"),
        ("update=[lora]", "update.of: expected at least 2 of them, got ['lora']"),
        (
            "update.kind=x",
            "update: expected a kind of update among decoder, encoder, lora, mix, norms, prompt-tokens, got 'x'",
        ),
        ("steps=[1", "--set steps: expected a YAML value, got '[1'"),
        ("steps", "--set: expected key=value, got 'steps'"),
    ],
)
def test_a_wrong_setting_is_one_line(given: str, message: str) -> None:
    with pytest.raises(WesamError) as refused:
        make_config(dict(BASE), overrides=[given])
    assert str(refused.value) == message


def test_several_are_told_at_once() -> None:
    with pytest.raises(WesamError, match="^steps: expected at least 1, got 0; seed: expected at least 0, got -1$"):
        make_config(dict(BASE), overrides=["steps=0", "seed=-1"])


def test_a_method_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(WesamError, match=r"^method: expected a method of .*, wesam.*, got 'wesom'$"):
        make_config(dict(BASE), overrides=["method=wesom"])
