"""Ways to adapt that a table compares: each run once for a seed, kept on disk, and scored once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studies.domain import Domain
from studies.pack import Pack, folder_name
from wesam.adaptation import run
from wesam.atomic import replaced_file
from wesam.automatic.cache import CandidateCache
from wesam.automatic.generate import automatic_prompts
from wesam.automatic.settings import AutomaticSettings
from wesam.errors import WesamError
from wesam.evaluation.evaluate import evaluate
from wesam.evaluation.scores import TRIVIAL_METHODS
from wesam.labels.check import load_samples
from wesam.labels.images import list_images
from wesam.models.fingerprint import fingerprint
from wesam.prompts.simulated_set import SimulationSettings
from wesam.prompts.weak_labels import PromptKind
from wesam.training.config import RunConfig, describe, make_config
from wesam.training.run_folder import RunFolder
from wesam.types import Sample
from wesam.updates.load import load_segmenter

SUPERVISED = "supervised"
AUTOMATIC = "automatic"
_SIMULATE = "simulate."

# One row of a table: "arm", "prompt" (of the test), "miou" and "dice" in percent, and "seed" where there is one.
Row = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One way to adapt: a name, and what it changes, as `--set` takes it.

    Keys that begin with "simulate." are fields of `SimulationSettings`: with any of them, the weak labels are not
    the pack's boxes but simulated from its masks (an arm that trains on masks has no weak labels, and ignores them).
    All others are fields of `RunConfig`. An arm whose name begins with "supervised" trains on masks; one whose name
    begins with "automatic" has no labels, and the source model finds the prompts on the training images.
    """

    name: str
    settings: tuple[str, ...] = ()

    @staticmethod
    def parse(text: str) -> Arm:
        """From "name" or "name: key=value key=value"."""
        name, _, settings = text.partition(":")
        return Arm(name.strip(), tuple(settings.split()))

    @property
    def supervised(self) -> bool:
        return self.name.startswith(SUPERVISED)

    @property
    def automatic(self) -> bool:
        return self.name.startswith(AUTOMATIC)


@dataclass(frozen=True)
class Bench:
    """What all arms of a table share.

    Attributes:
        model: the source model.
        pack: images, labels and masks.
        out: folder of the runs; finished ones are kept and not run again.
        settings: "key=value" of every arm; an arm's own go over them.
        tile: side of tiles in adaptation and scoring; None for none.
    """

    model: str
    pack: Pack
    out: Path
    settings: tuple[str, ...] = ()
    tile: int | None = None

    @staticmethod
    def on(domain: Domain, model: str, out: Path, settings: Sequence[str] = ()) -> Bench:
        """The bench of one of several domains, with a folder of its own below `out`.

        Raises:
            WesamError: if a part of its pack is missing.
        """
        own = out / folder_name(domain.name)
        return Bench(model, domain.images_and_labels(own), own, tuple(settings), domain.tile)

    def source(self, prompts: Sequence[PromptKind]) -> list[Row]:
        """Scores of the source model, and of the answers that need no network."""
        return self._scored(self.out / "source.json", None, prompts, "source")

    def adapted(self, arm: Arm, seed: int, prompts: Sequence[PromptKind]) -> list[Row]:
        """Scores of one arm, which is run first unless it was before.

        Raises:
            WesamError: if its folder holds a run of another model or other settings, or these are wrong.
        """
        folder = self.out / folder_name(arm.name) / f"seed-{seed}"
        config = self._config(arm, seed, folder)
        if arm.automatic:
            config = config.model_copy(update={"labels": self._found(config, folder.parent)})
        record = RunFolder(folder)
        if record.summary.exists():
            record.open(config, resume=True)  # refuses what other settings have left
            record.close()
        else:
            run(config, resume=record.config.exists())
        rows = self._scored(folder / "scores.json", folder / "adapter", prompts, arm.name)
        return [{**row, "seed": seed} for row in rows]

    def _config(self, arm: Arm, seed: int, folder: Path) -> RunConfig:
        given = [*self.settings, *arm.settings]
        simulation = _simulation([text for text in given if text.startswith(_SIMULATE)])
        prompt: PromptKind = "box"
        if arm.supervised:
            labels: Path | None = self.pack.train_masks
        elif arm.automatic:
            labels, prompt = None, "auto"
        elif simulation is None:
            labels = self.pack.weak
        else:
            labels, prompt = self.pack.simulated(self.out / "labels", simulation, seed), "auto"
        return make_config(
            {
                "model": self.model,
                "images": self.pack.images,
                "labels": labels,
                "out": folder,
                "prompt": prompt,
                "seed": seed,
                "method": {"name": SUPERVISED if arm.supervised else "wesam"},
                "previews": 0,
                "trackers": [],
            },
            overrides=[
                *(text for text in given if not text.startswith(_SIMULATE)),
                f"views.tile={'null' if self.tile is None else self.tile}",
            ],
        )

    def _found(self, config: RunConfig, folder: Path) -> Path:
        """A COCO file of what the source model finds on the training images, the same for all seeds of an arm.

        A run without labels would take the pack's test images as well, and have an advantage.
        """
        automatic = config.automatic or AutomaticSettings()
        depends = [self.inputs, automatic.model_dump_json(), config.views.overlap]
        path = folder.absolute() / f"prompts-{hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:8]}.json"
        if not path.exists():
            samples, _ = load_samples(self.pack.images, self.pack.weak)
            segmenter = load_segmenter(self.model)
            kept = path.with_suffix("")
            cache = CandidateCache(kept, segmenter, automatic.grid, config.views.tile, config.views.overlap)
            automatic_prompts(segmenter, samples, cache, automatic).write(path)
            shutil.rmtree(kept)
        return path

    @cached_property
    def inputs(self) -> str:
        """A hash of what scores depend on beside the adapter: the model's weights, the pack, the tiles."""
        total = hashlib.sha256(fingerprint(load_segmenter(self.model)))
        for labels in (self.pack.weak, self.pack.train_masks, self.pack.test_masks):
            total.update(labels.read_bytes())
        sizes = {path.name: path.stat().st_size for path in list_images(self.pack.images)}
        total.update(json.dumps([self.tile, sizes]).encode())
        return total.hexdigest()

    def _scored(self, path: Path, adapter: Path | None, prompts: Sequence[PromptKind], name: str) -> list[Row]:
        """From disk, and from the network for prompts that were not scored before."""
        of = self.inputs
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"of": of, "rows": []}
        if kept["of"] != of:
            raise WesamError(
                f"{path}: expected scores of {self.model} on {self.pack.images}, got those of another model, "
                f"other images or labels, which have been there before; give another folder for the runs"
            )
        rows: list[Row] = kept["rows"]
        missing = [prompt for prompt in prompts if prompt not in {row["prompt"] for row in rows}]
        if missing:
            tests, _ = load_samples(self.pack.images, self.pack.test_masks)
            rows += _score(self.model, adapter, tests, missing, self.tile, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced_file(path) as partial:
                partial.write_text(json.dumps({"of": of, "rows": rows}, indent=1), encoding="utf-8")
        return [row for row in rows if row["prompt"] in prompts]


def _simulation(overrides: Sequence[str]) -> SimulationSettings | None:
    """From "simulate.key=value" texts, of which a later one wins; None without any."""
    if not overrides:
        return None
    try:
        return SimulationSettings.model_validate(
            {key: value for key, _, value in (text.removeprefix(_SIMULATE).partition("=") for text in overrides)}
        )
    except ValidationError as error:
        raise WesamError(f"{_SIMULATE.rstrip('.')}: {describe(error)}") from error


def _score(
    model: str, adapter: Path | None, tests: list[Sample], prompts: Sequence[PromptKind], tile: int | None, name: str
) -> list[Row]:
    segmenter = load_segmenter(model, adapter)
    result = evaluate(segmenter, tests, prompts=prompts, tile=tile, compare_source=False, trivial=adapter is None)
    rows: list[Row] = []
    for prompt in prompts:
        # Answers without a network come from the box, whatever the prompt: once is enough.
        trivial = adapter is None and prompt == "box"
        scores = result.prompts[prompt]
        judged = {name: scores.methods[scores.judged]}
        judged |= {method: scores.methods[method] for method in TRIVIAL_METHODS if trivial}
        rows += [
            {"arm": arm, "prompt": prompt, "miou": 100 * score.miou, "dice": 100 * score.dice}
            for arm, score in judged.items()
        ]
    return rows
