"""One of each kind from outside the package: a file with what is below between two rulers, and its `register` line.

docs/architecture.md, "What to touch", points here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from typer.testing import CliRunner

from tests.conftest import ImageSet
from wesam import cli
from wesam.batches.batch import Batch
from wesam.cli.command import Outcome, as_command
from wesam.export import exporters
from wesam.frames.input_format import InputFormat
from wesam.labels import formats
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.format import Format
from wesam.labels.label_set import LabelSet
from wesam.methods import registry
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.term import Term, weighted_sum
from wesam.models import families
from wesam.models.family import Answer, Target
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates import kinds
from wesam.updates.own_weights import OwnWeights
from wesam.updates.part import Part
from wesam.updates.settings import UpdateSettings

# ---------------------------------------------------------------------------------------------- a label format


def read_lines(labels: Path, images: Path) -> LabelSet:
    """A line for each object: image, x0, y0, x1, y1."""
    builder = LabelBuilder(labels.name, images)
    marks: dict[str, list[Mark]] = {}
    for number, line in enumerate(labels.read_text().splitlines(), start=1):
        name, *box = line.split()
        x0, y0, x1, y1 = map(float, box)
        marks.setdefault(name, []).append(Mark(f"line {number}", box=(x0, y0, x1, y1)))
    for name, own in marks.items():
        file = builder.claim(own[0].field, builder.folder.find, name)
        if file is not None:
            builder.add(file, own)
    return builder.build()


LINES = Format(read_lines, "lines: a .boxes file", is_file=lambda path, head: path.suffix == ".boxes")

# ---------------------------------------------------------------------------------------------- a model family


class Blob(nn.Module):
    """A mask is where the image is bright, within the box."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(model_type="blob")
        self.encoder = nn.Conv2d(3, 8, kernel_size=4, stride=4)
        self.decoder = nn.Conv2d(8, 1, kernel_size=1)


class BlobFamily:
    model_type = "blob"
    also: tuple[str, ...] = ()
    image_processor = processor = ""
    block = r"encoder"
    learning_rate = 1e-2
    targets: Mapping[Target, str] = {"encoder": r"encoder\..*", "decoder": r"decoder\..*"}

    def load(self, source: str, local: bool) -> nn.Module:
        network = Blob()
        network.load_state_dict(load_file(Path(source) / "model.safetensors"))
        return network.eval()

    def input_format(self, config: Any, processor: Mapping[str, Any]) -> InputFormat:
        return InputFormat(64, 16, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "pad")

    def outputs(self, config: Any) -> int:
        return 1

    def encode(self, network: Any, pixels: Tensor) -> Features:
        return Features(network.encoder(pixels))

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        logits = network.decoder(features.pooled[image_index])
        if prompts.boxes is not None:
            x0, y0, x1, y1 = (prompts.boxes / 4).round().unbind(1)
            at = torch.arange(16)
            columns = (at >= x0[:, None]) & (at < x1[:, None])
            rows = (at >= y0[:, None]) & (at < y1[:, None])
            logits = logits - 20 * ~(rows[:, None, :, None] & columns[:, None, None, :])
        return logits, logits.sigmoid().mean((2, 3))


# ---------------------------------------------------------------------------------------------- what learns


class BiasSettings(UpdateSettings):
    """The encoder's bias."""

    kind: Literal["bias"] = "bias"

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        return [OwnWeights(segmenter.network, ["encoder.bias"], self.rate)]


# ---------------------------------------------------------------------------------------------- a loss, and a method


def brightness(branches: Branches, batch: Batch) -> Tensor:
    """(N,) how far from certain the masks of the strong view are."""
    return branches.student_strong.logits.sigmoid().mean((1, 2))


class DimSettings(MethodSettings):
    """Its weight."""

    name: Literal["dim"] = "dim"
    weight: float = 2.0


class Dim(Method):
    """Makes masks smaller."""

    shown: ClassVar[tuple[str, ...]] = ("total", "brightness")

    def losses(self, batch: Batch) -> Losses:
        assert isinstance(self.settings, DimSettings)
        term = Term("brightness", self.settings.weight, "object", brightness)
        return weighted_sum([term], Branches(self.segmenter, batch), batch)


# ---------------------------------------------------------------------------------------------- an exporter


def export_listing(segmenter: Segmenter, out: str | Path, overwrite: bool = False) -> None:
    """The mean of each weight, as text."""
    weights = segmenter.update.merged().state_dict()  # type: ignore[union-attr]
    Path(out).write_text(json.dumps({name: float(weight.mean()) for name, weight in weights.items()}))


# ---------------------------------------------------------------------------------------------- a command


def count(images: Path) -> Outcome:
    """Count the images in a folder."""
    return Outcome({"images": len(list(images.iterdir()))})


# ----------------------------------------------------------------------------------------------


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the above registered, for one test."""
    for module, name in (
        (formats, "_FORMATS"),
        (families, "_FAMILIES"),
        (kinds, "_KINDS"),
        (registry, "_METHODS"),
        (exporters, "_EXPORTERS"),
    ):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))
    monkeypatch.setattr(cli.app, "registered_commands", list(cli.app.registered_commands))

    formats.register("lines", LINES)
    families.register(BlobFamily())
    kinds.register(BiasSettings)
    registry.register(DimSettings, Dim)
    exporters.register("blob", "listing", export_listing)
    cli.app.command()(as_command(count))


def wesam(*arguments: object) -> Any:
    """Runs a command with --json; what it prints as results."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in (*arguments, "--json")])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "blob"}')
    torch.manual_seed(0)
    save_file(Blob().state_dict(), folder / "model.safetensors")
    return folder


def test_one_of_each_from_outside_works_from_end_to_end(
    extended: None, image_set: ImageSet, model: Path, tmp_path: Path
) -> None:
    coco = json.loads(image_set.boxes.read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    corners = [(names[one["image_id"]], *one["bbox"]) for one in coco["annotations"]]
    labels = tmp_path / "labels.boxes"
    labels.write_text("".join(f"{name} {x} {y} {x + w} {y + h}\n" for name, x, y, w, h in corners))

    assert wesam("count", image_set.images) == {"images": 6}
    data = ("--images", image_set.images, "--labels", labels)
    assert wesam("check", *data)["summary"]["boxes"] == len(corners)

    quick = ("--set", "steps=4", "--set", "device=cpu", "--set", "trackers=[]", "--set", "previews=0")
    run = tmp_path / "run"
    chosen = ("--method", "dim", "--set", "method.weight=3", "--set", "update.kind=bias", *quick)
    masks = (
        "--val-labels",
        image_set.masks,
        "--set",
        "log_every=1",
        "--set",
        "learning_rate=1",
        "--set",
        "selection.rule=last",
    )
    done = wesam("adapt", "--model", model, *data, "--out", run, *chosen, *masks)
    assert done["summary"]["instances"] == len(corners)
    assert set(done["evaluation"]["prompts"]) >= {"box", "click"}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [row["brightness"] for row in rows if "brightness" in row]
    assert len(losses) == 4
    assert losses[-1] < losses[0]

    listing = tmp_path / "listing.json"
    wesam("export", "--model", model, "--adapter", run / "adapter", "--to", "listing", "--out", listing)
    adapted = json.loads(listing.read_text())
    source = {name: float(weight.mean()) for name, weight in load_file(model / "model.safetensors").items()}
    assert [name for name in source if abs(adapted[name] - source[name]) > 1e-6] == ["encoder.bias"]
