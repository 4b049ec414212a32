"""Pictures among images that were made of them: masks and flows of Cellpose, the masks of the Data Science Bowl."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Endings that tools and data sets put behind the name of an image for its mask.
MASK_ENDINGS = ("_mask", "_masks", "_cp_masks", "_seg", "_segmentation", "_Segmentation", "_gt")

_ENDINGS = (*MASK_ENDINGS, "_flows", "_cp_flows", "_cp_output", "_cp_outlines", "_outlines", "_cellprob", "_dP")


def without_derived(images: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The images, and apart from them those that were made of one of them.

    Args:
        images: of a folder and its sub-folders.

    Returns:
        Those of which none is called as another with such an ending behind it, such as "a_cp_masks.png" beside "a.tif",
        nor lies in "masks" beside a folder "images"; and the others.
    """
    names = {path.with_suffix("") for path in images}
    folders = {path.parent for path in images}

    def is_derived(path: Path) -> bool:
        bases = (path.stem.removesuffix(ending) for ending in _ENDINGS if path.stem.endswith(ending))
        own_folder = path.parent.name == "masks" and path.parent.with_name("images") in folders
        return own_folder or any(path.with_name(base).with_suffix("") in names for base in bases if base)

    derived = {path for path in images if is_derived(path)}
    return [path for path in images if path not in derived], [path for path in images if path in derived]
