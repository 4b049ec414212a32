"""What one cell of a table measured; all pages are rendered from these files and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.untrusted import read_json


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Score(_Record):
    """Masks of one adapter against the true ones, in [0, 1].

    Attributes:
        step: whose weights were scored; 0 is the source model.
        miou, dice, boundary_iou: means over images of the mean over each image's objects; None where not measured.
        images: the IoU of each image, in the order of the test images.
    """

    step: int
    miou: float
    dice: float
    boundary_iou: float | None
    images: list[float]


class Selected(Score):
    """The score of the step that a rule chose without masks."""

    rule: str


class Trained(_Record):
    """What the method changed: how many weights, and the names of their tensors."""

    count: int
    names: list[str]


class Result(_Record):
    """One cell: a method on a data set, with one kind of prompt and one seed.

    Attributes:
        method: as the tables call it.
        dataset, version: what it was adapted to, and of which images.
        model: the source model.
        prompt: of training and test.
        seed: of prompts, order and views.
        steps, learning_rate: of the run.
        settings: what the method's row changes of the defaults.
        train_images, test_images: how many there were.
        labels: how many labelled objects it learned from.
        last, selected: scores of the last step, and of the one that the rule chose.
        others: scores of the selected step with other prompts than the run's own, by prompt.
        curve: scores of the steps that were measured on the way, where the table asks for them.
        trained: what was changed; nothing for Direct.
        minutes: of adaptation, without scoring.
        peak_mb: most memory that the process held meanwhile, on an accelerator that of the device.
        commit: of the code.
        of: hash of all that decides the numbers above.
    """

    method: str
    dataset: str
    version: str
    model: str
    prompt: str
    seed: int
    steps: int
    learning_rate: float
    settings: dict[str, Any]
    train_images: int
    test_images: int
    labels: int
    last: Score
    selected: Selected
    others: dict[str, Score]
    curve: list[Score]
    trained: Trained
    minutes: float
    peak_mb: float
    commit: str
    of: str

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        with replaced_file(path) as partial:
            partial.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_result(path: Path) -> Result:
    """One cell's file.

    Raises:
        WesamError: if it is none.
    """
    try:
        return Result.model_validate(read_json(path, "a cell's result"))
    except ValidationError as error:
        raise WesamError(f"{path}: expected a cell's result, got: {error}") from error


def read_results(folder: Path) -> list[Result]:
    """All cells below a folder, in the order of their paths."""
    return [read_result(path) for path in sorted(folder.rglob("*.json"))]


def of_rows(results: Iterable[Result], dataset: str, prompt: str, method: str) -> list[Result]:
    """The cells of one row and column, a seed each."""
    found = [r for r in results if (r.dataset, r.prompt, r.method) == (dataset, prompt, method)]
    return sorted(found, key=lambda result: result.seed)
