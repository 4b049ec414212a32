from __future__ import annotations

from pathlib import Path

from tests.bench.datasets.miniature import coco
from tests.cli.conftest import wesam


def test_the_list_and_what_is_known_of_one() -> None:
    listed = wesam("datasets")
    assert listed.exit_code == 0
    assert "cod10k" in listed.output
    shown = wesam("datasets", "show", "kvasir")
    assert "https://datasets.simula.no/kvasir-seg/" in shown.output
    assert "40000 steps" in shown.output


def test_a_check_of_all_variants_there_are(tmp_path: Path) -> None:
    coco(tmp_path, "corruption/fog")
    found = wesam("datasets", "check", "coco-c", tmp_path)
    assert found.exit_code == 0
    assert "coco-c/snow cannot be run" in found.output
    assert "11 objects on 6 train and 2 objects on 1 test images" in found.output


def test_a_check_fails_where_nothing_can_be_run(tmp_path: Path) -> None:
    found = wesam("datasets", "check", "osd", tmp_path)
    assert found.exit_code == 1
    assert "annotation" in found.output
