"""Loss curves and scores of tiny seeded runs. A change of structure that moves them is not one of structure alone.

python -m tests.golden --write    records them anew, with a change that is meant to change what is learned
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.image_set import ImageSet, make_image_set
from tests.tiny import tiny_sam
from wesam.adaptation import adapt

RECORD = Path(__file__).with_name("golden.json")
STEPS = 4

#: Name of a case: (prompts, method, preset). Labels are the masks where the prompt is drawn from them.
CASES = {
    **{
        f"{preset}-{prompt}": (prompt, "wesam", preset)
        for preset in ("default", "paper")
        for prompt in ("box", "point", "mask", "automatic")
    },
    "supervised-box": ("box", "supervised", "default"),
    "supervised-point": ("point", "supervised", "default"),
}


def run(case: str, model: Path, image_set: ImageSet, out: Path) -> dict[str, Any]:
    """Losses by name over the steps, and the mIoU of source and adapted model."""
    prompt, method, preset = CASES[case]
    settings = PINNED["supervised" if method == "supervised" else preset]
    # Masks that are learned from, or images without labels, are none to score on.
    apart = method == "supervised" or prompt == "automatic"
    labels = {"box": image_set.boxes, "automatic": None}.get(prompt, image_set.masks)
    if method == "supervised":
        labels = _subset(image_set, out / "learned.json", slice(0, 4))
    result = adapt(
        model,
        image_set.images,
        labels,
        out / "run",
        preset=preset,
        steps=STEPS,
        warmup_steps=1,
        learning_rate=1e-3,
        log_every=1,
        device="cpu",
        previews=0,
        trackers=[],
        prompt="auto" if prompt == "automatic" else prompt,
        val_labels=_subset(image_set, out / "scored.json", slice(4, 6)) if apart else image_set.masks,
        automatic=AUTOMATIC if prompt == "automatic" else {},
        **settings,
    )
    rows = [json.loads(line) for line in (out / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [row for row in rows if "total" in row]
    names = sorted(set(losses[0]) - {"step", "images_per_second", "learning_rate", "memory_mb"}) if losses else []
    return {
        "losses": {name: [row[name] for row in losses] for name in names},
        "miou": result.summary["evaluation"]["box" if prompt == "automatic" else prompt],
    }


#: Runs are compared with those of before there were student prompts, and when another rule chose.
PINNED: dict[str, dict[str, Any]] = {
    "default": {"method": {"student_prompt_weight": 0.0}, "selection": {"least_anchor_agreement": 0.95}},
    "paper": {},
    "supervised": {"method": {"name": "supervised"}, "selection": {"rule": "last"}},
}

#: A random network's masks are all around the image; here they are prompts.
AUTOMATIC = {"max_around": 1.0, "max_area": 1.0, "min_cells": 1, "grid": {"points_per_side": 4}}


def _subset(image_set: ImageSet, file: Path, which: slice) -> Path:
    document = json.loads(image_set.masks.read_text())
    document["images"] = document["images"][which]
    kept = {image["id"] for image in document["images"]}
    document["annotations"] = [one for one in document["annotations"] if one["image_id"] in kept]
    file.write_text(json.dumps(document))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True)
    parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        tiny_sam().save_pretrained(root / "model")
        image_set = make_image_set(root)
        record = {}
        for case in CASES:
            (root / case).mkdir()
            record[case] = run(case, root / "model", image_set, root / case)
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
