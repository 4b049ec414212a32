"""Whole label files, damaged in every way that chance finds."""

from __future__ import annotations

from hypothesis import strategies as st

from wesam.labels.label_set import LabelSet

NASTY = ["", "NaN", "1e999", "-5", "0", "99999999999999999999", "null", "[]", "{}", '"x"', "../x.png", "<", ">", "&x;"]
NASTY += ["\0", "é", ",", ";", '"', "true", "1.5", "\n", "a.png", "]", "}"]


def damaged(text: str) -> st.SearchStrategy[str]:
    """`text` with up to three pieces of it cut, doubled or replaced by something nasty, or with its end missing."""
    places = st.integers(0, len(text))
    edit = st.tuples(places, st.integers(0, 12), st.sampled_from(NASTY))
    # Whole numbers are where most readers could break, and chance alone seldom hits one exactly.
    numbers = [i for i, character in enumerate(text) if character.isdigit() and not text[i - 1].isdigit()]
    at_number = st.tuples(st.sampled_from(numbers or [0]), st.integers(1, 2), st.sampled_from(NASTY))

    def apply(edits: list[tuple[int, int, str]], end: int) -> str:
        result = text
        for start, length, replacement in sorted(edits, reverse=True):
            result = result[:start] + replacement + result[start + length :]
        return result[: end or None]

    return st.builds(apply, st.lists(edit | at_number, min_size=1, max_size=3), st.sampled_from([0] * 9 + [-20]))


def assert_sound(found: LabelSet) -> None:
    """Whatever came through the door fits its image, and every problem says where it is."""
    ids = [instance.id for sample in found.samples for instance in sample.instances]
    assert len(ids) == len(set(ids))
    for sample in found.samples:
        for instance in sample.instances:
            if instance.box is not None:
                x0, y0, x1, y1 = instance.box
                assert 0 <= x0 < x1 <= sample.width
                assert 0 <= y0 < y1 <= sample.height
            for x, y, _ in instance.points:
                assert 0 <= x <= sample.width - 1
                assert 0 <= y <= sample.height - 1
            if instance.rle is not None:
                mask = instance.mask()
                assert mask.shape == (sample.height, sample.width)
                assert mask.any()
    assert all(problem.file and problem.message for problem in found.problems)
