"""Files that pose as weights: none of them runs code, each is refused."""

from __future__ import annotations

import pickle
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tests.tiny import tiny_segmenter
from wesam.errors import WesamError
from wesam.training.checkpoint import load_checkpoint
from wesam.updates.load import load_segmenter
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of


class _RunsCode:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.witness,)  # type: ignore[return-value]


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """A file that appears if hostile code runs."""
    return tmp_path / "pwned"


@pytest.fixture(params=["pickle", "torch zip"])
def poison(request: pytest.FixtureRequest, tmp_path: Path, witness: Path) -> Path:
    path = tmp_path / "poison"
    if request.param == "pickle":
        path.write_bytes(pickle.dumps({"weight": _RunsCode(witness)}))
    else:
        torch.save({"weight": _RunsCode(witness)}, path)
    return path


def test_the_poison_works_where_nobody_looks(poison: Path, witness: Path) -> None:
    with suppress(RuntimeError):  # a bare pickle is no checkpoint, but that is found out after it was read
        torch.load(poison, weights_only=False)
    assert witness.exists()


def test_an_original_checkpoint(poison: Path, tmp_path: Path, witness: Path) -> None:
    with pytest.raises(WesamError, match="expected an original SAM checkpoint"):
        load_segmenter(shutil.copy(poison, tmp_path / "sam.pth"), device="cpu")
    assert not witness.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_transformers_folder(poison: Path, tmp_path: Path, witness: Path, model_folder: Path, name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(model_folder / "config.json", folder)
    shutil.copy(poison, folder / name)
    with pytest.raises(WesamError, match="expected a whole SAM"):
        load_segmenter(folder, device="cpu")
    assert not witness.exists()


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter(poison: Path, tmp_path: Path, witness: Path, model_folder: Path, name: str) -> None:
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(), seed=0)
    update_of(segmenter).save(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    shutil.copy(poison, tmp_path / "adapter" / name)
    with pytest.raises(WesamError, match="adapter"):
        load_segmenter(model_folder, tmp_path / "adapter", device="cpu")
    assert not witness.exists()


def test_the_optimiser_of_a_checkpoint(poison: Path, tmp_path: Path, witness: Path) -> None:
    folder = tmp_path / "step-0000001"
    folder.mkdir()
    (folder / "state.json").write_text('{"step": 1}')
    shutil.copy(poison, folder / "optimiser.pt")
    with pytest.raises(WesamError, match="expected a whole checkpoint"):
        load_checkpoint(folder)
    assert not witness.exists()


def test_code_that_a_model_brings_along(tmp_path: Path, witness: Path, model_folder: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    config = (folder / "config.json").read_text().rstrip().removesuffix("}")
    (folder / "config.json").write_text(config + ', "auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"}}')
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(witness)!r}).touch()\nclass Evil: pass\n")
    load_segmenter(folder, device="cpu")
    assert not witness.exists()
