"""Pages hold what the results say, and say what they are."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench.results import made_up, trained, with_curve, with_selected
from wesam.bench import svg
from wesam.bench.grid import labelling_curves
from wesam.bench.render import as_csv, as_html, as_latex, as_markdown, write_pages
from wesam.bench.result import Found, Result, Score, read_results
from wesam.bench.tables import TABLES

RESULTS = [
    made_up(method, miou + 0.01 * seed, seed=seed)
    for seed in (0, 1)
    for method, miou in (("direct", 0.70), ("wesam", 0.80), ("ours", 0.60), ("supervised", 0.90))
]


def test_a_row_has_mean_spread_last_and_verdict() -> None:
    text = as_markdown(RESULTS)
    assert "| wesam | 80.5 ± 0.7 (80.5) ▲ |" in text
    assert "| ours | 60.5 ± 0.7 (60.5) ▼ |" in text
    assert "| direct | 70.5 ± 0.7 (70.5) |" in text
    assert "the rule best-healthy chose" in text
    assert "made by abc" in text


def test_published_figures_stand_beside_ours_and_are_marked() -> None:
    text = as_markdown([made_up("direct", 0.7, dataset="kvasir"), made_up("direct", 0.7)])
    assert "| as published: wesam |  | 85.5 |" in text


def test_a_users_data_set_is_shown() -> None:
    assert "| mine |" in as_markdown([made_up("direct", 0.7, dataset="mine")])


def test_prompts_are_crossed() -> None:
    others = {
        prompt: Score(step=5, miou=0.5 + 0.1 * number, dice=0, boundary_iou=0, images=[0.5])
        for number, prompt in enumerate(("box", "point", "click", "mask"))
    }
    text = as_markdown([with_selected(made_up("ours", 0.8, dataset="natural"), others=others)])
    assert "| ours: box | 50.0 | 60.0 | 70.0 | 80.0 |" in text


def test_the_first_table_lists_data_sets_and_splits() -> None:
    assert "| smear (version 1) | 20 | 60 | 10 |" in as_markdown(RESULTS)


def test_dice_and_boundary_iou_stand_beside() -> None:
    assert "| wesam | 80.5 | 50.0 |" in as_markdown(RESULTS)


def test_what_is_found_without_a_prompt() -> None:
    found = Found(ap=0.25, ap50=0.5, recall=0.4, masks=7)
    text = as_markdown([with_selected(made_up("ours", 0.8, dataset="natural"), automatic=found)])
    assert "| natural, AP | natural, AP50 | natural, recall |" in text
    assert "| ours | 25.0 | 50.0 | 40.0 |" in text


def test_labelling_is_drawn_in_minutes() -> None:
    rows = {"direct": (0.7, 0), "ours, 5 images": (0.75, 15), "ours": (0.8, 60)}
    results = [
        made_up(name, miou, dataset="natural", trained=trained(2000 * bool(labels), labels))
        for name, (miou, labels) in rows.items()
    ]
    assert "natural: mIoU against minutes of labelling" in as_html(results)
    curves = labelling_curves(TABLES["images"], results)["natural"]["box prompts"]
    assert curves == [(0.0, pytest.approx(70)), (1.75, pytest.approx(75)), (7.0, pytest.approx(80))]


def test_a_result_has_the_fields_that_pages_are_made_of() -> None:
    fields = "method dataset version model prompt seed last selected trained minutes peak_mb commit"
    assert list(Result.model_fields) == fields.split()


def test_pictures_are_shown_where_there_are_some(tmp_path: Path) -> None:
    picture = tmp_path / "figures" / "cells" / "smear" / "box" / "ours-seed0" / "01_a.png"
    picture.parent.mkdir(parents=True)
    picture.touch()
    write_pages(RESULTS, tmp_path)
    assert 'alt="smear / box / ours-seed0"' in (tmp_path / "index.html").read_text()


def test_costs_are_listed() -> None:
    assert "| wesam | 2.0 | 1.5 | 100.0 | 1.0 | 7.0 |" in as_markdown(RESULTS)


def test_latex_has_no_sign_of_its_own_left() -> None:
    text = as_latex(RESULTS)
    assert "80.5 $\\pm$ 0.7 (80.5) $\\uparrow$" in text
    assert "95 \\% paired" in text


def test_csv_has_a_line_a_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(RESULTS))))
    assert len(rows) == len(RESULTS)
    assert float(rows[1]["selected_miou"]) == pytest.approx(0.8)


def test_html_shows_the_gap_and_curves() -> None:
    curve = [Score(step=step, miou=0.7 + step / 1000, dice=0, boundary_iou=0, images=[]) for step in (0, 50, 100)]
    text = as_html([*RESULTS, with_curve(made_up("ours", 0.8, dataset="natural"), curve)])
    assert "percent of the gap to supervised closed" in text
    assert "mIoU against steps" in text
    for plot in text.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + plot.split("</svg>")[0] + "</svg>")


def test_pages_come_from_the_files_alone(tmp_path: Path) -> None:
    for number, result in enumerate(RESULTS):
        result.write(tmp_path / "results" / f"{number}.json")
    found = read_results(tmp_path / "results")
    assert found == RESULTS
    first = [path.read_text() for path in write_pages(found, tmp_path)]
    assert [path.read_text() for path in write_pages(found, tmp_path)] == first


def test_plots_without_numbers_are_none() -> None:
    assert svg.bars("t", {}) == svg.lines("t", {}) == ""
