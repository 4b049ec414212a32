"""Speed and peak memory of one adaptation step, beside a plain transcription of the paper's loop.

    python benchmarks/adapt_step.py                                   # all ratios and a profile: `make bench`
    python benchmarks/adapt_step.py --model wesam-tiny --objects 40 --steps 5 --rounds 3
    python benchmarks/adapt_step.py --model vit-b-random --objects 1 --images 1 --steps 1 --arm plain --arm last-twelfth

Every arm runs in a process of its own on the same model, images and boxes, so that peak memory is its own. Arms take
turns (`--rounds`), and the median is reported. Time is processor time, of one thread, since machines are noisy: ratios
within one run are what to read. The first step fills what is remembered; it is timed apart ("first").
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from plain_loop import PlainLoop
from transformers import SamConfig, SamModel

from wesam.batches.batch import Batch
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.models.segmenter import Precision, Segmenter
from wesam.models.trunk import Trunk
from wesam.types import Prompts
from wesam.updates.load import load_segmenter
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of

# "paper" are the paper's losses and teacher, as the plain loop has them; "default" is what the package does; "strong"
# that with `method.anchor_views=strong`; the others are "strong" with the last blocks alone learning and the frozen
# ones remembered (`views.fixed`).
LAST = {"last-half": 0.5, "last-twelfth": 1 / 12}
ARMS = ("plain", "paper", "default", "strong", *LAST)
QUICK = ("plain", "paper", "default", "strong", "last-half")


def make_segmenter(model: str, precision: Precision, device: str, last: float) -> Segmenter:
    if model == "vit-b-random":  # SAM ViT-B's architecture; random weights cost the same time
        torch.manual_seed(0)
        config = SamConfig(vision_config={"initializer_range": 0.02})
        segmenter = Segmenter(SamModel(config), name=model, precision=precision).to(device)
    else:
        segmenter = load_segmenter(model, device=device, precision=precision)
    add_update(segmenter, LoraSettings(last=last), seed=0)
    return segmenter


def make_batch(segmenter: Segmenter, images: int, instances: int, device: str) -> Batch:
    generator = torch.Generator().manual_seed(0)
    size = segmenter.input_size
    corners = torch.rand(images * instances, 2, generator=generator) * size * 0.7
    sides = size * (0.05 + 0.25 * torch.rand(images * instances, 2, generator=generator))
    weak = torch.randn(images, 3, size, size, generator=generator)
    return Batch(
        keys=tuple(f"image-{image}" for image in range(images)),
        sample_ids=tuple(f"image-{image}" for image in range(images)),
        weak=weak,
        strong=weak + 0.1 * torch.randn(weak.shape, generator=generator),
        prompts=Prompts(boxes=torch.cat([corners, corners + sides], 1)),
        image_index=torch.arange(images).repeat_interleave(instances),
        instance_ids=tuple(str(index) for index in range(images * instances)),
        valid=torch.ones(images, segmenter.mask_grid, segmenter.mask_grid),
        seeds=tuple(range(images)),
    ).to(device)


class OurLoop:
    """The package's method and optimiser, as the training loop drives them."""

    def __init__(self, segmenter: Segmenter, settings: WesamSettings) -> None:
        self.method = Wesam(segmenter, settings)
        self.parameters = update_of(segmenter).parameters()
        self.optimiser = torch.optim.Adam(self.parameters, lr=1e-4, weight_decay=1e-4)
        self.seconds: Counter[str] = Counter()

    def step(self, batch: Batch) -> None:
        with timed(self.seconds, "forward"):
            losses = self.method(batch)
        with timed(self.seconds, "backward"):
            losses["total"].backward()
        with timed(self.seconds, "optimiser and average"):
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.method.after_step()


@contextmanager
def timed(seconds: Counter[str], part: str) -> Iterator[None]:
    began = time.process_time()
    yield
    seconds[part] += time.process_time() - began


def settings_of(arm: str) -> WesamSettings:
    if arm != "paper":
        return WesamSettings(anchor_views="both" if arm == "default" else "strong")
    return WesamSettings(
        as_published=True, teacher="shared", contrastive_weight=1, student_prompt_weight=0, box_projection_weight=0
    )


def make_loop(arm: str, model: str, options: argparse.Namespace) -> PlainLoop | OurLoop:
    segmenter = make_segmenter(model, options.precision, options.device, LAST.get(arm, 1.0))
    if arm in LAST:
        segmenter.trunk = Trunk(segmenter, 2**32)
    return PlainLoop(segmenter) if arm == "plain" else OurLoop(segmenter, settings_of(arm))


def measure(arm: str, model: str, objects: int, options: argparse.Namespace) -> dict[str, float]:
    """Times steps after a first one, and reads the peak memory above the start."""
    torch.set_num_threads(1)
    cuda = options.device.startswith("cuda")
    loop = make_loop(arm, model, options)
    clock = time.perf_counter if cuda else time.process_time

    def run(steps: int) -> float:
        began = clock()
        for _ in range(steps):
            loop.step(batch)
        if cuda:
            torch.cuda.synchronize()
        return clock() - began

    segmenter = loop.segmenter if isinstance(loop, PlainLoop) else loop.method.segmenter
    batch = make_batch(segmenter, options.images, objects, options.device)
    before = peak_mb()
    first = run(1)
    seconds = run(options.steps) / options.steps
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak_mb() - before
    return {"rate": options.images / seconds, "first": first, "peak": peak}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def profiled(model: str, objects: int, options: argparse.Namespace) -> dict[str, float]:
    """Milliseconds a step of the default, by part."""
    torch.set_num_threads(1)
    loop = make_loop("default", model, options)
    assert isinstance(loop, OurLoop)
    segmenter = loop.method.segmenter
    inner: Counter[str] = Counter()

    def told(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed_call(*given: Any) -> Any:
            with timed(inner, f"{name}, {'student' if torch.is_grad_enabled() else 'teacher'}"):
                return call(*given)

        return timed_call

    for name in ("encode", "_decode"):
        setattr(segmenter, name, told(name.strip("_"), getattr(segmenter, name)))
    batch = make_batch(segmenter, options.images, objects, options.device)
    loop.step(batch)  # asks the source model, which is remembered
    inner.clear()
    loop.seconds.clear()
    for _ in range(options.steps):
        loop.step(batch)
    rest = loop.seconds.pop("forward") - sum(inner.values())
    parts = {**inner, "losses and the rest of the forward pass": rest, **loop.seconds}
    return {name: 1000 * seconds / options.steps for name, seconds in parts.items()}


def in_own_process(work: Callable[..., dict[str, float]], *given: Any) -> dict[str, float]:
    """Forked, so that nothing is imported again; torch has not computed anything before."""
    context = multiprocessing.get_context("spawn" if given[-1].device.startswith("cuda") else "fork")
    with context.Pool(1) as pool:
        return pool.apply(work, given)


def compare(model: str, objects: int, options: argparse.Namespace) -> None:
    arms = options.arm or QUICK
    runs: dict[str, list[dict[str, float]]] = {arm: [] for arm in arms}
    for _ in range(options.rounds):
        for arm in arms:
            runs[arm].append(in_own_process(measure, arm, model, objects, options))
    print(f"\n{model}, {options.images} image(s) a step, {objects} object(s) an image, {options.device}\n")
    print("| loop | images a second | of plain | first step, s | peak MB | of plain |")
    print("| --- | --- | --- | --- | --- | --- |")
    middle = {arm: {key: statistics.median(run[key] for run in of) for key in of[0]} for arm, of in runs.items()}
    plain = middle.get("plain", {"rate": math.nan, "peak": math.nan})
    for arm, one in middle.items():
        ratios = f"{one['rate'] / plain['rate']:.2f}", f"{one['peak'] / plain['peak']:.2f}"
        print(f"| {arm} | {one['rate']:.3g} | {ratios[0]} | {one['first']:.2f} | {one['peak']:.0f} | {ratios[1]} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="as for wesam adapt, or vit-b-random; repeatable")
    parser.add_argument("--objects", type=int, action="append", help="an image; repeatable (default: 1 and 40)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--images", type=int, default=2, help="a step")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--arm", action="append", choices=ARMS)
    parser.add_argument("--no-profile", action="store_true")
    options = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    for model in options.model or ["wesam-tiny", "wesam-edge"]:
        for objects in options.objects or [1, 40]:
            compare(model, objects, options)
            if not options.no_profile:
                parts = in_own_process(profiled, model, objects, options)
                whole = sum(parts.values())
                print("\n| part of a default step | ms | of it |\n| --- | --- | --- |")
                for name, milliseconds in sorted(parts.items(), key=lambda part: -part[1]):
                    print(f"| {name} | {milliseconds:.0f} | {100 * milliseconds / whole:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
