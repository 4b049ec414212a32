"""The training loop of `wesam-edge`: resumable at any step, the same weights whether or not it was interrupted."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn

from recipes.edge.backbone import load_published, published_weights
from recipes.edge.network import EdgeNet
from recipes.edge.optimisers import build_optimisers, factor, plateau_end, set_rates
from recipes.edge.probe import no_network, probe, probe_sets
from recipes.edge.settings import Settings
from recipes.edge.step import step_losses, total
from recipes.edge.warm import warm_start
from recipes.pretraining.batches import Stepwise
from recipes.pretraining.pool import draw_pool
from wesam.errors import WesamError

#: The warm start looks at batches that no step will learn from.
_WARM_FROM = 10**6

_EMA = 0.998


class Run:
    """The state of a run: network, averaged weights, optimisers, step.

    Args:
        folder: gets `state.pt`, `curve.jsonl` and, if none is given, the pool of scenes.
        pool: folder of scenes drawn ahead; drawn where it is not there.

    Raises:
        WesamError: if the folder holds a run of other settings, the pool has other scenes, or the backbone's published
            weights are not there.
    """

    def __init__(self, folder: Path, settings: Settings, pool: Path | None = None, workers: int = 1) -> None:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.settings, self.step, self.seconds = folder, settings, 0, 0.0
        pool = pool or folder / "pool"
        draw_pool(pool, settings.shards, seed=settings.seed, count=settings.shard_scenes, workers=workers)
        self.batches = Stepwise(pool, settings.seed, 0, settings.images, settings.instances)
        expected, got = settings.shards * settings.shard_scenes, len(self.batches.pool)
        if expected != got:
            raise WesamError(f"pool {pool}: expected {expected} scenes, got {got}; give another folder")
        self.sums: dict[str, list[float]] = defaultdict(list)
        torch.manual_seed(settings.seed)
        self.net = EdgeNet()
        begun = self._read()
        if begun is None:
            load_published(self.net.backbone, published_weights())
            some = [self.batches[_WARM_FROM - 1 - i].pixels for i in range(settings.warm_batches)]
            explained = warm_start(self.net, torch.cat(some))
            self.log({"step": 0, "neck explains": round(explained, 3)})
        else:
            self.net.load_state_dict(begun["net"])
        self.optimisers = build_optimisers(self.net)
        self.average = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
        if begun is not None:
            self.average, self.step, self.seconds = begun["average"], begun["step"], begun["seconds"]
            for optimiser, saved in zip(self.optimisers, begun["optimisers"], strict=True):
                optimiser.load_state_dict(saved)

    def train(self, stop: int | None = None) -> None:
        """Goes on to the last step, or to `stop`."""
        settings = self.settings
        sets = probe_sets(settings.probe_scenes, settings.datasets) if settings.probe_scenes else {}
        if sets and self.step == 0:
            self.log({"step": 0, "no network": no_network(sets)})
        saved = time.monotonic()
        end = min(settings.steps, stop or settings.steps)
        while self.step < end:
            self.advance()
            if self.step % settings.log_every == 0:
                self.log(self.summary())
            if sets and self.step in self._marks():
                self.log({"step": self.step, "probe": probe(self.averaged(), sets)})
            if self.step == end or time.monotonic() - saved > 60 * settings.save_minutes:
                self.save()
                saved = time.monotonic()

    def advance(self) -> None:
        """One optimiser step."""
        started = time.process_time()
        set_rates(self.optimisers, self.step, self.settings.steps)
        losses = step_losses(self.net, self.batches[self.step], self.step)
        total(losses).backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_([p for p in self.net.parameters() if p.requires_grad], 5.0)
        if not torch.isfinite(norm):
            raise RuntimeError(f"step {self.step}: gradient norm is {norm.item()}")
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self._follow(min(_EMA, (self.step + 1) / (self.step + 10)))
        self.seconds += time.process_time() - started
        for name, value in {**losses, "norm": norm}.items():
            self.sums[name].append(float(value.detach()))

    def summary(self) -> dict[str, Any]:
        """Means since the last one."""
        settings, means = self.settings, {name: round(sum(v) / len(v), 3) for name, v in self.sums.items()}
        self.sums.clear()
        return {
            "step": self.step,
            "ms an image": round(1e3 * self.seconds / (self.step * settings.images)),
            "rate": round(factor(self.step, settings.steps), 3),
            **means,
        }

    def averaged(self) -> EdgeNet:
        """The averaged weights as a network of their own, for evaluation."""
        net = EdgeNet(self.net.size)
        net.load_state_dict(self.average)
        return net.eval()

    def log(self, row: dict[str, Any]) -> None:
        """One JSON line."""
        row = {
            "time": time.strftime("%H:%M:%S", time.gmtime()),
            "core minutes": round(self.seconds / 60, 2),
            "images": self.step * self.settings.images,
            **row,
        }
        with (self.folder / "curve.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def save(self) -> None:
        """Atomic: a reader or a crash never meets half a checkpoint."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average,
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "steps": self.settings.steps,
            "seconds": self.seconds,
            "identity": self.settings.identity(),
        }
        temporary = self.folder / "state.part"
        torch.save(state, temporary)
        temporary.replace(self.folder / "state.pt")

    def _read(self) -> dict[str, Any] | None:
        path, settings = self.folder / "state.pt", self.settings
        if not path.exists():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        for name, value in settings.identity().items():
            if state["identity"][name] != value:
                raise WesamError(
                    f"{self.folder}: {name}: the run there was begun with {state['identity'][name]}, "
                    f"got {value}; give another folder"
                )
        latest = min(plateau_end(settings.steps), plateau_end(state["steps"]))
        if state["steps"] != settings.steps and state["step"] > latest:
            raise WesamError(
                f"{self.folder}: the run there of {state['steps']} steps has made {state['step']}, and its rate falls "
                f"since {latest}; go on with as many steps, or give another folder"
            )
        return state

    def _marks(self) -> set[int]:
        settings = self.settings
        return {150, *range(settings.probe_every, settings.steps, settings.probe_every), settings.steps}

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        state = self.net.state_dict()
        names = [name for name, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.average[name] for name in names], [state[name] for name in names], 1 - decay)
