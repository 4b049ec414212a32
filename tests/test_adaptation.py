"""What a run prompts with, told by what its training is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ImageSet
from wesam.adaptation import adapt
from wesam.labels.check import load_samples
from wesam.types import Instance, Sample


class _ReachedTrainingError(Exception):
    """Carries the samples, and the masks to learn from."""


def given_to_training(
    image_set: ImageSet, model: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[Sequence[Sample], Sequence[Sample] | None]:
    def stop(config: object, accelerator: object, objective: object, *given: Any) -> None:
        samples, _, masks, *_ = given
        raise _ReachedTrainingError(samples, masks)

    monkeypatch.setattr("wesam.adaptation.train", stop)
    with pytest.raises(_ReachedTrainingError) as reached:
        adapt(model, image_set.images, image_set.masks, out, device="cpu", trackers=(), **settings)
    samples, masks = reached.value.args
    return samples, masks


def carried(instance: Instance) -> list[str]:
    return [part for part in ("box", "points", "rle") if getattr(instance, part)]


@pytest.mark.parametrize(
    ("prompt", "parts"), [("auto", ["box"]), ("box", ["box"]), ("point", ["points"]), ("mask", ["rle"])]
)
@pytest.mark.parametrize("objective", ["wesam", "supervised"])
def test_a_run_prompts_with_the_kind_asked_for(
    image_set: ImageSet,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    objective: str,
    prompt: str,
    parts: list[str],
) -> None:
    settings = {"objective": {"name": objective}, "prompt": prompt}
    weak, masks = given_to_training(image_set, model_folder, tmp_path / "run", monkeypatch, **settings)
    labelled, _ = load_samples(image_set.images, image_set.masks)
    assert [carried(instance) for sample in weak for instance in sample.instances] == [parts] * 15
    assert masks == (labelled if objective == "supervised" else None)


def test_outlines_are_given_as_they_are_but_never_the_mask_that_is_learned(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's masks are labels to one objective and ground truth to the other."""
    labelled, _ = load_samples(image_set.images, image_set.masks)
    for objective in ("wesam", "supervised"):
        settings = {"objective": {"name": objective}, "prompt": "mask"}
        weak, _ = given_to_training(image_set, model_folder, tmp_path / objective, monkeypatch, **settings)
        same = [
            prompted.rle == given.rle
            for asked, sample in zip(weak, labelled, strict=True)
            for prompted, given in zip(asked.instances, sample.instances, strict=True)
        ]
        assert all(same) if objective == "wesam" else not any(same)
