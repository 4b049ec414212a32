"""Speed and peak memory of one adaptation step, beside a plain transcription of the paper's loop.

    python benchmarks/adapt_step.py --model wesam-tiny --instances 40
    python benchmarks/adapt_step.py --model vit-b-random --instances 40 --steps 2 --images 1
    python benchmarks/adapt_step.py --model wesam-tiny --scaling      # 1, 10, 100, 1000 instances an image
    python benchmarks/adapt_step.py --model wesam-tiny --profile      # where the time goes

Every arm runs in a process of its own on the same model, images and boxes, so that peak memory is its own. Arms take
turns (`--rounds`), and the median is reported: machines are noisy, ratios within one run are what to read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from typing import Any

import torch
from plain_loop import PlainLoop
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import SamConfig, SamModel

from wesam.batches.batch import Batch
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates.load import load_segmenter
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of

# "wesam" are the paper's losses and teacher, as the plain loop has them; "default" is what the package does.
ARMS = ("plain", "wesam", "wesam-cached", "wesam-bf16", "wesam-bf16-cached", "default")


def make_segmenter(model: str, precision: str, device: str) -> Segmenter:
    if model == "vit-b-random":  # SAM ViT-B's architecture; random weights cost the same time
        torch.manual_seed(0)
        config = SamConfig(vision_config={"initializer_range": 0.02})
        segmenter = Segmenter(SamModel(config), name=model, precision=precision).to(device)
    else:
        segmenter = load_segmenter(model, device=device, precision=precision)
    add_update(segmenter, LoraSettings(), seed=0)
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

    def __init__(self, segmenter: Segmenter, settings: WesamSettings, cached: bool) -> None:
        self.method = Wesam(segmenter, settings)
        if not cached:
            self.method.anchor.cache.max_bytes = 0
        self.parameters = update_of(segmenter).parameters()
        self.optimiser = torch.optim.Adam(self.parameters, lr=1e-4, weight_decay=1e-4)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        with record_function("forward"):
            losses = self.method(batch)
        with record_function("backward"):
            losses["total"].backward()
        with record_function("optimiser"):
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.method.after_step()
        return losses


def settings_of(arm: str) -> WesamSettings:
    if arm.startswith("default"):
        return WesamSettings()
    return WesamSettings(
        as_published=True, teacher="shared", contrastive_weight=1, student_prompt_weight=0, box_projection_weight=0
    )


def make_loop(arm: str, arguments: argparse.Namespace, instances: int) -> tuple[Any, Batch]:
    segmenter = make_segmenter(arguments.model, "bf16" if "bf16" in arm else "fp32", arguments.device)
    batch = make_batch(segmenter, arguments.images, instances, arguments.device)
    loop = (
        PlainLoop(segmenter)
        if arm == "plain"
        else OurLoop(segmenter, settings_of(arm), "cached" in arm or "default" in arm)
    )
    return loop, batch


def measure(arm: str, arguments: argparse.Namespace, instances: int, answer: Any) -> None:
    """Child process: times steps after one warm-up step, and reads the peak memory above the start."""
    torch.set_num_threads(arguments.threads)
    cuda = arguments.device.startswith("cuda")
    loop, batch = make_loop(arm, arguments, instances)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loop.step(batch)
    began = time.perf_counter()
    for _ in range(arguments.steps):
        loop.step(batch)
    if cuda:
        torch.cuda.synchronize()
    seconds = (time.perf_counter() - began) / arguments.steps
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else after - before
    answer.put({"images_per_second": arguments.images / seconds, "peak_mb": peak})


def in_own_process(arm: str, arguments: argparse.Namespace, instances: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=measure, args=(arm, arguments, instances, answer))
    process.start()
    process.join()
    if process.exitcode != 0:
        return {"images_per_second": float("nan"), "peak_mb": float("nan")}
    result: dict[str, float] = answer.get()
    return result


def compare(arguments: argparse.Namespace) -> None:
    rows: dict[str, list[dict[str, float]]] = {arm: [] for arm in arguments.arms}
    for _ in range(arguments.rounds):
        for arm in arguments.arms:
            rows[arm].append(in_own_process(arm, arguments, arguments.instances))
    print(f"{arguments.model}, {arguments.images} image(s) x {arguments.instances} instances, {arguments.device}")
    print("| loop | images/s | x plain | peak MB above start | of plain |\n| --- | --- | --- | --- | --- |")
    middle = {arm: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for arm, runs in rows.items()}
    plain = middle.get("plain", {"images_per_second": float("nan"), "peak_mb": float("nan")})
    for arm, values in middle.items():
        speed, peak = values["images_per_second"], values["peak_mb"]
        print(
            f"| {arm} | {speed:.3g} | {speed / plain['images_per_second']:.2f} | {peak:.0f} | "
            f"{peak / plain['peak_mb']:.2f} |"
        )
    print(json.dumps({"settings": vars(arguments), "runs": rows}))


def scaling(arguments: argparse.Namespace) -> None:
    print("| instances an image | images/s | peak MB above start |\n| --- | --- | --- |")
    for instances in (1, 10, 100, 1000):
        values = in_own_process("wesam", arguments, instances)
        print(f"| {instances} | {values['images_per_second']:.3g} | {values['peak_mb']:.0f} |")


def profiled(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    loop, batch = make_loop("wesam", arguments, arguments.instances)
    loop.step(batch)
    with profile(activities=[ProfilerActivity.CPU]) as run:
        for _ in range(arguments.steps):
            loop.step(batch)
    print(run.key_averages().table(sort_by="self_cpu_time_total", row_limit=18, max_name_column_width=40))
    for event in run.key_averages():
        if event.key in {"forward", "backward", "optimiser"}:
            print(f"{event.key}: {event.cpu_time_total / 1e3 / arguments.steps:.1f} ms a step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="wesam-tiny", help="as for wesam adapt, or vit-b-random")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=2, help="images a step")
    parser.add_argument("--instances", type=int, default=40, help="instances an image")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    if arguments.scaling:
        scaling(arguments)
    elif arguments.profile:
        profiled(arguments)
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
