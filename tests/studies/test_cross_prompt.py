from __future__ import annotations

import json
from dataclasses import replace

from studies.arms import Bench
from studies.cross_prompt import cross_prompt, table

# A random model calls its masks unstable and draws them everywhere.
LENIENT = (
    "automatic.grid.points_per_side=4",
    "automatic.max_area=1",
    "automatic.max_around=1",
    "automatic.min_cells=1",
)


def test_every_training_prompt_meets_every_test_prompt(bench: Bench) -> None:
    bench = replace(bench, settings=(*bench.settings, *LENIENT))
    rows = cross_prompt(bench, ["box", "point", "mask", "none"], [0])
    assert [(row["arm"], row["prompt"]) for row in rows] == [
        (arm, prompt) for arm in ("source", "box", "point", "mask", "none") for prompt in ("box", "point", "mask")
    ]
    held = {
        kind: next((bench.out / "labels").glob(f"kind={kind},*.json")).read_text() for kind in ("box", "point", "mask")
    }
    assert ["bbox" in text for text in held.values()] == [True, False, False]
    assert ["keypoints" in text for text in held.values()] == [False, True, False]
    assert ["segmentation" in text for text in held.values()] == [False, False, True]
    (prompts,) = (bench.out / "automatic").glob("prompts-*.json")
    assert json.loads(prompts.read_text())["annotations"]
    assert table(rows).count("\n") == 6


def test_table_gives_mean_and_spread_over_seeds() -> None:
    rows = [
        {"arm": "source", "prompt": "box", "miou": 50.0},
        {"arm": "point", "prompt": "mask", "miou": 60.0, "seed": 0},
        {"arm": "point", "prompt": "mask", "miou": 62.0, "seed": 1},
    ]
    assert table(rows).splitlines() == [
        "| adapted from | box | point | mask |",
        "| --- | ---: | ---: | ---: |",
        "| (source model) | 50.0 |  |  |",
        "| point |  |  | 61.0 ± 1.4 |",
    ]
