import json
import os
from pathlib import Path

import pytest

from wesam.strict_json import dumps


def test_what_is_no_number_is_null_however_deep():
    value = {"a": [1.5, float("nan"), {"b": (float("inf"), 2)}], "c": Path("x/y"), "d": None, "e": True}
    found = json.loads(dumps(value), parse_constant=lambda name: pytest.fail(name))
    assert found == {"a": [1.5, None, {"b": [None, 2]}], "c": str(Path("x/y")), "d": None, "e": True}


def test_names_that_are_no_text_are_escapes():
    assert json.loads(dumps({"name": os.fsdecode(b"\xe9.png")})) == {"name": "\\udce9.png"}


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError):
        dumps({"a": object()})
