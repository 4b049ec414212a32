"""The tables of the paper (arXiv 2312.03502) and ours, as data."""

from __future__ import annotations

from dataclasses import dataclass

from wesam.bench.arm import Arm
from wesam.bench.methods import (
    ALL_STUDENT_PROMPTS,
    AUTOMATIC,
    COMPARED,
    CURVES,
    DIRECT,
    FEW,
    LABELLED_IMAGES,
    LOSSES,
    NO_STUDENT_PROMPTS,
    OURS,
    SLOPPY,
    SUPERVISED,
    UPDATES,
)
from wesam.bench.target import CORRUPTED
from wesam.corruptions import CORRUPTIONS
from wesam.evaluation.ground_truth import SCORED_PROMPTS, ScoredPrompt


@dataclass(frozen=True)
class Table:
    """What a table compares.

    Attributes:
        key: as `--table` calls it; the paper's number where it has one.
        title: what it asks.
        arms: its rows.
        datasets: generated data sets that it runs on; the paper's own are named on the command line.
        real: the paper's data sets of this table.
        prompts: kinds of prompts, a run each.
        quick_prompts: those of a quick try.
        others: prompts that each run is scored with beside its own.
        few_only: data sets on which only the rows `few` run.
        few: names of rows.
        one_seed: whether a single seed has to do, also for boxes.
        curve: whether all measured steps are scored.
        automatic: whether what is found without any prompt is scored too.
    """

    key: str
    title: str
    arms: tuple[Arm, ...]
    datasets: tuple[str, ...]
    real: tuple[str, ...] = ()
    prompts: tuple[ScoredPrompt, ...] = SCORED_PROMPTS
    quick_prompts: tuple[ScoredPrompt, ...] = ("box", "click")
    others: tuple[ScoredPrompt, ...] = ()
    few_only: tuple[str, ...] = ()
    few: tuple[str, ...] = FEW
    one_seed: bool = False
    curve: bool = False
    automatic: bool = False

    @property
    def quick_datasets(self) -> tuple[str, ...]:
        return self.datasets[:1]


_SPOILT = tuple(f"{CORRUPTED}/{name}" for name in CORRUPTIONS)
_ALL_ROWS = tuple(f"{CORRUPTED}/{name}" for name in ("gaussian_noise", "defocus_blur", "fog"))
_MIXED = ("natural", "smear", "robotic")

#: By key, in the order in which they are run: what matters comes first.
TABLES = {
    table.key: table
    for table in (
        Table("4", "Medical images", COMPARED, ("endoscopy", "smear", "ultrasound"), ("kvasir", "isic")),
        Table("3", "Natural images", COMPARED, ("natural",), ("coco", "voc")),
        Table("5", "Camouflaged objects", COMPARED, ("camouflaged",), ("chameleon", "camo", "cod10k")),
        Table("6", "Images of robots", COMPARED, ("robotic",), ("ocid", "osd")),
        Table(
            "2",
            "Corrupted images",
            COMPARED,
            (*_ALL_ROWS, *(name for name in _SPOILT if name not in _ALL_ROWS)),
            tuple(f"coco-c/{name}" for name in CORRUPTIONS),
            prompts=("box",),
            quick_prompts=("box",),
            few_only=tuple(name for name in _SPOILT if name not in _ALL_ROWS),
        ),
        Table("7", "Each loss on and off", LOSSES, _MIXED, prompts=("box",), quick_prompts=("box",), one_seed=True),
        Table(
            "7-curves",
            "Ten times the usual length",
            CURVES,
            _MIXED[:2],
            prompts=("box",),
            quick_prompts=("box",),
            one_seed=True,
            curve=True,
        ),
        Table(
            "8",
            "Prompts of training and of test",
            (DIRECT, OURS, NO_STUDENT_PROMPTS, ALL_STUDENT_PROMPTS),
            _MIXED[:2],
            quick_prompts=("box",),
            one_seed=True,
            others=SCORED_PROMPTS,
        ),
        Table(
            "automatic",
            "What is found without any prompt",
            AUTOMATIC,
            _MIXED[:2],
            prompts=("box",),
            quick_prompts=("box",),
            one_seed=True,
            automatic=True,
        ),
        Table("9", "What is updated", UPDATES, _MIXED[:2], prompts=("box",), quick_prompts=("box",), one_seed=True),
        Table(
            "images",
            "How many images are labelled",
            LABELLED_IMAGES,
            _MIXED[:2],
            prompts=("box", "click"),
            quick_prompts=("box",),
            one_seed=True,
        ),
        Table("sloppy", "Sloppy labels", SLOPPY, _MIXED[:2], prompts=("box",), quick_prompts=("box",), one_seed=True),
    )
}
#: Tables that ask the same of other images.
SAME_ROWS = tuple(key for key, table in TABLES.items() if table.arms is COMPARED)
SUPERVISED_ROW = SUPERVISED.name
