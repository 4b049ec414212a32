"""Input formats for tests that need no network."""

from __future__ import annotations

from wesam.frames.input_format import InputFormat

_GREY = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def padded(size: int, grid: int = 16) -> InputFormat:
    return InputFormat(size, grid, *_GREY, "pad")


def stretched(size: int, grid: int = 16) -> InputFormat:
    return InputFormat(size, grid, *_GREY, "stretch")
