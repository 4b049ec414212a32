"""`--page` and `--bands`: every command that looks at pixels looks at the same ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from safetensors.numpy import load_file

from tests.cli.conftest import FAST, wesam
from tests.conftest import ImageSet

BANDS = ("--page", 2, "--bands", "4,2,1")


@pytest.fixture(scope="module")
def stacks(image_set: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of `image_set` as the fourth, second and first band of the second of two pages."""
    folder = tmp_path_factory.mktemp("stacks")
    for path in sorted(image_set.images.iterdir()):
        red, green, blue = np.moveaxis(np.array(Image.open(path)), -1, 0)
        page = np.stack([blue, green, red * 0, red])
        tifffile.imwrite(
            folder / path.name,
            np.stack([page * 0, page]),
            photometric="minisblack",
            planarconfig="separate",
            extrasamples=["unspecified"] * 3,
        )
    return folder


@pytest.mark.parametrize("command", ["predict", "evaluate", "prompts", "check", "adapt"])
def test_stacks_and_bands_are_refused_until_chosen(
    command: str, image_set: ImageSet, stacks: Path, model_folder: Path, tmp_path: Path
) -> None:
    labels = () if command == "prompts" else ("--labels", image_set.masks)
    model = () if command == "check" else ("--model", model_folder, "--out", tmp_path / "out")
    for given, message in (((), "a stack of 2: --page N"), (("--page", 2), "got 4, of which")):
        result = wesam(command, *model, "--images", stacks, *labels, *given)
        assert result.exit_code == 1
        assert message in result.output
    result = wesam(command, *model, "--images", stacks, *labels, "--page", 2, "--bands", "red")
    assert result.exit_code == 2
    assert "3,2,1" in result.output


def test_chosen_pages_and_bands_are_what_is_checked_and_segmented(
    image_set: ImageSet, stacks: Path, model_folder: Path, tmp_path: Path
) -> None:
    labels, model = ("--labels", image_set.masks), ("--model", model_folder)
    assert "6 images" in wesam("check", "--images", stacks, *labels, *BANDS).output
    written = []
    for images, given in ((image_set.images, ()), (stacks, BANDS)):
        out = tmp_path / images.name
        result = wesam("predict", *model, "--images", images, *labels, "--out", out, *given)
        assert result.exit_code == 0, result.output
        written.append([path.read_bytes() for path in sorted(out.rglob("*.json"))])
    assert written[0]
    assert written[0] == written[1]


def test_a_run_adapts_to_the_chosen_bands_and_goes_on_with_no_others(
    image_set: ImageSet, stacks: Path, model_folder: Path, finished_run: Path, tmp_path: Path
) -> None:
    data = ("--model", model_folder, "--images", stacks, "--labels", image_set.boxes, "--out", tmp_path / "run")
    result = wesam("adapt", *data, *BANDS, *FAST)
    assert result.exit_code == 0, result.output
    ours, theirs = (
        load_file(run / "adapter" / "adapter_model.safetensors") for run in (tmp_path / "run", finished_run)
    )
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    other = wesam("adapt", "--resume", "--out", tmp_path / "run", "--bands", "1,2,4")
    assert other.exit_code == 1
    assert "bands" in other.output
