import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ImageSet
from wesam.errors import WesamError
from wesam.experiments.compare import Arm, Pack, compare, table


@pytest.fixture
def pack(image_set: ImageSet, tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    shutil.copytree(image_set.images, folder / "images")
    shutil.copy(image_set.boxes, folder / "weak_train.json")
    for name in ("instances_train.json", "instances_test.json"):
        shutil.copy(image_set.masks, folder / name)
    return folder


def test_arms_name_what_they_change() -> None:
    assert Arm.parse("no anchor: objective.anchor_weight=0 steps=3") == Arm(
        "no anchor", ("objective.anchor_weight=0", "steps=3")
    )
    assert Arm.parse("wesam") == Arm("wesam", ())
    assert Arm.parse("supervised").supervised


def test_an_incomplete_pack_is_named(pack: Path) -> None:
    (pack / "weak_train.json").unlink()
    with pytest.raises(WesamError, match=r"weak_train\.json: expected a part of the pack"):
        Pack.at(pack)


def test_every_arm_and_seed_is_scored_once(pack: Path, model_folder: Path, tmp_path: Path) -> None:
    arguments = (str(model_folder), Pack.at(pack), tmp_path / "out", [Arm("wesam", ()), Arm("supervised", ())])
    settings = ["steps=2", "warmup_steps=1", "device=cpu"]
    rows = compare(*arguments, seeds=[0, 1], settings=settings)
    assert {(row["arm"], row.get("seed"), row["prompt"]) for row in rows} == {
        *(("source", None, prompt) for prompt in ("box", "point")),
        *((trivial, None, "box") for trivial in ("box", "ellipse", "grabcut")),
        *((arm, seed, prompt) for arm in ("wesam", "supervised") for seed in (0, 1) for prompt in ("box", "point")),
    }
    # A second call takes every finished run from disk.
    scores = tmp_path / "out" / "wesam" / "seed-0" / "scores.json"
    changed = [{**row, "miou": 12.0} for row in json.loads(scores.read_text())]
    scores.write_text(json.dumps(changed))
    again = compare(*arguments, seeds=[0, 1], settings=settings)
    assert [row["miou"] for row in again if row["arm"] == "wesam" and row["seed"] == 0] == [12.0, 12.0]


def test_table_gives_mean_and_spread_over_seeds() -> None:
    rows = [
        {"arm": "source", "prompt": "box", "miou": 50.0},
        {"arm": "wesam", "prompt": "box", "miou": 60.0, "seed": 0},
        {"arm": "wesam", "prompt": "box", "miou": 62.0, "seed": 1},
    ]
    assert table(rows).splitlines()[2:] == ["| source | 50.0 |  |  |", "| wesam | 61.0 ± 1.4 |  | 2 |"]
