"""Runs cells one by one: adapt, score the last and the selected step, write one file; what is there stays."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path

from accelerate import PartialState
from torch import Tensor

from wesam.adaptation import AdaptResult, run
from wesam.bench.arm import Arm
from wesam.bench.cells import Cell
from wesam.bench.gate import check_gate
from wesam.bench.peak import peak_memory
from wesam.bench.plan import Plan
from wesam.bench.result import Found, Last, Result, Score, Selected, Trained, read_result
from wesam.bench.score import LABELS, found, score
from wesam.bench.target import Target, open_target
from wesam.bench.unlabelled import found_labels
from wesam.errors import WesamError
from wesam.evaluation.ground_truth import ScoredPrompt
from wesam.evaluation.previews import pick_samples, write_scored_previews
from wesam.health.candidates import CandidateFolder
from wesam.labels.write_coco import write_coco
from wesam.models.family import Family
from wesam.prompts.simulated_set import SimulationSettings, simulate_set
from wesam.training.config import PAPER_WARMUP_STEPS, RunConfig, make_config
from wesam.training.run_folder import RunFolder
from wesam.types import Sample
from wesam.updates.load import load_segmenter
from wesam.updates.update import update_of

FIGURES = "figures"  # folder of pictures beside the results
RULE = "best-healthy"  # of every row that learns: see `health.selection`

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """What all cells of a call share.

    Attributes:
        model: the source model, as `load_segmenter` takes it.
        out: folder of results, of generated images, and of runs while they last.
        plan: images, steps, seeds.
        folders: where data sets lie, by name; generated ones have none.
        rates: learning rates by row, as `rates.read_rates` has them.
        device, processes: that cells run on; with several processes all of them call `run_cells`.
        main: whether this process writes.
    """

    model: str
    out: Path
    plan: Plan
    folders: Mapping[str, Path | None]
    rates: Mapping[str, float] = field(default_factory=dict)
    device: str = "auto"
    processes: int = 1
    main: bool = True

    @cached_property
    def family(self) -> Family:
        """Of the model."""
        return load_segmenter(self.model, device="cpu").family

    def fitted(self, arm: Arm) -> Arm:
        """The row as the model can take it."""
        return arm if "attention" in self.family.targets else arm.without_attention()

    def result_file(self, cell: Cell) -> Path:
        return self.out / "results" / f"{cell.key}.json"

    def target(self, name: str) -> Target:
        folder = self.folders.get(name)
        return open_target(name, folder, self.out / "data", self.plan.size if folder is None else self.plan.real)


def run_cells(bench: Bench, cells: Sequence[Cell], tell: Tell) -> None:
    """Runs what is not there yet.

    Raises:
        WesamError: if a file is there that was made with another model, other images or settings; if a cell cannot be
            run; or if the source model does not score as it must (`gate`).
    """
    _commit()  # of the code that was loaded, whatever is checked out before the last cell ends
    targets: dict[str, Target] = {}
    for number, cell in enumerate(cells, start=1):
        target = targets.setdefault(cell.dataset, bench.target(cell.dataset))
        identity = _identity(bench, cell, target)
        path = bench.result_file(cell)
        there = _kept(path, identity)
        if there is None:
            there = run_cell(bench, cell, target, identity)
            if there is None:  # another process writes
                continue
            there.write(path)
        tell(f"[{number}/{len(cells)}] {describe(there)}")
        check_gate(there, bench.plan)


def describe(result: Result) -> str:
    """One line."""
    scores = f"last {100 * result.last.miou:.1f}, selected {100 * result.selected.miou:.1f}"
    return (
        f"{result.dataset}, {result.prompt}, {result.method}, seed {result.seed}: {scores} mIoU "
        f"(step {result.selected.step}), {result.minutes:.1f} min"
    )


def _kept(path: Path, identity: str) -> Result | None:
    if not path.exists():
        return None
    result = read_result(path)
    if result.trained.identity != identity:
        raise WesamError(
            f"{path}: made with another model, other images or other settings; give another --out, or delete it"
        )
    return result


def run_cell(bench: Bench, cell: Cell, target: Target, identity: str) -> Result | None:
    """One cell; it goes on where it was killed. None in a process that does not write."""
    work = bench.out / "work" / cell.key
    prompts = tuple(dict.fromkeys((cell.prompt, *cell.others)))
    if not cell.arm.learns:
        if not bench.main:
            return None
        segmenter = load_segmenter(bench.model, device=bench.device)
        scores = score(segmenter, target.test, prompts, cell.seed, 0)
        automatic = found(segmenter, target.test) if cell.automatic else None
        return _result(bench, cell, target, identity, scores, scores, automatic, [], "none", {}, 0.0, 0.0)
    config = cell_config(bench, cell, target, work)
    resumed = was_begun(config)
    with peak_memory() as peak:
        done = run(config, resume=resumed)
        peak_mb = peak()
    if not bench.main:
        return None
    result = _scored(bench, cell, target, identity, config, done, prompts, peak_mb)
    shutil.rmtree(work)
    return result


def _scored(
    bench: Bench,
    cell: Cell,
    target: Target,
    identity: str,
    config: RunConfig,
    done: AdaptResult,
    prompts: Sequence[ScoredPrompt],
    peak_mb: float,
) -> Result:
    folder = RunFolder(config.out)
    passed = CandidateFolder(folder.candidates)
    steps = [candidate.step for candidate in passed.read()]
    segmenter = load_segmenter(bench.model, done.adapter, device=bench.device)

    def scored(step: int, kinds: Sequence[ScoredPrompt]) -> dict[ScoredPrompt, Score]:
        update_of(segmenter).load(passed.weights(step))
        return score(segmenter, target.test, kinds, cell.seed, step)

    selection = done.summary["selection"]
    last = scored(steps[-1], prompts)
    selected = last if selection["step"] == steps[-1] else scored(selection["step"], prompts)
    automatic = None
    if cell.automatic:
        update_of(segmenter).load(passed.weights(selection["step"]))
        automatic = found(segmenter, target.test)
    if cell.pictured:
        update_of(segmenter).load(passed.weights(selection["step"]))
        samples = pick_samples(target.test, 1)
        write_scored_previews(
            segmenter, samples, bench.out / FIGURES / cell.key, prompts=(cell.prompt,), seed=cell.seed
        )
    curve = [scored(step, (cell.prompt,))[cell.prompt] for step in steps] if cell.curve else []
    trained = passed.weights(steps[-1])
    minutes = done.summary["seconds"] / 60
    rule = selection["rule"]
    return _result(bench, cell, target, identity, last, selected, automatic, curve, rule, trained, minutes, peak_mb)


def _result(
    bench: Bench,
    cell: Cell,
    target: Target,
    identity: str,
    last: Mapping[ScoredPrompt, Score],
    selected: Mapping[ScoredPrompt, Score],
    automatic: Found | None,
    curve: list[Score],
    rule: str,
    trained: Mapping[str, Tensor],
    minutes: float,
    peak_mb: float,
) -> Result:
    learned = _train(cell, target) if cell.arm.learns else ()
    return Result(
        method=cell.arm.name,
        dataset=target.name,
        version=target.version,
        model=bench.model,
        prompt=cell.prompt,
        seed=cell.seed,
        last=Last(curve=curve, **last[cell.prompt].model_dump()),
        selected=Selected(
            rule=rule,
            others={prompt: selected[prompt] for prompt in cell.others},
            automatic=automatic,
            **selected[cell.prompt].model_dump(),
        ),
        trained=Trained(
            count=sum(tensor.numel() for tensor in trained.values()),
            names=list(trained),
            steps=_steps(bench, cell),
            learning_rate=_rate(bench, cell),
            images=len(learned),
            labels=sum(len(sample.instances) for sample in learned),
            settings={
                **({"preset": cell.arm.preset} if cell.arm.preset else {}),
                **bench.fitted(cell.arm).settings,
            },
            identity=identity,
        ),
        minutes=round(minutes, 3),
        peak_mb=round(peak_mb, 1),
        commit=_commit(),
    )


def cell_config(bench: Bench, cell: Cell, target: Target, work: Path) -> RunConfig:
    """The run of a cell; writes the labels that it learns from into `work`."""
    arm, plan = cell.arm, bench.plan
    samples = _train(cell, target)
    labels = work / "labels.json"
    if bench.main and not labels.exists():
        if arm.masks:
            write_coco(samples, labels)
        elif arm.labelled:
            simulation = SimulationSettings(**{**LABELS[cell.prompt].model_dump(), **arm.labels})
            write_coco([simulate_set(sample, simulation, cell.seed) for sample in samples], labels)
        else:
            found_labels(bench.model, bench.device, samples, labels)
    steps = _steps(bench, cell)
    values = {
        "model": bench.model,
        "images": target.images,
        "labels": labels,
        "out": work / "run",
        # By its name: what a prompt of kind "mask" is simulated as is rough, and nothing to learn from as it is.
        "prompt": _LABEL_OF.get(cell.prompt, cell.prompt) if arm.masks or arm.labelled else "auto",
        "seed": cell.seed,
        "steps": steps,
        "learning_rate": _rate(bench, cell),
        "warmup_steps": min(PAPER_WARMUP_STEPS, steps // 4),
        "batch_size": plan.micro_batch,
        "accumulation": max(1, plan.images // plan.micro_batch // bench.processes),
        "health": {"every": max(1, round(plan.measure_every * plan.length_of(arm.length)))},
        "selection": {"rule": RULE},
        "previews": 0,
        "trackers": [],
        "checkpoint_every": max(100, steps // 10),
        "device": bench.device,
    }
    return make_config(values, preset=arm.preset, overrides=bench.fitted(arm).overrides())


def was_begun(config: RunConfig) -> bool:
    """Whether the run is there to go on with. Processes wait here, so that all see the same, and what one wrote."""
    begun = (config.out / "config.yaml").exists()
    PartialState(cpu=config.device == "cpu").wait_for_everyone()
    return begun


# The kind of label that holds a prompt, where only simulation knows the prompt.
_LABEL_OF = {"click": "point"}


def _train(cell: Cell, target: Target) -> tuple[Sample, ...]:
    return target.train[: cell.arm.train_images]


def _steps(bench: Bench, cell: Cell) -> int:
    return max(1, round(bench.plan.steps * bench.plan.length_of(cell.arm.length))) if cell.arm.learns else 0


def _rate(bench: Bench, cell: Cell) -> float:
    if not cell.arm.learns:
        return 0.0
    chosen = bench.rates.get(cell.arm.base or cell.arm.name, bench.family.learning_rate)
    return chosen if cell.arm.rate is None else cell.arm.rate


def _identity(bench: Bench, cell: Cell, target: Target) -> str:
    """A hash of what decides the numbers."""
    decides = [
        bench.model,
        target.name,
        target.version,
        [sample.id for sample in (*_train(cell, target), *target.test)],
        asdict(cell),
        _rate(bench, cell),
        _steps(bench, cell),
        [bench.plan.images, bench.plan.micro_batch, bench.plan.measure_every],
    ]
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:12]


@cache
def _commit() -> str:
    """Of the code that runs; the package's version where it is not a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return version("wesam")
    return found.stdout.strip()
