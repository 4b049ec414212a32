"""Pages hold what the results say, and say what they are."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench.results import made_up
from wesam.bench import svg
from wesam.bench.render import as_csv, as_html, as_latex, as_markdown, write_pages
from wesam.bench.result import Score, read_results

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
    text = as_markdown([made_up("ours", 0.8, dataset="natural", others=others)])
    assert "| ours: box | 50.0 | 60.0 | 70.0 | 80.0 |" in text


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
    text = as_html([*RESULTS, made_up("ours", 0.8, dataset="natural", curve=curve)])
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
