"""How tables of numbers look: Markdown, LaTeX, HTML, and one CSV of all cells."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from html import escape
from pathlib import Path

from wesam import markdown
from wesam.atomic import replaced_file
from wesam.bench import svg
from wesam.bench.grid import DIRECT, Entry, Grid, labelling_curves, sections
from wesam.bench.result import Result, Score, of_rows
from wesam.bench.tables import SUPERVISED_ROW, TABLES

_MARKS = {"better": "▲", "worse": "▼"}
_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #ddd}td:first-child,th:first-child"
    "{text-align:left;white-space:nowrap}p{color:#555}img{max-width:100%}figure{margin:1em 0}"
)


def write_pages(results: Sequence[Result], out: Path) -> list[Path]:
    """Writes `tables.md`, `tables.tex`, `results.csv` and `index.html` from results and from nothing else.

    The last shows the pictures that lie in `out` beside the results, too.
    """
    pictures = [path.relative_to(out).as_posix() for path in sorted(out.glob("figures/**/*.png"))]
    pages = {
        "tables.md": as_markdown(results),
        "tables.tex": as_latex(results),
        "results.csv": as_csv(results),
        "index.html": as_html(results, pictures),
    }
    written = []
    for name, text in pages.items():
        with replaced_file(out / name) as partial:
            partial.write_text(text, encoding="utf-8")
        written.append(out / name)
    return written


def as_markdown(results: Sequence[Result]) -> str:
    """All tables, a heading each."""
    parts = [_provenance(results)]
    for heading, grids in sections(results):
        if grids:
            parts.append(f"## {heading}")
            parts += [_markdown(grid) for grid in grids]
    return "\n\n".join(parts) + "\n"


def _markdown(grid: Grid) -> str:
    rows = [[name, *(_text(entry, grid.digits) for entry in entries)] for name, entries in grid.rows]
    return f"### {grid.title}\n\n{markdown.table(['', *grid.columns], rows)}\n\n{grid.note}."


def as_latex(results: Sequence[Result]) -> str:
    """All tables as `tabular` in `table` environments."""
    return "\n\n".join(_latex(grid) for _, grids in sections(results) for grid in grids) + "\n"


def _latex(grid: Grid) -> str:
    lines = [" & ".join(["", *map(_tex, grid.columns)])]
    for name, entries in grid.rows:
        lines.append(" & ".join([_tex(name), *(_tex(_text(entry, grid.digits)) for entry in entries)]))
    body = " \\\\\n".join(lines)
    return (
        f"\\begin{{table}}\n\\caption{{{_tex(grid.title)}. {_tex(grid.note)}.}}\n"
        f"\\begin{{tabular}}{{l{'r' * len(grid.columns)}}}\n{body} \\\\\n\\end{{tabular}}\n\\end{{table}}"
    )


def _tex(text: str) -> str:
    for sign, written in (
        ("\\", "\\textbackslash{}"),
        *((sign, f"\\{sign}") for sign in "%&_#$"),
        ("±", "$\\pm$"),
        ("▲", "$\\uparrow$"),
        ("▼", "$\\downarrow$"),
    ):
        text = text.replace(sign, written)
    return text


def as_csv(results: Sequence[Result]) -> str:
    """One line a cell."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    metrics = ("step", "miou", "dice", "boundary_iou")
    head = ("dataset", "version", "model", "prompt", "method", "seed")
    trained = ("steps", "learning_rate", "images", "labels", "count")
    scores = (f"{which}_{metric}" for which in ("last", "selected") for metric in metrics)
    table.writerow([*head, *scores, "rule", *(f"trained_{name}" for name in trained), "minutes", "peak_mb", "commit"])
    for result in results:
        own = [getattr(result, name) for name in head]
        values = [getattr(score, metric) for score in (result.last, result.selected) for metric in metrics]
        learned = [getattr(result.trained, name) for name in trained]
        rest = (result.minutes, result.peak_mb, result.commit)
        table.writerow([*own, *values, result.selected.rule, *learned, *rest])
    return file.getvalue()


def as_html(results: Sequence[Result], pictures: Sequence[str] = ()) -> str:
    """One page with all tables and plots; it needs no other file than the pictures, given by their addresses."""
    parts = [f"<p>{escape(_provenance(results))}</p>"]
    for heading, grids in sections(results):
        if grids:
            parts.append(f"<h2>{escape(heading)}</h2>")
            parts += [_html(grid) for grid in grids]
    parts.append("<h2>Figures</h2>")
    parts += [plot for plot in (*_gaps(results), *_curves(results), *_labelling(results)) if plot]
    if pictures:
        parts.append("<h2>Prompt, source model, adapted, truth</h2>")
        parts += [_picture(path) for path in pictures]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>wesam bench</title><style>{_STYLE}</style>'
    return f"{head}<h1>wesam bench</h1>{''.join(parts)}</html>\n"


def _picture(path: str) -> str:
    what = " / ".join(path.split("/")[2:-1])  # data set, prompt, row and seed
    image = f'<img src="{escape(path, quote=True)}" alt="{escape(what, quote=True)}">'
    return f"<figure>{image}<figcaption>{escape(what)}</figcaption></figure>"


def _html(grid: Grid) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *grid.columns))
    lines = []
    for name, entries in grid.rows:
        cells = "".join(f"<td>{escape(_text(entry, grid.digits))}</td>" for entry in entries)
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return f"<h3>{escape(grid.title)}</h3><table><tr>{head}</tr>{''.join(lines)}</table><p>{escape(grid.note)}.</p>"


def _gaps(results: Sequence[Result]) -> list[str]:
    """How much of the way from Direct to Supervised each method goes, a plot for each data set and prompt."""
    plots = []
    for dataset, prompt in dict.fromkeys((result.dataset, result.prompt) for result in results):
        own = [r for r in results if (r.dataset, r.prompt) == (dataset, prompt) and _is_plain(r)]
        means = {}
        for method in dict.fromkeys(result.method for result in own):
            means[method] = statistics.mean(r.selected.miou for r in of_rows(own, dataset, prompt, method))
        if not {DIRECT, SUPERVISED_ROW} <= means.keys() or means[SUPERVISED_ROW] <= means[DIRECT]:
            continue
        whole = means[SUPERVISED_ROW] - means[DIRECT]
        closed = {
            name: 100 * (mean - means[DIRECT]) / whole
            for name, mean in means.items()
            if name not in (DIRECT, SUPERVISED_ROW)
        }
        plots.append(svg.bars(f"{dataset}, {prompt}: percent of the gap to supervised closed", closed))
    return plots


def _is_plain(result: Result) -> bool:
    return not (result.last.curve or result.selected.others or result.selected.automatic)


def _curves(results: Sequence[Result]) -> list[str]:
    plots = []
    with_curve = [result for result in results if result.last.curve]
    for dataset, prompt in dict.fromkeys((result.dataset, result.prompt) for result in with_curve):
        curves: dict[str, list[tuple[float, float]]] = {}
        for method in dict.fromkeys(result.method for result in with_curve):
            found = of_rows(with_curve, dataset, prompt, method)
            if found:
                curves[method] = _mean_curve([result.last.curve for result in found])
        plots.append(svg.lines(f"{dataset}, {prompt}: mIoU against steps", curves))
    return plots


def _labelling(results: Sequence[Result]) -> list[str]:
    curves = labelling_curves(TABLES["images"], results)
    return [
        svg.lines(f"{dataset}: mIoU against minutes of labelling", by_prompt, "min")
        for dataset, by_prompt in curves.items()
    ]


def _mean_curve(curves: Sequence[Sequence[Score]]) -> list[tuple[float, float]]:
    by_step: dict[int, list[float]] = {}
    for curve in curves:
        for score in curve:
            by_step.setdefault(score.step, []).append(100 * score.miou)
    return [(float(step), statistics.mean(values)) for step, values in sorted(by_step.items())]


def _text(entry: Entry | None, digits: int) -> str:
    if entry is None:
        return ""
    text = f"{entry.mean:.{digits}f}"
    if entry.spread is not None:
        text += f" ± {entry.spread:.{digits}f}"
    if entry.last is not None:
        text += f" ({entry.last:.{digits}f})"
    mark = _MARKS.get(entry.against.verdict, "") if entry.against is not None else ""
    return f"{text} {mark}".strip()


def _provenance(results: Sequence[Result]) -> str:
    def all_of(name: str) -> str:
        return ", ".join(sorted({str(getattr(result, name)) for result in results})) or "none"

    return f"{len(results)} cells of {all_of('model')}, made by {all_of('commit')}; rendered from their JSON files."
