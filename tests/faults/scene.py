"""Runs of `wesam adapt` on a tiny model, and what an uninterrupted one ends with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.faults.command import Command
from tests.image_set import ImageSet, make_image_set
from tests.tiny import tiny_sam
from wesam.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from wesam.training.guard import all_finite

STEPS, EVERY = 20, 2
SETTINGS = {
    "device": "cpu",
    "previews": 0,
    "warmup_steps": 2,
    "learning_rate": 1e-2,
    "steps": STEPS,
    "checkpoint_every": EVERY,
    "log_every": 1,
    "health": "{every: 10}",
}


class Scene:
    """Images, labels, a model, and how long a run of them takes.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data").mkdir()
        self.data: ImageSet = make_image_set(root / "data")
        self.model = root / "model"
        tiny_sam(seed=0).save_pretrained(self.model)
        self._commands = 0
        out = root / "whole"
        self.launch(["--help"]).finish()  # the process that all others are forked from is there now
        start = time.monotonic()
        whole = self.start(out)
        whole.wait_until(lambda: reached(out) >= 0)
        self.seconds_before = time.monotonic() - start
        whole.finish()
        #: of a run: from its start to its first checkpoint, and from each checkpoint to the next.
        self.seconds_between = (time.monotonic() - start - self.seconds_before) / (STEPS / EVERY)
        self.adapter = adapter_bytes(out)

    def launch(self, arguments: list[str], prepare: Callable[[], None] | None = None) -> Command:
        self._commands += 1
        return Command(arguments, self.root / f"{self._commands}.log", prepare)

    def start(self, out: Path, *options: str, prepare: Callable[[], None] | None = None, **settings: object) -> Command:
        """`wesam adapt` into a folder."""
        arguments = ["adapt", "--model", str(self.model), "--out", str(out)]
        arguments += ["--images", str(self.data.images), "--labels", str(self.data.boxes)]
        for key, value in {**SETTINGS, **settings}.items():
            arguments += ["--set", f"{key}={value}"]
        return self.launch([*arguments, *options], prepare)

    def wait_for_a_moment(self, command: Command, out: Path, random: Random, last: int = STEPS) -> None:
        """A random one of the run, between the start of training and the end of everything, or just after step `last`.

        It is drawn in steps and not in seconds, as other programs make a run slower and faster.
        """
        step = random.randrange(0, last + 1, EVERY)
        command.wait_until(lambda: reached(out) >= step)
        time.sleep(random.uniform(0, self.seconds_between))

    def resume(self, out: Path) -> None:
        """Goes on with a run and checks that it ends as if nothing had happened."""
        self.start(out, "--resume").finish()
        self.check_same(out)

    def check_same(self, out: Path) -> None:
        assert adapter_bytes(out) == self.adapter, "the adapter differs from that of an uninterrupted run"


def reached(out: Path) -> int:
    """The step of the newest checkpoint; -1 where there is none."""
    kept = list_checkpoints(out / "checkpoints")
    return int(kept[-1].name.removeprefix("step-")) if kept else -1


def adapter_bytes(out: Path) -> bytes:
    return (out / "adapter" / "adapter_model.safetensors").read_bytes()


def check_last_checkpoint(out: Path) -> str:
    """That the newest checkpoint, if there is one, is whole; tells which it is."""
    kept = list_checkpoints(out / "checkpoints")
    if not kept:
        return "from the beginning"
    last: Checkpoint = load_checkpoint(kept[-1])
    assert all_finite(last.adapter), f"{kept[-1]} is not finite"
    return f"from step {last.step}"
