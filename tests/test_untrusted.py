"""Files made to harm: each is refused in one line, at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.untrusted import (
    max_label_bytes,
    max_pixels,
    ordinary_file,
    parse_yaml,
    read_json,
    read_text,
    read_xml,
    read_yaml,
    stay_inside,
)

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY e0 "boom">'
    + "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    + "]><annotation>&e11;</annotation>"
)


def test_an_entity_bomb_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xml"
    path.write_text(BOMB)
    start = time.monotonic()
    with pytest.raises(WesamError, match="bomb.xml: expected XML without <!DOCTYPE"):
        read_xml(path, "annotation", "VOC")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/x"> %x;]>',
    ],
)
def test_external_entities_are_refused(tmp_path: Path, doctype: str, encoding: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text(f"{doctype}<a>&x;</a>", encoding=encoding)
    with pytest.raises(WesamError, match="without <!DOCTYPE"):
        read_xml(path, "a", "VOC")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1 column 1: expected XML, got no element found"),
        (b"<a>\n<b></a>", "line 2 column 6: expected XML, got mismatched tag"),
        (b"<a>&x;</a>", "undefined entity"),
        (b"\x89PNG\xff", "expected XML"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding"),
        (b"<other/>", "root element <a>, got <other>"),
        (b"<a>" * 100_000, "expected XML"),
    ],
)
def test_what_is_not_the_xml_that_was_expected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.xml"
    path.write_bytes(content)
    with pytest.raises(WesamError, match=message):
        read_xml(path, "a", "VOC")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_xml_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<a>für</a>", encoding=encoding)
    assert read_xml(path, "a", "VOC").text == "für"


@pytest.mark.parametrize("read", [lambda path: read_text(path, "CSV"), lambda path: read_xml(path, "a", "CSV")])
def test_missing_files_and_folders_are_named(tmp_path: Path, read: object) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(WesamError, match=f"{path}: expected a CSV file, got"):
            read(path)  # type: ignore[operator]


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("für".encode("cp1252"))
    with pytest.raises(WesamError, match="expected CSV in UTF-8"):
        read_text(path, "CSV")
    with pytest.raises(WesamError, match="expected COCO in UTF-8"):
        read_json(path, "COCO")


def yaml_bomb(levels: int = 40) -> str:
    """Each level ten times the one before: told in full, more values than atoms in the world."""
    lines = ["l0: &l0 x"] + [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [yaml_bomb(), "a: &a [*a]", "a: &a {b: 1}\nc: {<<: *a}"])
def test_yaml_with_references_is_refused_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    start = time.monotonic()
    with pytest.raises(WesamError, match="x.yaml: expected YAML: a reference"):
        read_yaml(tmp_path / "x.yaml", "YAML")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/name:os.system",
        "!!int ''",
        "!!float ''",
        "!!bool x",
        "!!timestamp x",
        "2001-99-99",
        "1" * 5000,
        "[" * 100_000,
        "{" * 100_000,
        "? " * 100_000,
        "{[]: 1}",
        "a: [",
        "\0",
    ],
)
def test_yaml_that_is_no_plain_value(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WesamError):
        parse_yaml(text)
    assert list(tmp_path.iterdir()) == []


def test_plain_yaml() -> None:
    assert parse_yaml("a: [1, 2.5, x, null, {b: true}]") == {"a": [1, 2.5, "x", None, {"b": True}]}


def test_files_larger_than_the_limit_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # a terabyte that takes no room
    start = time.monotonic()
    with pytest.raises(
        WesamError, match=r"huge.json: expected COCO of at most \d+ bytes, got 1099511627776; .*MAX_LABEL"
    ):
        read_json(path, "COCO")
    with pytest.raises(WesamError, match="expected YAML of at most 1048576 bytes"):
        read_yaml(path, "YAML")
    assert time.monotonic() - start < 1
    monkeypatch.setenv("WESAM_MAX_LABEL_BYTES", "3")
    (tmp_path / "a.json").write_text("[1]")
    assert read_json(tmp_path / "a.json", "JSON") == [1]
    (tmp_path / "a.json").write_text("[10]")
    with pytest.raises(WesamError, match="at most 3 bytes, got 4"):
        read_json(tmp_path / "a.json", "JSON")


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "1" * 10_000, '"' + "\\ud800" * 10])
def test_absurd_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(WesamError, match="a.json"):
        read_json(tmp_path / "a.json", "JSON")


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(WesamError, match="expected a COCO file, got a folder, pipe or device"):
        read_json(tmp_path / "a.json", "COCO")
    with pytest.raises(WesamError, match="pipe or device"):
        read_text(Path("/dev/zero"), "COCO")
    with pytest.raises(OSError, match="pipe"):
        ordinary_file(tmp_path / "a.json")


def test_links_stay_inside_unless_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").touch()
    (folder / "file").touch()
    (folder / "inside").symlink_to(folder / "file")
    (folder / "outside").symlink_to("../secret")
    (folder / "way").symlink_to(tmp_path)
    (folder / "circle").symlink_to("circle")
    (tmp_path / "linked").symlink_to(folder)
    for path in (folder / "file", folder / "inside"):
        assert stay_inside(path, folder) == path
    assert stay_inside(tmp_path / "linked" / "file", tmp_path / "linked")  # the folder itself may be a link
    for name in ("outside", "way/secret"):
        with pytest.raises(WesamError, match="got a link that leads out of it; .*WESAM_FOLLOW_LINKS=1"):
            stay_inside(folder / name, folder)
    monkeypatch.setenv("WESAM_FOLLOW_LINKS", "1")
    assert stay_inside(folder / "outside", folder)
    with pytest.raises(WesamError, match="leads nowhere"):
        stay_inside(folder / "circle", folder)


def test_limits_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (max_pixels(), max_label_bytes()) == (200_000_000, 2**30)
    monkeypatch.setenv("WESAM_MAX_PIXELS", "7")
    assert max_pixels() == 7
    monkeypatch.setenv("WESAM_MAX_PIXELS", "many")
    with pytest.raises(WesamError, match="WESAM_MAX_PIXELS: expected a whole number in the environment, got 'many'"):
        max_pixels()
