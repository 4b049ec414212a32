"""The losses again, slowly: plain loops over Python floats, transcribed from the formulas."""

from __future__ import annotations

import math

from torch import Tensor


def pixels(mask: Tensor) -> list[float]:
    return [float(value) for value in mask.double().flatten()]


def ones_like(mask: Tensor) -> list[float]:
    return [1.0] * mask.numel()


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def focal(logits: Tensor, target: Tensor, weight: Tensor | None = None, alpha: float = 0.5) -> float:
    """One instance, (H, W)."""
    weights = ones_like(logits) if weight is None else pixels(weight)
    total = 0.0
    for y, t, w in zip(pixels(logits), pixels(target), weights, strict=True):
        for side, share in ((1, t), (0, 1 - t)):
            p_t = sigmoid(y) if side == 1 else 1 - sigmoid(y)
            alpha_t = alpha if side == 1 else 1 - alpha
            total += share * w * alpha_t * (1 - p_t) ** 2 * -math.log(p_t)
    return total / sum(weights)


def dice(logits: Tensor, target: Tensor, weight: Tensor | None = None, eps: float = 1.0) -> float:
    """One instance, (H, W)."""
    weights = ones_like(logits) if weight is None else pixels(weight)
    overlap = total = 0.0
    for y, m, w in zip(pixels(logits), pixels(target), weights, strict=True):
        p = sigmoid(y)
        overlap += w * min(p, m)
        total += w * (p + m)
    return 1 - (2 * overlap + eps) / (total + eps)


def iou(first: Tensor, second: Tensor, weight: Tensor | None = None) -> float:
    """One pair of masks, (H, W)."""
    weights = ones_like(first) if weight is None else pixels(weight)
    both = either = 0.0
    for a, b, w in zip(pixels(first), pixels(second), weights, strict=True):
        both += w if a and b else 0.0
        either += w if a or b else 0.0
    return both / either if either else 0.0


def pool(features: Tensor, mask: Tensor) -> list[float] | None:
    """One instance: (C, g, g) under (m, m), m a multiple of g. None where the mask vanishes."""
    channels, g, _ = features.shape
    block = mask.shape[0] // g
    sums = [0.0] * channels
    area = 0.0
    for row in range(g):
        for column in range(g):
            cells = mask[row * block : (row + 1) * block, column * block : (column + 1) * block]
            share = sum(pixels(cells)) / block**2
            area += share
            for channel in range(channels):
                sums[channel] += share * float(features[channel, row, column])
    if area == 0:
        return None
    mean = [value / area for value in sums]
    length = math.sqrt(sum(value * value for value in mean))
    return [value / length for value in mean]


def contrastive(
    queries: list[list[float] | None],
    keys: list[list[float] | None],
    image_index: list[int],
    images: int,
    form: str,
    cross_image: bool,
    temperature: float = 0.3,
) -> float:
    """Entries of all images; a None entry is left out as a pair."""
    entries = [k for k, (q, a) in enumerate(zip(queries, keys, strict=True)) if q and a]

    def similarity(k: int, j: int) -> float:
        query, key = queries[k], keys[j]
        assert query is not None
        assert key is not None
        return math.exp(sum(q * a for q, a in zip(query, key, strict=True)) / temperature)

    total = 0.0
    for image in range(images):
        own = [k for k in entries if image_index[k] == image]
        against = entries if cross_image else own
        if not own:
            continue
        if form == "summed":
            positive = sum(similarity(k, k) for k in own)
            everything = sum(similarity(k, j) for k in own for j in against)
            total += -math.log(positive / everything)
        else:
            rows = [-math.log(similarity(k, k) / sum(similarity(k, j) for j in against)) for k in own]
            total += sum(rows) / len(rows)
    return total / images


def projection(logits: Tensor, box: list[float]) -> float:
    """One instance, in plain Python."""
    size = len(logits)
    p = [[1 / (1 + math.exp(-float(v))) for v in row] for row in logits]
    columns = [max(p[y][x] for y in range(size)) for x in range(size)]
    rows = [max(row) for row in p]
    loss = 0.0
    for projection, start, end in ((columns, box[0], box[2]), (rows, box[1], box[3])):
        target = [max(0.0, min(end, cell + 1) - max(start, cell)) for cell in range(size)]
        target = [share / max(target) for share in target]
        overlap = sum(a * b for a, b in zip(projection, target, strict=True))
        squares = sum(a * a for a in projection) + sum(b * b for b in target)
        loss += 1 - 2 * overlap / squares
    return loss


def partial(logits: Tensor, known: dict[tuple[int, int], bool]) -> float:
    """One instance, (H, W): cross-entropy of the known places, half for those on the object and half for those off."""
    sides: dict[bool, list[float]] = {}
    for (row, column), on in known.items():
        p = sigmoid(float(logits[row, column]))
        sides.setdefault(on, []).append(-math.log(p if on else 1 - p))
    return sum(sum(side) / len(side) for side in sides.values()) / len(sides) if sides else 0.0
