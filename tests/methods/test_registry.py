import pytest
from pydantic import TypeAdapter, ValidationError

from tests.methods.scenes import adapted_segmenter
from wesam.methods.base import Objective
from wesam.methods.direct import DirectObjective
from wesam.methods.registry import ObjectiveSettings, build_objective
from wesam.methods.supervised import SupervisedObjective
from wesam.methods.wesam import WesamObjective

SETTINGS: TypeAdapter[ObjectiveSettings] = TypeAdapter(ObjectiveSettings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("wesam", WesamObjective), ("supervised", SupervisedObjective), ("direct", DirectObjective)],
)
def test_the_name_decides(name: str, expected: type[Objective]) -> None:
    settings = SETTINGS.validate_python({"name": name})
    assert type(build_objective(settings, adapted_segmenter())) is expected
    assert SETTINGS.validate_json(SETTINGS.dump_json(settings)) == settings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "wesom"}, "wesam"),
        ({"name": "wesam", "teachr": "ema"}, "teachr"),
        ({"name": "wesam", "temperature": 0}, "temperature"),
        ({"name": "wesam", "ema_decay": 1}, "ema_decay"),
        ({"name": "supervised", "anchor_weight": 1}, "anchor_weight"),
        ({"name": "direct", "focal_weight": 1}, "focal_weight"),
    ],
)
def test_what_is_not_a_setting_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SETTINGS.validate_python(wrong)


def test_settings_are_frozen() -> None:
    settings = SETTINGS.validate_python({"name": "wesam"})
    with pytest.raises(ValidationError, match="frozen"):
        settings.name = "wesam"
