"""From a label file of each format to an adapter, by the commands alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import FAST, wesam
from tests.labels.test_formats import EXAMPLES, examples

# All knowledge that labels can give, whatever kinds of labels a format has.
KNOWLEDGE = ("point_weight=1", "box_projection_weight=1", "student_prompt_weight=1")
MASKS = "masks"


def write_labels(root: Path, name: str) -> Path:
    """Writes the documentation's example of a format, for `photos/a.png` of 60 x 40 pixels, and says where it is."""
    labels = root / Path(name).parts[0]
    if name == MASKS:
        labels.mkdir()
        values = np.zeros((40, 60), np.uint8)
        values[5:25, 10:30] = 1
        values[20:35, 40:55] = 2
        Image.fromarray(values).save(labels / "a.png")
        return labels
    for written in [name, "labels/data.yaml"] if name.endswith(".txt") else [name]:
        (root / written).parent.mkdir(exist_ok=True)
        (root / written).write_text(examples()[written], encoding="utf-8")
    return labels


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EXAMPLES, MASKS])
def test_check_and_adapt_take_every_format(name: str, tmp_path: Path, model_folder: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photos / "a.png")
    data = ("--images", photos, "--labels", write_labels(tmp_path, name))

    checked = wesam("check", *data)
    assert checked.exit_code == 0, checked.output
    assert "1 image" in checked.output
    switches = [part for key in KNOWLEDGE for part in ("--set", f"method.{key}")]
    switches += ["--set", "previews=0", "--set", "trackers=[]"]
    out = tmp_path / "run"
    adapted = wesam("adapt", "--model", model_folder, *data, "--out", out, *FAST, *switches)
    assert adapted.exit_code == 0, adapted.output
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
