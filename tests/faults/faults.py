"""What can happen to a run. Each function does it once, and raises AssertionError if anything was lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file

from tests.faults.command import Command
from tests.faults.conditions import images_not_kept, little_memory, not_finite
from tests.faults.scene import EVERY, STEPS, Scene, check_last_checkpoint, reached
from wesam.training.checkpoint import list_checkpoints
from wesam.training.guard import all_finite


def killed(scene: Scene, out: Path, random: Random) -> str:
    """SIGKILL at a random moment of training, then `--resume`"""
    command = scene.start(out)
    scene.wait_for_a_moment(command, out, random)
    return _resumed_after_kill(scene, command, out)


def killed_early(scene: Scene, out: Path, random: Random) -> str:
    """SIGKILL at a random moment before training, then `--resume`"""
    command = scene.start(out)
    time.sleep(random.uniform(0, scene.seconds_before))
    return _resumed_after_kill(scene, command, out)


def _resumed_after_kill(scene: Scene, command: Command, out: Path) -> str:
    command.kill()
    if command.wait() == 0:
        scene.check_same(out)
        return "the run had ended"
    at = check_last_checkpoint(out)
    scene.resume(out)
    return at


def checkpoint_torn(scene: Scene, out: Path, random: Random) -> str:
    """SIGKILL, and a file of the newest checkpoint cut off: it is named, deleted, then `--resume`"""
    command = scene.start(out)
    command.wait_until(lambda: reached(out) >= EVERY)
    command.kill()
    command.wait()
    newest = list_checkpoints(out / "checkpoints")[-1]
    file = random.choice(sorted(newest.iterdir()))
    with file.open("rb+") as opened:
        opened.truncate(random.randrange(file.stat().st_size))
    printed = scene.start(out, "--resume").finish(code=1)
    assert f"error: {newest}: expected a whole checkpoint" in printed, printed
    shutil.rmtree(newest)
    scene.resume(out)
    return f"the last {EVERY} steps"


def interrupted(scene: Scene, out: Path, random: Random) -> str:
    """Ctrl-C at a random moment of training: one line, exit code 130, then the command that the line names"""
    command = scene.start(out)
    scene.wait_for_a_moment(command, out, random)
    command.interrupt()
    code, printed = command.wait(), command.printed
    if "adapter: " in printed:
        scene.check_same(out)
        return "the run had ended"
    assert code == 130, (code, printed)
    advice = f"stopped; go on with: wesam adapt --resume --out {out}"
    assert printed.strip().splitlines()[-1] == advice, printed
    at = check_last_checkpoint(out)
    scene.launch(advice.partition("wesam ")[2].split()).finish()
    scene.check_same(out)
    return at


def worker_killed(scene: Scene, out: Path, random: Random) -> str:
    """SIGKILL of a process that loads images, at a random moment; the run goes on by itself"""
    command = scene.start(out, workers=2)
    scene.wait_for_a_moment(command, out, random, last=STEPS // 2)  # they end before the run does
    workers = [] if command.ended else command.children
    if workers:
        os.kill(random.choice(workers), signal.SIGKILL)
    assert command.wait(noisy=True) == 0, command.printed  # torch's other loader processes may complain
    scene.check_same(out)
    lost = "a process that loads images was killed" in command.printed
    return "went on by itself" if lost else "no image was left to load"


def disk_full(scene: Scene, out: Path, random: Random) -> str:
    """The disk fills up at a random moment, then room is made and `--resume`"""
    with _small_disk(out) as disk:
        run, filler = disk / "run", disk / "filler"
        command = scene.start(run)
        scene.wait_for_a_moment(command, run, random)
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        if command.wait() == 0:
            scene.check_same(run)
            return "the run had ended"
        printed = command.finish(code=1)
        assert "No space left" in printed, printed
        assert "the last good checkpoint is" in printed, printed
        at = check_last_checkpoint(run)
        filler.unlink()
        scene.resume(run)
    return at


def read_only(scene: Scene, out: Path, random: Random) -> str:
    """The folder cannot be written to"""
    with _small_disk(out) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        printed = scene.start(disk / "run").finish(code=1)
        assert f"error: {disk / 'run'}: expected a folder that can be written, got: [Errno 30]" in printed, printed
        assert list(disk.iterdir()) == []
    return "nothing was begun"


def image_broken_before(scene: Scene, out: Path, random: Random) -> str:
    """An image is cut off before the run: it is named and left out"""
    with _broken_image(scene, random) as image:
        printed = scene.start(out).finish()
    assert f"skipped: {image}" in printed, printed
    return "that image, named"


def image_broken_within(scene: Scene, out: Path, random: Random) -> str:
    """An image is cut off at a random moment; it is named, put back, then `--resume`"""
    command = scene.start(out, prepare=images_not_kept)
    scene.wait_for_a_moment(command, out, random)
    with _broken_image(scene, random) as image:
        if command.wait() == 0:
            scene.check_same(out)
            return "it was not read any more"
        printed = command.finish(code=1)
        assert f"error: {image}: expected" in printed, printed
        at = check_last_checkpoint(out)
        printed = scene.start(out, "--resume").finish(code=1)
        assert f"{image.name} missing or unreadable" in printed, printed
    scene.resume(out)
    return at


def two_runs(scene: Scene, out: Path, random: Random) -> str:
    """Two runs on the same folder, the second a random moment after the first: one is refused"""
    long = {"steps": 10 * STEPS}
    first = scene.start(out, "--resume", **long)
    time.sleep(random.uniform(0, 2 * scene.seconds_before))
    second = scene.start(out, "--resume", **long)
    first.wait_until(lambda: second.ended)
    refused, other = (second, first) if second.ended else (first, second)
    try:
        printed = refused.finish(code=1)
        assert "expected a free run folder, got one that another run writes to" in printed, printed
        other.wait_until(lambda: reached(out) >= 0)
        assert not other.ended, other.printed
    finally:
        other.kill()
    other.wait()
    check_last_checkpoint(out)
    return "the first was refused" if refused is first else "the second was refused"


def out_of_memory(scene: Scene, out: Path, random: Random) -> str:
    """The address space ends (RLIMIT_AS): on in smaller pieces, else advice, then `--resume` with more"""
    settings = {"model": "wesam-tiny", "batch_size": 6, "steps": 2, "warmup_steps": 1, "learning_rate": 1e-3}
    whole = scene.root / "whole-tiny"
    if not whole.exists():
        scene.start(whole, prepare=partial(little_memory, 2**20), **settings).finish()
    command = scene.start(out, prepare=partial(little_memory, random.randrange(100, 300)), **settings)
    code, printed = command.wait(), command.printed
    if code:
        assert "error: expected memory for one image" in printed, (code, printed)
        check_last_checkpoint(out)
        scene.start(out, "--resume", prepare=partial(little_memory, 2**20), **settings).finish()
    expected, got = (load_file(run / "adapter" / "adapter_model.safetensors") for run in (whole, out))
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-3, atol=1e-4)
    if code:
        return "stopped with advice"
    return "went on in smaller pieces" if "memory did not suffice" in printed else "it sufficed"


def image_not_finite(scene: Scene, out: Path, random: Random) -> str:
    """The loss of one image is NaN: its steps are left out, and it is named"""
    image = random.choice(sorted(scene.data.images.glob("*.png"))).name
    printed = scene.start(out, prepare=partial(not_finite, image)).finish()
    assert f"loss or gradient is not finite on {image}; left out" in printed, printed
    assert all_finite(load_file(out / "adapter" / "adapter_model.safetensors"))
    check_last_checkpoint(out)
    return "the steps of that image"


def nothing_finite(scene: Scene, out: Path, random: Random) -> str:
    """All losses are NaN from a random step on: back to the checkpoint, then a stop; mended, then `--resume`"""
    step = random.randrange(1, STEPS)
    left = STEPS - step
    printed = scene.start(out, prepare=partial(not_finite, None, step / STEPS)).finish(code=int(left >= 3))
    if left < 3:
        assert f"left out ({left} in a row)" in printed, printed
        return "the last steps, named"
    assert "the last good one is" in printed, printed
    assert printed.count("not finite; back at step") == 3, printed
    at = check_last_checkpoint(out)
    scene.resume(out)
    return at


#: What can happen.
FAULTS: dict[str, Callable[[Scene, Path, Random], str]] = {
    fault.__name__: fault
    for fault in (
        killed,
        killed_early,
        checkpoint_torn,
        interrupted,
        worker_killed,
        disk_full,
        read_only,
        image_broken_before,
        image_broken_within,
        two_runs,
        out_of_memory,
        image_not_finite,
        nothing_finite,
    )
}

#: Those that mount a file system.
NEEDS_MOUNT = {"disk_full", "read_only"}


@contextmanager
def _small_disk(place: Path) -> Iterator[Path]:
    """A file system of 8 MB in memory; needs the rights to mount one."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def _broken_image(scene: Scene, random: Random) -> Iterator[Path]:
    """One of the images, cut off in the middle while the context lasts."""
    image = random.choice(sorted(scene.data.images.glob("*.png")))
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    try:
        yield image
    finally:
        image.write_bytes(whole)
