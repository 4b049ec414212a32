"""When the frozen blocks of the encoder are remembered in a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wesam.models.segmenter import Segmenter
from wesam.models.trunk import Trunk, frozen_blocks

# For some 300 images of ViT-B's input with one strong view each, or 10,000 of a bundled model; of more images the first
# ones are remembered, and the others run anew.
_MAX_BYTES = 2**32


@contextmanager
def remembered_trunk(segmenter: Segmenter, fixed: int | None, max_bytes: int = _MAX_BYTES) -> Iterator[None]:
    """Within this context the segmenter remembers its trunk, where views come again and blocks are frozen.

    Args:
        fixed: views an image that are drawn once (`ViewSettings.fixed`).
        max_bytes: of memory.
    """
    if fixed is not None and frozen_blocks(segmenter) > 0:
        segmenter.trunk = Trunk(segmenter, max_bytes)
    try:
        yield
    finally:
        segmenter.trunk = None
