from __future__ import annotations

from wesam import markdown


def test_a_table_names_its_rows_on_the_left_and_sets_numbers_to_the_right() -> None:
    assert markdown.table(["arm", "mIoU", "seeds"], [["box", "61.0", "3"], ["mask", "60.2", ""]]).splitlines() == [
        "| arm | mIoU | seeds |",
        "| --- | ---: | ---: |",
        "| box | 61.0 | 3 |",
        "| mask | 60.2 |  |",
    ]


def test_cells_hold_the_mean_and_the_spread_over_seeds() -> None:
    assert markdown.mean([]) == markdown.difference([]) == ""
    assert markdown.mean([60.0]) == "60.0"
    assert markdown.mean([60.0, 62.0]) == "61.0 ± 1.4"
    assert markdown.difference([0.5]) == "+0.50"
    assert markdown.difference([-0.5, -0.25]) == "-0.38 ± 0.18"
