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
    # Experiments are listed by their index.
    assert {page for page in pages if not page.startswith("experiments/") or page.endswith("index.md")} == listed


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
    """Reads the order of the rooms from the architecture page."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").split("## The rooms")[1].split("## ")[0]
    order = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    modules = [path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules}
    assert rooms | {"assets"} == set(order)
    upward = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in modules
        for module in _imports(ast.parse(path.read_text(encoding="utf-8")).body)
        if order.index(module) > order.index(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    ]
    assert upward == []


def _imports(statements: list[ast.stmt]) -> list[str]:
    """The rooms that are imported at run time, at the top of a file or later."""
    rooms: list[str] = []
    for statement in statements:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("wesam."):
                rooms.append(node.module.split(".")[1])
    return rooms
