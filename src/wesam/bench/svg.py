"""Two kinds of plots as inline SVG: bars, and lines against steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _BAR, _LEFT, _RIGHT = 640, 18, 190, 60
_HEIGHT, _MARGIN = 260, 44
_COLOURS = ("#1b6ca8", "#c1440e", "#2e7d32", "#6a3d9a", "#8d6e63", "#00838f", "#ad1457", "#546e7a")


def bars(title: str, values: Mapping[str, float]) -> str:
    """Horizontal bars around 0, in the order given; "" without values."""
    if not values:
        return ""
    low, high = min(0.0, *values.values()), max(0.0, *values.values())
    span = (high - low) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / span
    zero = _LEFT - low * scale
    height = 26 + _BAR * len(values)
    parts = [f'<text x="0" y="14" font-weight="bold">{escape(title)}</text>']
    for row, (name, value) in enumerate(values.items()):
        y = 24 + row * _BAR
        x = min(zero, zero + value * scale)
        colour = _COLOURS[0] if value >= 0 else _COLOURS[1]
        width = abs(value) * scale
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{_BAR - 5}" fill="{colour}"/>',
            f'<text x="{max(zero, x + width) + 5:.1f}" y="{y + 12}">{value:+.1f}</text>',
        ]
    parts.append(f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="22" y2="{height}" stroke="#333"/>')
    return _picture(height, parts)


def lines(title: str, curves: Mapping[str, Sequence[tuple[float, float]]], unit: str = "steps") -> str:
    """A line for each name through its (x, y) points, x from 0 on in the unit; "" without points."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    right = max(x for x, _ in points) or 1.0
    low, high = min(y for _, y in points), max(y for _, y in points)
    span = (high - low) or 1.0
    wide, tall = _WIDTH - _LEFT - _MARGIN, _HEIGHT - 2 * _MARGIN

    def place(x: float, y: float) -> str:
        return f"{_MARGIN + wide * x / right:.1f},{_MARGIN + tall * (high - y) / span:.1f}"

    parts = [
        f'<text x="0" y="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="0" y="{_MARGIN + 4}">{high:.1f}</text>',
        f'<text x="0" y="{_MARGIN + tall + 4}">{low:.1f}</text>',
        f'<text x="{_MARGIN}" y="{_HEIGHT - 14}">0</text>',
        f'<text x="{_MARGIN + wide}" y="{_HEIGHT - 14}" text-anchor="end">{right:.4g} {unit}</text>',
        f'<path fill="none" stroke="#999" d="M{_MARGIN},{_MARGIN}V{_HEIGHT - _MARGIN}H{_MARGIN + wide}"/>',
    ]
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        path = " ".join(place(x, y) for x, y in curve)
        parts += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>',
            f'<text x="{_MARGIN + wide + 10}" y="{_MARGIN + 16 * number + 4}" fill="{colour}">{escape(name)}</text>',
        ]
    return _picture(_HEIGHT, parts)


def _picture(height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
    return f'{head} font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
