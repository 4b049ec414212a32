"""An adapted model as a folder that transformers loads without this package."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from wesam.atomic import replaced_folder
from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.untrusted import read_json
from wesam.updates.update import merged_model

# What is written, and so what may be written over.
_FILES = frozenset({"config.json", "model.safetensors", "preprocessor_config.json"})


def export_transformers(segmenter: Segmenter, out: str | Path, overwrite: bool = False) -> None:
    """Writes a plain `SamModel` with the adapter merged, and its processor; the segmenter stays as it is.

    `SamModel.from_pretrained(out)` and `SamProcessor.from_pretrained(out)` load it.

    Raises:
        WesamError: if `out` exists and `overwrite` is not set, or is no SAM's folder or holds more than that; or if it
            cannot be written.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise WesamError(f"{out}: expected a path that does not exist yet, got one that does (see overwrite)")
    if out.exists():
        _check_nothing_is_lost(out)
    side, mask_side = segmenter.input_size, segmenter.mask_grid
    processor = SamImageProcessorPil(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": mask_side},
        mask_pad_size={"height": mask_side, "width": mask_side},
        image_mean=list(segmenter.input.mean),
        image_std=list(segmenter.input.std),
        processor_class="SamProcessor",
    )
    try:
        with replaced_folder(out) as partial:
            merged_model(segmenter).save_pretrained(partial)
            processor.save_pretrained(partial)
    except (OSError, SafetensorError) as error:
        raise WesamError(f"{out}: expected a folder that can be written, got: {error}") from error


def _check_nothing_is_lost(out: Path) -> None:
    """Whether a folder is a SAM's and holds nothing beside it."""
    config = out / "config.json"
    if not config.is_file():
        raise WesamError(f"{out}: expected a SAM's folder with config.json to overwrite, got something else")
    content = read_json(config, "JSON")
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind != "sam":
        raise WesamError(f"{config}: model_type: expected sam to overwrite, got {kind}")
    more = sorted({path.name for path in out.iterdir()} - _FILES)
    if more:
        raise WesamError(
            f"{out}: expected a folder with nothing but {', '.join(sorted(_FILES))} to overwrite, got {more[0]} too"
        )
