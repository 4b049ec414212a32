from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from wesam.errors import WesamError
from wesam.labels.yolo_lines import Layout, find_layout, read_line


def words(numbers: list[float]) -> list[str]:
    return [f"{number:.4f}" for number in numbers]


def poses(count: int, each: int, points: int = 5) -> list[list[str]]:
    """Boxes with key points all over them, seeded."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(count):
        x, y, w, h = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.5)
        line = words([x, y, w, h])
        for px, py in rng.uniform(-0.5, 0.5, (points, 2)):
            line += words([x + px * w, y + py * h]) + ["2"] * (each - 2)
        lines.append(line)
    return lines


def outlines(count: int, corners: int) -> list[list[str]]:
    """Ellipses, from their rightmost point on."""
    rng = np.random.default_rng(1)
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    lines = []
    for _ in range(count):
        x, y, w, h = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0.02, 0.3), rng.uniform(0.02, 0.3)
        lines.append(words(np.stack([x + w * np.cos(angles), y + h * np.sin(angles)], 1).ravel().tolist()))
    return lines


def test_key_points_with_visibility_need_no_other_file() -> None:
    layout = find_layout(poses(1, 3))
    assert (layout.keypoints, layout.notes) == ((5, 3), ("read as boxes with 5 key points (YOLO pose)",))
    assert len(read_line(poses(1, 3)[0], layout).points) == 5


def test_what_looks_like_key_points_without_visibility_is_refused() -> None:
    with pytest.raises(WesamError, match=r"key points \\(YOLO pose\\); .* kpt_shape: \\[5, 2\\]".replace("\\\\", "\\")):
        find_layout(poses(20, 2))
    assert find_layout(poses(20, 2), (5, 2)) == Layout((5, 2))


@pytest.mark.parametrize("corners", [3, 4, 5, 8, 12, 20])
def test_outlines_of_one_length_are_outlines(corners: int) -> None:
    layout = find_layout(outlines(30, corners))
    assert (layout.keypoints, layout.tracked) == (None, False)
    assert len(read_line(outlines(1, corners)[0], layout).outline) == 2 * corners


def test_turned_boxes_of_a_set_are_outlines() -> None:
    rng = np.random.default_rng(2)
    lines = []
    for _ in range(50):
        w, h, turn = rng.uniform(0.02, 0.3), rng.uniform(0.02, 0.3), rng.uniform(0, math.pi)
        corners = np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) / 2
        rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        lines.append(words((corners @ rotation + rng.uniform(0.3, 0.7, 2)).ravel().tolist()))
    layout = find_layout(lines)
    assert layout.keypoints is None
    assert ["4 corners" in note for note in layout.notes] == [True]


def test_no_lines_and_odd_ones() -> None:
    assert find_layout([]) == Layout()
    assert find_layout([[], ["x"], ["nan"] * 5, ["9" * 5000] * 8]) is not None


@pytest.mark.parametrize(("count", "points"), [(1, 12), (2, 5)])
def test_few_lines_that_cross_themselves_look_like_key_points(count: int, points: int) -> None:
    with pytest.raises(WesamError, match="YOLO pose"):
        find_layout(poses(count, 2, points))
    with pytest.raises(WesamError, match="YOLO pose"):
        find_layout([[*line, "0.87"] for line in poses(count, 2, points)])
    with pytest.raises(WesamError, match="YOLO pose"):
        find_layout([[*line, "0.87", "3"] for line in poses(count, 2, points)])


@pytest.mark.parametrize("corners", [3, 4, 5, 8, 12, 20])
@pytest.mark.parametrize("behind", [[], ["0.87"], ["0.87", "3"]])
def test_few_outlines_are_outlines(corners: int, behind: list[str]) -> None:
    for seed in range(20):
        lines = [[*line, *behind] for line in outlines(seed % 3 + 1, corners)]
        assert find_layout(lines).keypoints is None


def scored(count: int, points: int = 5) -> list[list[str]]:
    """Key points as a detector writes them: how sure it is of each; one that it does not see is nowhere."""
    lines = poses(count, 3, points)
    for line in lines:
        line[6::3] = [f"{0.95 - 0.05 * k:.2f}" for k in range(points)]
        line[-3:] = ["0.0", "0.0", "0.1"]
    return lines


@pytest.mark.parametrize("behind", [[], ["0.87"], ["0.87", "3"]])
@pytest.mark.parametrize("make", [poses, scored])
def test_what_detectors_write_of_key_points(make: Callable[..., list[list[str]]], behind: list[str]) -> None:
    lines = [[*line, *behind] for line in (make(4, 3) if make is poses else make(4))]
    layout = find_layout(lines)
    assert layout.keypoints == (5, 3)
    assert len(read_line(lines[0], layout).points) == (5 if make is poses else 4)
