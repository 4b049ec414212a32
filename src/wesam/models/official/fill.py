"""Between a publisher's tensors and a network of transformers', once the architecture is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from wesam.errors import WesamError
from wesam.models.official.decoder import FREQUENCIES, SECOND_FREQUENCIES, Rules, iou_head_depth, publisher_name
from wesam.models.official.shapes import check_shapes

# Later families hold the embeddings of the kinds of points as one tensor, publishers as one each.
_POINTS = "prompt_encoder.point_embed"


def read_network(state: Mapping[str, Tensor], kind: str, build: Callable[[], Any], rules: Rules) -> Any:
    """A network that holds a publisher's tensors, in float32 (shared where they are), in evaluation mode.

    Args:
        state: tensors by the publisher's names.
        kind: what the network is, in the message of an error.
        build: makes the network of transformers'; its weights do not matter.
        rules: from its names to the publisher's.

    Raises:
        WesamError: if there is no such network, or a tensor is missing, unknown or of another shape.
    """
    try:
        with torch.device("meta"):
            network = build()
    except ValueError as error:  # widths that the heads do not divide
        raise WesamError(f"expected the shapes of a {kind}, got ones of which none can be built: {error}") from error
    shapes = publisher_tensors(network.state_dict(), rules)
    check_shapes(state, kind, {name: tuple(tensor.shape) for name, tensor in shapes.items()})
    names = _names(_single(network.state_dict()), rules)
    own = {name: _float32(state[publisher]) for name, publisher in names.items()}
    if f"{_POINTS}.weight" in network.state_dict():
        own[f"{_POINTS}.weight"] = torch.cat([own.pop(name) for name in sorted(own) if name.startswith(f"{_POINTS}.")])
    own[SECOND_FREQUENCIES] = own[FREQUENCIES].clone()
    network.load_state_dict(own, assign=True)
    network.tie_weights()
    return network.eval()


def publisher_tensors(state: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """The tensors of a network of transformers' under the publisher's names.

    Args:
        state: tensors by transformers' names.
        rules: from these to the publisher's.

    Raises:
        WesamError: if the two copies of the positional frequencies differ, of which publishers hold one.
    """
    tensors = _single(state)
    return {publisher: tensors[name] for name, publisher in _names(tensors, rules).items()}


def _single(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the second frequencies, and with one tensor for each kind of point."""
    tensors = dict(state)
    second = tensors.pop(SECOND_FREQUENCIES, None)
    first = tensors.setdefault(FREQUENCIES, second) if second is not None else tensors.get(FREQUENCIES)
    if first is not None and second is not None and not first.is_meta and not torch.equal(first, second):
        raise WesamError(f"{SECOND_FREQUENCIES} and {FREQUENCIES} differ: the publisher's format holds one of them")
    points = tensors.pop(f"{_POINTS}.weight", None)
    if points is not None:
        tensors |= {f"{_POINTS}.{kind}.weight": points[kind : kind + 1] for kind in range(len(points))}
    return tensors


def _names(tensors: Mapping[str, Tensor], rules: Rules) -> dict[str, str]:
    depth = iou_head_depth(tensors)
    return {name: publisher_name(name, rules, depth) for name in tensors}


def _float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
