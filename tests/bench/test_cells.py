from __future__ import annotations

from pathlib import Path

import pytest

from wesam.bench.call import chosen_cells, parse_folders
from wesam.bench.cells import cells_of, take_part
from wesam.bench.plan import FULL, QUICK
from wesam.bench.tables import TABLES
from wesam.errors import WesamError
from wesam.training.config import make_config

PLANS = {"full": FULL, "quick": QUICK}


def test_a_quick_table_has_every_row_on_one_data_set() -> None:
    table = TABLES["4"]
    cells = cells_of(table, QUICK)
    assert {cell.dataset for cell in cells} == {"endoscopy"}
    assert {cell.prompt for cell in cells} == {"box", "click"}
    assert len(cells) == sum(len(set(arm.prompts or ("box", "click")) & {"box", "click"}) for arm in table.arms)
    assert {cell.prompt for cell in cells if cell.arm.name == "resam"} == {"click"}
    assert {cell.prompt for cell in cells if cell.arm.name == "box projection alone"} == {"box"}


def test_first_seeds_of_all_come_before_second_ones() -> None:
    seeds = [cell.seed for cell in cells_of(TABLES["3"], FULL)]
    assert seeds == sorted(seeds)
    assert {cell.prompt for cell in cells_of(TABLES["3"], FULL) if cell.seed > 0} == {"box"}


def test_three_corruptions_have_all_rows_and_the_others_two() -> None:
    cells = cells_of(TABLES["2"], FULL)
    rows = {dataset: {cell.arm.name for cell in cells if cell.dataset == dataset} for dataset in TABLES["2"].datasets}
    assert len(rows) == 15
    boxes = {arm.name for arm in TABLES["2"].arms if not arm.prompts or "box" in arm.prompts}
    assert sum(names == boxes for names in rows.values()) == 3
    assert rows["corrupted/snow"] == {"direct", "ours"}


def test_parts_of_an_array_are_the_whole_once() -> None:
    cells = cells_of(TABLES["4"], QUICK)
    parts = [take_part(cells, f"{number}/3") for number in (1, 2, 3)]
    assert sorted(cell.key for part in parts for cell in part) == sorted(cell.key for cell in cells)


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "a/b"])
def test_other_parts_are_refused(part: str) -> None:
    with pytest.raises(WesamError, match="--cell"):
        take_part([], part)


def test_keys_are_paths_and_differ(tmp_path: Path) -> None:
    keys = [cell.key for table in TABLES.values() for cell in cells_of(table, FULL)]
    names = {cell.key: cell for table in TABLES.values() for cell in cells_of(table, FULL)}
    assert len(names) <= len(keys)
    assert all(" " not in key and ".." not in key for key in keys)
    cells = cells_of(TABLES["9"], FULL)
    assert len({cell.key for cell in cells}) == len(cells)


def test_direct_is_there_to_compare_with() -> None:
    tables = chosen_cells(["4"], QUICK, [], ["ours"], ["box"], None)
    assert {key: [cell.arm.name for cell in cells] for key, cells in tables.items()} == {"4": ["direct", "ours"]}


def test_a_cell_that_two_tables_share_is_run_once() -> None:
    tables = chosen_cells([], FULL, [], [], [], None)
    keys = [cell.key for cells in tables.values() for cell in cells]
    assert len(keys) == len(set(keys))
    assert list(tables) == list(TABLES)
    halves = [chosen_cells([], FULL, [], [], [], f"{number}/2") for number in (1, 2)]
    assert sorted(cell.key for half in halves for cells in half.values() for cell in cells) == sorted(keys)


def test_a_quick_try_of_all_has_one_table_whole() -> None:
    tables = chosen_cells([], QUICK, [], [], [], None)
    assert len(tables["4"]) == len(cells_of(TABLES["4"], QUICK))
    assert {cell.arm.name for cell in tables["6"]} == {"direct", "wesam", "ours"}
    alone = chosen_cells(["6"], QUICK, [], [], [], None)
    assert len({cell.arm.name for cell in alone["6"]}) == len(TABLES["6"].arms)


def test_a_number_of_images_that_is_all_of_them_is_no_row_of_its_own() -> None:
    rows = {name: {cell.arm.name for cell in cells_of(TABLES["images"], plan)} for name, plan in PLANS.items()}
    assert rows["full"] - rows["quick"] == {"ours, 20 images", "ours, 100 images"}
    assert "ours, 5 images" in rows["quick"]


@pytest.mark.parametrize(
    ("tables", "methods", "prompts"), [(["1x"], [], []), ([], ["nobody"], []), ([], [], ["polygon"])]
)
def test_unknown_words_are_refused(tables: list[str], methods: list[str], prompts: list[str]) -> None:
    with pytest.raises(WesamError, match="expected"):
        chosen_cells(tables, QUICK, [], methods, prompts, None)


def test_folders_of_data_sets(tmp_path: Path) -> None:
    assert parse_folders([f"mine={tmp_path}", "smear"]) == {"mine": tmp_path, "smear": None}
    for wrong in ("kvasir", f"mine={tmp_path / 'no'}"):
        with pytest.raises(WesamError, match="--dataset"):
            parse_folders([wrong])


def test_rows_on_queries_and_values_fit_a_model_without_attention() -> None:
    arms = {arm.name: arm for table in TABLES.values() for arm in table.arms if arm.learns}
    for arm in arms.values():
        assert '"qv"' not in " ".join(arm.without_attention().overrides())
    assert "update.target=null" in arms["wesam"].without_attention().overrides()
    mixed = arms["norms + LoRA"].without_attention().settings["update"]
    assert mixed["of"] == [{"kind": "norms"}, {"kind": "lora", "target": None}]
    assert arms["tent"].without_attention() is arms["tent"]


def test_every_row_is_a_run_that_can_be_configured(tmp_path: Path) -> None:
    arms = {arm.name: arm for table in TABLES.values() for arm in table.arms if arm.learns}
    for arm in arms.values():
        config = make_config(
            {"model": "m", "images": "i", "labels": "l", "out": str(tmp_path)}, arm.preset, overrides=arm.overrides()
        )
        assert config.method.name == arm.settings.get("method", {}).get("name", "wesam")
