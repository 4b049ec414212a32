"""The documents agree with the code: links, file names, commands, settings, and the order of the rooms."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml

from tests.documents import DOCUMENTS, README, ROOT, blocks, wesam_commands
from wesam.cli import app
from wesam.training.config import make_config

DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "wesam"
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def hook(name: str) -> ModuleType:
    """A hook that writes parts of the site; `docs` is no package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_named_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    named = re.findall(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|md|toml|yaml|yml))`", text)
    homes = (ROOT, PACKAGE, document.parent)
    missing = [link for link in links if link and not (document.parent / link).exists()]
    missing += [name for name in named if not any((home / name).exists() for home in homes)]
    assert missing == []


def test_every_command_is_in_the_readme() -> None:
    assert {arguments[0] for arguments in wesam_commands(README)} == set(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [arguments for document in DOCUMENTS for arguments in wesam_commands(document)],
    ids=lambda arguments: " ".join(arguments)[:60],
)
def test_documented_commands_parse(arguments: list[str]) -> None:
    name, *rest = arguments
    parameters = COMMANDS[name].make_context(name, list(rest)).params
    if name == "adapt":
        needed = {"model": "m", "images": Path("i"), "labels": Path("l"), "out": Path("o")}
        make_config(needed, preset=parameters["preset"], overrides=parameters["set_"])


def test_settings_files_in_the_documents_are_valid(tmp_path: Path) -> None:
    files = [block for document in DOCUMENTS for block in blocks(document, "yaml")]
    assert files
    for text in files:
        (tmp_path / "run.yaml").write_text(text)
        make_config({"out": tmp_path / "run"}, file=tmp_path / "run.yaml")


def test_the_configuration_page_has_every_setting() -> None:
    page = hook("generated").on_page_markdown((DOCS / "configuration.md").read_text(encoding="utf-8"))
    config = make_config({"model": "m", "images": "i", "labels": "l", "out": "o"})
    names = list(_dotted(config.model_dump()))
    assert "method.anchor_weight" in names
    assert [name for name in names if f"| `{name}` |" not in page] == []
    assert "| `update.target` | `qv` |" in page  # the paper's preset
    assert "<!--" not in page


def _dotted(values: dict[str, Any], prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, value in values.items():
        names += _dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
    return names


def test_formulas_are_drawn_without_a_script() -> None:
    pytest.importorskip("latex2mathml", reason="of the docs extra")
    page = hook("mathml").on_page_content(
        '<p><span class="arithmatex">\\(a &lt; b\\)</span></p><div class="arithmatex">\\[\n\\frac{1}{2}\n\\]</div>'
    )
    assert page.count("<math") == 2
    assert page.count('display="block"') == 1
    assert "<mo>&lt;</mo>" in page or "<mo>&#x0003C;</mo>" in page
    assert "<mfrac>" in page
    assert "arithmatex" not in page


def test_every_page_is_in_the_navigation() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = set(_pages(site["nav"]))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert pages == listed


def _pages(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in _pages(part)]


def test_the_citation_is_whole_and_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = dict(re.findall(r'^(version|license) = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # what the format requires
    assert (str(citation["version"]), citation["license"]) == (project["version"], project["license"])
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert [author["family-names"] for author in paper["authors"]] == ["Zhang", "Su", "Xu", "Jia"]
    assert "2312.03502" in paper["url"]


def test_no_room_imports_upwards() -> None:
    """Also not for types alone. Reads the order of the rooms from the architecture page."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").split("## The rooms")[1].split("## ")[0]
    order = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    files = {name: path for name, path in _modules().items() if path.name not in ("__init__.py", "__main__.py")}
    rooms = {name: name.split(".")[1] for name in files}
    assert set(rooms.values()) | {"assets"} == set(order)
    upward = [
        f"{name} imports {imported}"
        for name, path in files.items()
        for imported in _imports(path)
        if order.index(imported.split(".")[1]) > order.index(rooms[name])
    ]
    assert upward == []


def test_no_files_import_each_other_in_a_circle() -> None:
    modules = _modules()
    waiting = {name: {one for one in _imports(path) if one in modules} for name, path in modules.items()}
    while ready := {name for name, needed in waiting.items() if not needed}:
        waiting = {name: needed - ready for name, needed in waiting.items() if name not in ready}
    assert waiting == {}


def _modules() -> dict[str, Path]:
    """Every file of the package by its name in imports."""
    paths = {path.relative_to(PACKAGE.parent).with_suffix(""): path for path in PACKAGE.rglob("*.py")}
    return {".".join(place.parts).removesuffix(".__init__"): path for place, path in paths.items()}


def _imports(path: Path) -> set[str]:
    """The files of the package that one imports, at its top or later, at run time or for types alone."""
    known = _modules()
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wesam."):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("wesam.")}
    return found
