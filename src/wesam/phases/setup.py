"""What a run works with: the model, what learns in it, the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from accelerate import Accelerator

from wesam.errors import WesamError
from wesam.labels.summary import tiny_object_hint
from wesam.methods.base import Method
from wesam.methods.registry import build_method
from wesam.models.fingerprint import fingerprint
from wesam.models.segmenter import Segmenter
from wesam.phases.given import Given
from wesam.training.accelerator import make_accelerator
from wesam.training.config import RunConfig
from wesam.training.run_folder import RunFolder
from wesam.updates.load import load_segmenter, start_from
from wesam.updates.update import add_update


@dataclass(frozen=True)
class Setup:
    """Model and method in place; nothing is written yet.

    Attributes:
        folder: the run folder.
        accelerator: processes and device.
        segmenter: with its update in place.
        method: over it.
        source: fingerprint of the source model.
        parent: fingerprint of the adapter that the run starts from; None where it starts from the source model.
    """

    folder: RunFolder
    accelerator: Accelerator
    segmenter: Segmenter
    method: Method
    source: bytes
    parent: str | None


def set_up(config: RunConfig, given: Given, tell: Callable[[str], None]) -> Setup:
    """Loads the model and puts update and method in place.

    Raises:
        WesamError: if the model cannot be used, or the method needs other labels than are given.
    """
    folder = RunFolder(config.out)
    accelerator = make_accelerator(config, folder)
    segmenter = load_segmenter(config.model, device=str(accelerator.device), precision=config.precision)
    source = fingerprint(segmenter)
    hint = tiny_object_hint(given.labelled or (), segmenter.input_size) if config.views.tile is None else None
    if hint is not None:
        tell(f"note: {hint}")
    add_update(segmenter, config.update, seed=config.seed)
    parent = None if config.start is None else start_from(segmenter, config.start)
    method = build_method(config.method, segmenter)
    _check_labels(method, config.method.name, given)
    return Setup(folder, accelerator, segmenter, method, source, parent)


def _check_labels(method: Method, name: str, given: Given) -> None:
    if method.needs != "masks":
        return
    if given.labelled is None:
        raise WesamError(f"method {name}: expected labels with masks, got no labels")
    both = given.adapted_and_scored
    if both:
        raise WesamError(
            f"val_labels: expected masks of images that method {name} does not learn from, got {min(both)}, which is "
            f"in labels too ({len(both)} such images)"
        )
