"""Turns formulas into MathML, which browsers draw themselves: no script, no network (a MkDocs hook)."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

# What pymdownx.arithmatex leaves of $...$ and of $$...$$.
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.+?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(html: str, **_: Any) -> str:
    """Called by MkDocs for each page."""
    return _FORMULA.sub(_mathml, html)


def _mathml(formula: re.Match[str]) -> str:
    return convert(unescape(formula[2]).strip(), display="block" if formula[1] == "div" else "inline")
