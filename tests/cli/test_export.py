"""`wesam export`: what it writes is a plain SAM, and nothing is overwritten unasked."""

from __future__ import annotations

from pathlib import Path

from transformers import SamModel

from tests.cli.conftest import wesam


def test_export_to_transformers_loads_without_us(finished_run: Path, model_folder: Path, tmp_path: Path) -> None:
    model = ("--model", model_folder, "--adapter", finished_run / "adapter")
    result = wesam("export", *model, "--to", "transformers", "--out", tmp_path / "merged")
    assert result.exit_code == 0, result.output
    SamModel.from_pretrained(tmp_path / "merged")
    again = wesam("export", *model, "--to", "transformers", "--out", tmp_path / "merged")
    assert again.exit_code == 1
    assert str(tmp_path / "merged") in again.stderr.replace("\n", "")
