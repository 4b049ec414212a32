"""Prompts for a folder of images without any label (METHOD: CVPR 2024, arXiv 2312.03502, "fully automatic")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wesam.automatic.select import Thresholds, choose_thresholds, select_masks, sized
from wesam.automatic.settings import AutomaticSettings
from wesam.errors import NothingFoundError
from wesam.labels.write_coco import write_coco
from wesam.types import FOREGROUND, Instance, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wesam.automatic.cache import CandidateCache
    from wesam.automatic.candidates import Candidates
    from wesam.models.segmenter import Segmenter


@dataclass(frozen=True)
class AutomaticPrompts:
    """What was found on an image set.

    Attributes:
        samples: every image, also those without a prompt. Each instance has a mask, its box and a point in it.
        scores: predicted IoU and stability score of each instance, by its id.
        thresholds: that were used.
        candidates: how many masks the network gave.
    """

    samples: tuple[Sample, ...]
    scores: dict[str, tuple[float, float]]
    thresholds: Thresholds
    candidates: int

    @property
    def prompted(self) -> tuple[Sample, ...]:
        """The images with at least one prompt."""
        return tuple(sample for sample in self.samples if sample.instances)

    def __str__(self) -> str:
        """One line."""
        return (
            f"{len(self.scores)} prompts on {len(self.prompted)} of {len(self.samples)} images, of {self.candidates} "
            f"masks (predicted IoU from {self.thresholds.iou:.3f}, stability from {self.thresholds.stability:.3f})"
        )

    def write(self, path: str | Path) -> None:
        """Writes COCO JSON: mask, box and a point of each prompt, its predicted IoU as "score", and "stability".

        Raises:
            WesamError: if the file cannot be written.
        """

        def scores(instance: Instance) -> dict[str, Any]:
            iou, stability = self.scores[instance.id]
            return {"score": iou, "stability": stability}

        write_coco(self.samples, path, scores)


def automatic_prompts(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    cache: CandidateCache,
    settings: AutomaticSettings | None = None,
    *,
    on_image: Callable[[Sample], None] | None = None,
) -> AutomaticPrompts:
    """Asks about a grid of points on every image, and keeps the masks that are sure, stable and not found twice.

    Within `segmenter.anchor()` it is the source model that is asked.

    Args:
        samples: images; instances that they have are not looked at.
        cache: of this segmenter's answers. Asked again with other thresholds, or after a kill, only images that are new
            to it cost time.
        settings: how to choose among the answers; None for the defaults. The grid is the cache's.
        on_image: called after each image that was asked about, for a progress display.

    Raises:
        NothingFoundError: if no mask of any image survives.
        WesamError: if an image cannot be read, or the cache cannot be written.
    """
    settings = settings or AutomaticSettings()

    def asked() -> Iterator[Candidates]:
        for sample in samples:
            yield cache.get(sample)
            if on_image is not None:
                on_image(sample)

    thresholds = choose_thresholds(asked(), settings)
    scores: dict[str, tuple[float, float]] = {}
    prompted = []
    count, of_size, best_iou, best_stability = 0, 0, 0.0, 0.0
    for sample in samples:
        candidates = cache.get(sample)
        count += len(candidates)
        fits = sized(candidates, settings)
        of_size += int(fits.sum())
        best_iou = float(candidates.iou[fits].max(initial=best_iou))
        best_stability = float(candidates.stability[fits].max(initial=best_stability))
        instances: list[Instance] = []
        for mask in select_masks(candidates, thresholds, settings, segmenter, (sample.height, sample.width)):
            id_ = f"{sample.id}#{len(instances)}"
            instances.append(Instance(id_, box=mask.box, points=((*mask.point, FOREGROUND),), rle=mask.rle))
            scores[id_] = (mask.iou, mask.stability)
        prompted.append(sample.with_instances(instances))
    if not scores:
        raise NothingFoundError(
            f"automatic prompts: expected at least one mask to survive, got none of {count} on {len(samples)} images; "
            f"{count - of_size} were smaller than min_cells={settings.min_cells} or larger than "
            f"max_area={settings.max_area} (max_around={settings.max_around} where they reach around the image; tiles "
            f"make small objects larger); of the others were needed predicted IoU {thresholds.iou:.3f}, best "
            f"{best_iou:.3f}, and stability {thresholds.stability:.3f}, best "
            f"{best_stability:.3f}; lower the thresholds, or give labels"
        )
    return AutomaticPrompts(tuple(prompted), scores, thresholds, count)
