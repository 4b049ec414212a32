"""An adapted model as a folder that transformers loads without this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors import SafetensorError

from wesam.atomic import replaced_folder
from wesam.errors import WesamError
from wesam.models.pretrained import save_pretrained
from wesam.models.segmenter import Segmenter
from wesam.untrusted import read_json
from wesam.updates.update import merged_model

# What is written, and so what may be written over.
_FILES = frozenset({"config.json", "model.safetensors", "preprocessor_config.json"})


def export_transformers(segmenter: Segmenter, out: str | Path, overwrite: bool = False) -> None:
    """Writes the family's plain model with the update merged, and its processor; the segmenter stays as it is.

    transformers' own classes load it: of SAM `SamModel.from_pretrained(out)` and `SamProcessor.from_pretrained(out)`.

    Raises:
        WesamError: if `out` exists and `overwrite` is not set, or is no folder of the same family or holds more than
            that; or if it cannot be written.
    """
    out = Path(out)
    if out.exists() and not overwrite:
        raise WesamError(f"{out}: expected a path that does not exist yet, got one that does (see overwrite)")
    if out.exists():
        _check_nothing_is_lost(out, segmenter.family.model_type)
    try:
        with replaced_folder(out) as partial:
            save_pretrained(merged_model(segmenter), partial)
            text = json.dumps(_processor(segmenter), indent=2, sort_keys=True) + "\n"
            (partial / "preprocessor_config.json").write_text(text, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise WesamError(f"{out}: expected a folder that can be written, got: {error}") from error


def _processor(segmenter: Segmenter) -> dict[str, Any]:
    """The image processor's configuration. Written by hand: transformers' own classes may need torchvision."""
    side, grid = segmenter.input.size, segmenter.input.grid
    sizes: dict[str, Any] = {"size": {"height": side, "width": side}, "mask_size": {"height": grid, "width": grid}}
    if segmenter.input.fit == "pad":
        sizes = {
            "size": {"longest_edge": side},
            "mask_size": {"longest_edge": grid},
            "do_pad": True,
            "pad_size": {"height": side, "width": side},
            "mask_pad_size": {"height": grid, "width": grid},
        }
    return sizes | {
        "image_processor_type": segmenter.family.image_processor,
        "processor_class": segmenter.family.processor,
        "image_mean": list(segmenter.input.mean),
        "image_std": list(segmenter.input.std),
        "do_convert_rgb": True,
        "do_resize": True,
        "resample": int(Image.Resampling.BILINEAR),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
    }


def _check_nothing_is_lost(out: Path, model_type: str) -> None:
    """Whether a folder is of a model of this type and holds nothing beside it."""
    config = out / "config.json"
    if not config.is_file():
        raise WesamError(f"{out}: expected a model's folder with config.json to overwrite, got something else")
    content = read_json(config, "JSON")
    kind = content.get("model_type") if isinstance(content, dict) else None
    if kind != model_type:
        raise WesamError(f"{config}: model_type: expected {model_type} to overwrite, got {kind}")
    more = sorted({path.name for path in out.iterdir()} - _FILES)
    if more:
        raise WesamError(
            f"{out}: expected a folder with nothing but {', '.join(sorted(_FILES))} to overwrite, got {more[0]} too"
        )
