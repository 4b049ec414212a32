"""Does a run without masks end well? Signals and true scores along long runs, and what rules of choice make of them.

    python -m studies.stability run --model wesam-tiny --out runs/stability \
        --domain "robotic: packs/robotic" --domain "nuclei: packs/nuclei tile=176" \
        --domain "natural fog: packs/natural corruption=fog severity=5" \
        --prompt box --prompt point --seed 0 --seed 1 --seed 2 --length 100 --length 500 --length 2000 --every 25 \
        --arm default --arm "shared teacher: objective.teacher=shared"
    python -m studies.stability report runs/stability

One run as long as the longest length stands for all of them: with a constant learning rate its first steps are the
shorter runs. (An arm with `schedule=cosine` says something only at the longest.) Masks of the test images are looked at
after a run, never by it. What is finished is kept: the same command goes on where it was stopped, and commands with
different domains may run side by side. `report` runs nothing, so it can judge new rules on old runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from studies.arms import Arm, Bench
from studies.domain import DOMAIN_HELP, Domain
from studies.pack import Pack, folder_name
from studies.stability_analysis import MEAN, read_runs, report, scale_name
from studies.stability_rules import AVERAGED, SCALES, rules
from wesam.adaptation import run as adapt_run
from wesam.atomic import replaced_file
from wesam.cli.console import reported
from wesam.errors import WesamError
from wesam.evaluation.evaluate import evaluate
from wesam.health.candidates import CandidateFolder, Weights, averaged, scaled
from wesam.health.probe import HealthProbe, Signals, split_samples
from wesam.labels.check import load_samples
from wesam.prompts.simulated_set import SimulationSettings
from wesam.prompts.weak_labels import PromptKind, weak_labels
from wesam.training.config import RunConfig, make_config
from wesam.training.run_folder import RunFolder
from wesam.types import Sample
from wesam.updates.load import load_segmenter
from wesam.updates.update import add_update, update_of

ROWS = "rows.jsonl"
# Prompts of the test are the same for all seeds, so that all are compared with one source model.
_TEST_SEED = 0


@dataclass(frozen=True)
class Study:
    """What all runs of a study share.

    Attributes:
        model: the source model.
        out: folder of the runs.
        lengths: in steps, each a multiple of `every`.
        every: steps between two measurements.
        settings: "key=value" of every arm; an arm's own go over them.
        test_images: how many test images are scored at most, evenly chosen; None for all.

    Raises:
        WesamError: if a length is not a multiple of `every`.
    """

    model: str
    out: Path
    lengths: tuple[int, ...]
    every: int
    settings: tuple[str, ...] = ()
    test_images: int | None = None

    def __post_init__(self) -> None:
        wrong = [length for length in self.lengths if length % self.every or length < 1]
        if wrong or not self.lengths:
            raise WesamError(f"--length: expected multiples of --every {self.every}, got {wrong or 'none'}")

    def record(self, domain: Domain, prompt: PromptKind, seed: int, arm: Arm) -> Path:
        """Runs, measures and scores what is not there yet; returns the file of rows.

        Raises:
            WesamError: if the folder holds a run of other settings, or rows of another model, pack or number of test
                images, or something is wrong with these.
        """
        own = self.out / folder_name(domain.name)
        folder = own / prompt / folder_name(arm.name) / f"seed-{seed}"
        pack = domain.images_and_labels(own)
        config = self._config(domain, pack, prompt, seed, arm, folder / "run")
        finished = RunFolder(config.out)
        if finished.summary.exists():
            finished.open(config, resume=True)  # refuses what other settings have left
            finished.close()
        else:
            adapt_run(config, resume=finished.config.exists())
        of = f"{Bench(self.model, pack, own, tile=domain.tile).inputs}, {self.test_images or 'all'} test images"
        keys = {"domain": domain.name, "prompt": prompt, "seed": seed, "arm": arm.name, "of": of}
        rows = _Rows(folder / ROWS, keys)
        scorer = _Scorer(config, self._tests(pack))
        kept = CandidateFolder(finished.candidates)
        candidates = kept.read()
        for candidate in candidates:
            if rows.lack(candidate.step, ""):
                rows.add(candidate.step, "", candidate.signals, scorer.miou(kept.weights(candidate.step)))
        for length in self.lengths:
            steps = [candidate.step for candidate in candidates if 0 < candidate.step <= length]
            last = kept.weights(steps[-1])
            made = {MEAN: averaged([kept.weights(step) for step in steps[-AVERAGED:]])}
            made |= {scale_name(scale): scaled(last, scale) for scale in SCALES}
            for name, weights in made.items():
                if rows.lack(steps[-1], name):
                    rows.add(steps[-1], name, scorer.signals(weights), scorer.miou(weights))
        return rows.path

    def _tests(self, pack: Pack) -> list[Sample]:
        tests, _ = load_samples(pack.images, pack.test_masks)
        if self.test_images is None or len(tests) <= self.test_images:
            return tests
        return [tests[place * len(tests) // self.test_images] for place in range(self.test_images)]

    @staticmethod
    def _labels(pack: Pack, prompt: PromptKind, seed: int, out: Path) -> Path:
        """Other labels than boxes are simulated from masks, once; the masks go no further."""
        if prompt == "box":
            return pack.weak
        if prompt == "mask":
            return pack.simulated(out, SimulationSettings(kind="mask"), seed)
        return pack.train_masks  # a run itself draws points from masks, where that is all there is

    def _config(self, domain: Domain, pack: Pack, prompt: PromptKind, seed: int, arm: Arm, out: Path) -> RunConfig:
        return make_config(
            {
                "model": self.model,
                "images": pack.images,
                "labels": self._labels(pack, prompt, seed, out.parent),
                "out": out,
                "prompt": prompt,
                "seed": seed,
                "steps": max(self.lengths),
                "warmup_steps": min(self.lengths) // 4,
                "health": {"every": self.every},
                "previews": 0,
                "trackers": [],
            },
            overrides=[*self.settings, *arm.settings, f"views.tile={'null' if domain.tile is None else domain.tile}"],
        )


class _Scorer:
    """Judges weights of one run: by its own signals of health, and by masks that it never saw."""

    def __init__(self, config: RunConfig, tests: list[Sample]) -> None:
        self._config = config
        self._tests = tests
        device = "cpu" if config.device == "cpu" else "auto"
        # Scores are of full precision; signals are of the run's.
        self._judge = load_segmenter(config.model, device=device)
        self._measured = load_segmenter(config.model, device=device, precision=config.precision)
        for segmenter in (self._judge, self._measured):
            add_update(segmenter, config.update, seed=config.seed)
        self._probe: HealthProbe | None = None

    def miou(self, weights: Weights) -> float:
        """In percent, on the test images."""
        views = self._config.views
        with update_of(self._judge).using(weights):
            found = evaluate(
                self._judge,
                self._tests,
                prompts=[self._config.prompt],
                seed=_TEST_SEED,
                tile=views.tile,
                overlap=views.overlap,
                compare_source=False,
                trivial=False,
            )
        return 100 * found.first.methods[found.first.judged].miou

    def signals(self, weights: Weights) -> Signals:
        """As the run itself would have measured them."""
        if self._probe is None:
            config = self._config
            assert config.labels is not None
            labelled, _ = load_samples(config.images, config.labels, format=config.labels_format)
            weak = [weak_labels(sample, config.prompt, config.seed) for sample in labelled]
            health = split_samples(weak, config.health, config.seed).health
            self._probe = HealthProbe(health, self._measured, config.views, config.seed, config.health.images)
        with update_of(self._measured).using(weights):
            return self._probe.measure(self._measured)


class _Rows:
    """The rows of one run on disk: whole after each addition."""

    def __init__(self, path: Path, keys: dict[str, Any]) -> None:
        self.path = path
        self._keys = keys
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        if any(row.get("of") != keys["of"] for row in self._rows):
            raise WesamError(
                f"{path}: expected rows of this model, pack and number of test images, got those of others, which "
                f"have been there before; give another folder for the runs"
            )

    def lack(self, step: int, made: str) -> bool:
        return all((row["step"], row["made"]) != (step, made) for row in self._rows)

    def add(self, step: int, made: str, signals: Signals, miou: float) -> None:
        self._rows.append({**self._keys, "step": step, "made": made, "signals": signals, "miou": miou})
        with replaced_file(self.path) as partial:
            partial.write_text("".join(json.dumps(row) + "\n" for row in self._rows), encoding="utf-8")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.command("run")
def run_command(
    model: Annotated[str, typer.Option()],
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    domain: Annotated[list[str], typer.Option(help=DOMAIN_HELP)],
    prompt: Annotated[list[str] | None, typer.Option(help="box, point, mask; repeatable.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    length: Annotated[list[int] | None, typer.Option(help="Steps; repeatable. The longest is run.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Steps between two measurements.")] = 25,
    arm: Annotated[list[str] | None, typer.Option(help='"name" or "name: key=value ..."; repeatable.')] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value for every arm; repeatable.")] = None,
    test_images: Annotated[int | None, typer.Option(min=1, help="Score at most so many test images.")] = None,
) -> None:
    """Adapts, and records signals and true scores along the way."""
    console = Console()
    study = Study(model, out, tuple(length or (100, 500, 2000)), every, tuple(set_ or ()), test_images)
    domains = [Domain.parse(text) for text in domain]
    arms = [Arm.parse(text) for text in arm or ["default"]]
    for one_seed in seed or [0, 1, 2]:
        for one_domain in domains:
            for one_prompt in prompt or ["box", "point"]:
                for one_arm in arms:
                    path = study.record(one_domain, one_prompt, one_seed, one_arm)  # type: ignore[arg-type]
                    console.print(f"recorded {path}", markup=False, soft_wrap=True)


@app.command("report")
def report_command(
    out: Annotated[Path, typer.Argument(help="Folder of a study.")],
    length: Annotated[list[int] | None, typer.Option(help="Steps; repeatable. Absent: as recorded.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Rules to show.")] = 15,
) -> None:
    """Prints what the recorded runs say, as Markdown; runs nothing."""
    runs = read_runs(out)
    scored = [set(run.made) for run in runs if run.made]
    recorded = sorted(set.intersection(*scored)) if scored else []
    if not (length or recorded):
        raise WesamError(f"{out}: expected runs that are scored at the same length, got none; name one by --length")
    Console(width=400).print(report(runs, length or recorded, rules(), most), markup=False, highlight=False)


if __name__ == "__main__":
    with reported():
        app()
