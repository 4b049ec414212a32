from __future__ import annotations

import pytest
import torch

from wesam.batches.batch import Batch
from wesam.types import Prompts


def batch(counts: list[int]) -> Batch:
    """Images of `counts` instances, every value of which tells whose it is."""
    images, instances = len(counts), sum(counts)
    pixels = torch.arange(images).float()[:, None, None, None].expand(-1, 3, 8, 8)
    return Batch(
        keys=tuple(f"{image}|key" for image in range(images)),
        sample_ids=tuple(f"{image}.png" for image in range(images)),
        weak=pixels,
        strong=pixels + 0.5,
        prompts=Prompts(boxes=torch.arange(instances).float()[:, None].expand(-1, 4)),
        image_index=torch.arange(images).repeat_interleave(torch.tensor(counts)),
        instance_ids=tuple(map(str, range(instances))),
        seeds=tuple(range(images)),
        valid=torch.arange(images).float()[:, None, None].expand(-1, 4, 4),
        outlines=-torch.arange(instances).float()[:, None, None].expand(-1, 4, 4),
        masks=torch.arange(instances).float()[:, None, None].expand(-1, 4, 4),
    )


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_parts_hold_every_image_once_with_its_own_instances(parts: int) -> None:
    whole = batch([2, 1, 3, 1])
    pieces = whole.split(parts)
    assert len(pieces) == parts
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
    assert sum((piece.sample_ids for piece in pieces), ()) == whole.sample_ids
    assert sum((piece.keys for piece in pieces), ()) == whole.keys
    assert sum((piece.seeds for piece in pieces), ()) == whole.seeds
    assert [rows.stop - rows.start for piece in pieces for rows in piece.rows] == [2, 1, 3, 1]
    assert sum((piece.instance_ids for piece in pieces), ()) == whole.instance_ids
    for name in ("weak", "strong", "valid", "outlines", "masks"):
        assert torch.equal(torch.cat([getattr(piece, name) for piece in pieces]), getattr(whole, name))
    for piece in pieces:
        owners = [piece.sample_ids[image] for image in piece.image_index.tolist()]
        expected = [whole.sample_ids[whole.image_index[int(name)]] for name in piece.instance_ids]
        assert owners == expected
        assert piece.prompts.boxes is not None
        assert piece.prompts.boxes[:, 0].tolist() == [float(name) for name in piece.instance_ids]


@pytest.mark.parametrize("parts", [0, 3])
def test_no_part_is_empty(parts: int) -> None:
    with pytest.raises(ValueError, match="1 to 2 parts"):
        batch([1, 1]).split(parts)
