from __future__ import annotations

from wesam import markdown


def test_a_table_names_its_rows_on_the_left_and_sets_numbers_to_the_right() -> None:
    assert markdown.table(["arm", "mIoU", "seeds"], [["box", "61.0", "3"], ["mask", "60.2", ""]]).splitlines() == [
        "| arm | mIoU | seeds |",
        "| --- | ---: | ---: |",
        "| box | 61.0 | 3 |",
        "| mask | 60.2 |  |",
    ]
