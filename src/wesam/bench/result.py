"""What one cell of a table measured; all pages are rendered from these files and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.findings import describe
from wesam.untrusted import read_json


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Found(_Record):
    """What a model finds without any prompt (`evaluation.average_precision`), in [0, 1].

    Attributes:
        ap, ap50: average precision over IoUs of 0.5 to 0.95, and at 0.5.
        recall: mean over the same IoUs of the fraction of objects that are found.
        masks: how many there were.
    """

    ap: float
    ap50: float
    recall: float
    masks: int


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


class Last(Score):
    """The score of the last step.

    Attributes:
        curve: scores of the steps that were measured on the way, where the table asks for them.
    """

    curve: list[Score] = []


class Selected(Score):
    """The score of the step that a rule chose without masks.

    Attributes:
        rule: its name; "none" for Direct.
        others: scores with other prompts than the run's own, by prompt, where the table asks for them.
        automatic: what is found without any prompt, where the table asks for it.
    """

    rule: str
    others: dict[str, Score] = {}
    automatic: Found | None = None


class Trained(_Record):
    """What the method changed, from what, and how. Count 0, and nothing else, for Direct.

    Attributes:
        count, names: how many weights, and the names of their tensors.
        steps, learning_rate: of the run.
        images, labels: how many images there were, with how many labelled objects.
        settings: what the method's row changes of the defaults.
        identity: hash of all that decides the numbers of the cell.
    """

    count: int
    names: list[str]
    steps: int
    learning_rate: float
    images: int
    labels: int
    settings: dict[str, Any]
    identity: str


class Result(_Record):
    """One cell: a method on a data set, with one kind of prompt and one seed.

    Attributes:
        method: as the tables call it.
        dataset, version: what it was adapted to, and of which images.
        model: the source model.
        prompt: of training and test.
        seed: of prompts, order and views.
        last, selected: scores of the last step, and of the one that the rule chose.
        trained: what was changed, and by what.
        minutes: of adaptation, without scoring.
        peak_mb: most memory that the process held meanwhile, on an accelerator that of the device.
        commit: of the code.
    """

    method: str
    dataset: str
    version: str
    model: str
    prompt: str
    seed: int
    last: Last
    selected: Selected
    trained: Trained
    minutes: float
    peak_mb: float
    commit: str

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
        raise WesamError(f"{path}: expected a cell's result: {describe(error)}") from error


def read_results(folder: Path) -> list[Result]:
    """All cells below a folder, in the order of their paths."""
    return [read_result(path) for path in sorted(folder.rglob("*.json"))]


def of_rows(results: Iterable[Result], dataset: str, prompt: str, method: str) -> list[Result]:
    """The cells of one row and column, a seed each."""
    found = [r for r in results if (r.dataset, r.prompt, r.method) == (dataset, prompt, method)]
    return sorted(found, key=lambda result: result.seed)
