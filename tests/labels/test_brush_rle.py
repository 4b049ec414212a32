from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wesam.errors import WesamError
from wesam.labels.brush_rle import decode_brush

HEIGHT, WIDTH = 3, 5

# Written by hand from the description of the format: 3 x 1 pixels, 8-bit values, counts of 3, 4, 8 or 16 bits.
HEADER = f"{12:032b}" + f"{7:05b}" + f"{2:04b}{3:04b}{7:04b}{15:04b}"
RUNS = (
    "1" + "00" + f"{3:03b}" + f"{255:08b}"  # four times 255: the first pixel
    "0" + "01" + f"{3:04b}" + f"{9:08b}{9:08b}{9:08b}{0:08b}"  # four values: colour, but alpha 0
    "1" + "10" + f"{3:08b}" + f"{1:08b}"  # four times 1
)


def to_bytes(bits: str) -> list[int]:
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def encode(mask: np.ndarray, value: int = 255) -> list[int]:
    """Slow oracle: runs of equal values among red, green, blue and alpha, each of at most 8."""
    values = np.repeat(mask.ravel() * value, 4).tolist()
    bits = f"{len(values):032b}" + HEADER[32:]
    while values:
        count = next((i for i, v in enumerate(values) if v != values[0] or i == 8), len(values))
        bits += f"100{count - 1:03b}{values[0]:08b}"
        del values[:count]
    return to_bytes(bits)


def test_a_stream_written_by_hand() -> None:
    assert decode_brush(to_bytes(HEADER + RUNS), 3, 1).tolist() == [[True, False, True]]
    assert decode_brush(to_bytes(HEADER + RUNS), 1, 3).tolist() == [[True], [False], [True]]


@given(st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH), st.sampled_from([1, 255]))
def test_what_was_encoded_is_decoded(pixels: list[bool], value: int) -> None:
    mask = np.array(pixels).reshape(HEIGHT, WIDTH)
    np.testing.assert_array_equal(decode_brush(encode(mask, value), WIDTH, HEIGHT), mask)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        (None, "from 0 to 255"),
        ("abc", "from 0 to 255"),
        ([0, 256], "from 0 to 255"),
        ([0, -1], "from 0 to 255"),
        ([0, 1.0], "from 0 to 255"),
        ([0, True], "from 0 to 255"),
        ([], "ends after 0 bytes"),
        (to_bytes(HEADER), "ends after 7 bytes"),
        (to_bytes(HEADER + RUNS)[:-3], "complete"),
        (to_bytes(f"{2**32 - 1:032b}" + HEADER[32:]), "of 12 values .* got 4294967295"),
        (to_bytes(HEADER + "111" + "1" * 16 + "0" * 8), "of 12 values, got more"),
    ],
)
def test_refused(rle: object, message: str) -> None:
    with pytest.raises(WesamError, match=message):
        decode_brush(rle, 3, 1)


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(tail: bytes) -> None:
    try:
        mask = decode_brush(to_bytes(HEADER)[:6] + list(tail), 3, 1)
    except WesamError:
        return
    assert mask.shape == (1, 3)
