"""What SAM 2's and EdgeTAM's own checkpoints hold for videos, beside the promptable part.

Nothing here computes with it. It is kept aside as it was read, so that the whole file can be written again for the
publisher's own code, which takes no file without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from wesam.errors import WesamError

_VIDEO = re.compile(
    r"(memory_attention|memory_encoder|mask_downsample|obj_ptr_proj|obj_ptr_tpos_proj|spatial_perceiver)\.|"
    r"(maskmem_tpos_enc|no_mem_pos_enc|no_obj_ptr|no_obj_embed_spatial)$"
)
_KEPT = "publishers_video_part"


def split_video_part(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A checkpoint's promptable part, and what is for videos."""
    video = {name: tensor for name, tensor in state.items() if _VIDEO.match(name)}
    return {name: tensor for name, tensor in state.items() if name not in video}, video


def keep_video_part(network: Any, video: Mapping[str, Tensor]) -> None:
    """Puts it beside a network; copies of the network have it too, its `state_dict` has not."""
    setattr(network, _KEPT, dict(video))


def kept_video_part(network: Any, kind: str) -> dict[str, Tensor]:
    """What `keep_video_part` has put there.

    Raises:
        WesamError: if there is nothing, as in models of other sources than the publisher's own file.
    """
    video: dict[str, Tensor] = getattr(network, _KEPT, {})
    if not video:
        raise WesamError(
            f"the original {kind} format cannot hold this model: it also has a part for videos (memory_attention and "
            f"so on), which this model's source has not. Give the publisher's own file of the same weights as the "
            f"model, or export to transformers"
        )
    return video
