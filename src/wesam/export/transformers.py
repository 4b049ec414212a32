"""An adapted model as a folder that transformers loads without this package."""

from __future__ import annotations

from pathlib import Path

from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from wesam.atomic import replaced_folder
from wesam.errors import WesamError
from wesam.segmenters.lora import merged_model
from wesam.segmenters.sam import SamSegmenter


def export_transformers(segmenter: SamSegmenter, out: str | Path, overwrite: bool = False) -> None:
    """Writes a plain `SamModel` with the adapter merged, and its processor; the segmenter stays as it is.

    `SamModel.from_pretrained(out)` and `SamProcessor.from_pretrained(out)` load it.

    Raises:
        WesamError: if `out` exists and `overwrite` is not set, or what exists is no model's folder.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise WesamError(f"{out}: expected a path that does not exist yet, got one that does (see overwrite)")
    if out.exists() and not (out / "config.json").is_file():
        raise WesamError(f"{out}: expected a model's folder with config.json to overwrite, got something else")
    side, mask_side = segmenter.input_size, segmenter.mask_grid
    processor = SamImageProcessorPil(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": mask_side},
        mask_pad_size={"height": mask_side, "width": mask_side},
        image_mean=list(segmenter.pixel_mean),
        image_std=list(segmenter.pixel_std),
        processor_class="SamProcessor",
    )
    with replaced_folder(out) as partial:
        merged_model(segmenter).save_pretrained(partial)
        processor.save_pretrained(partial)
