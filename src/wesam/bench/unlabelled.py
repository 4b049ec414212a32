"""Labels where nobody gave any: what the source model finds on the training images, and on no other."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from wesam.automatic.cache import CandidateCache
from wesam.automatic.generate import automatic_prompts
from wesam.automatic.settings import AutomaticSettings
from wesam.types import Sample
from wesam.updates.load import load_segmenter


def found_labels(model: str, device: str, samples: Sequence[Sample], path: Path) -> None:
    """Writes a COCO file of prompts that the source model finds; a run without labels would look at test images too."""
    segmenter = load_segmenter(model, device=device)
    settings = AutomaticSettings()
    bare = [sample.with_instances(()) for sample in samples]
    with tempfile.TemporaryDirectory() as folder:
        cache = CandidateCache(Path(folder), segmenter, settings.grid, None, 0)
        automatic_prompts(segmenter, bare, cache, settings).write(path)
