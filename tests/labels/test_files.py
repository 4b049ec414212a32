from __future__ import annotations

import time
from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.labels.files import label_files, list_files, read_json, read_text, read_xml

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


def test_files_of_a_folder_or_a_file_alone(tmp_path: Path) -> None:
    for name in ("b/z.XML", "a.xml", ".hidden.xml", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [name.as_posix() for _, name in label_files(tmp_path, {".xml"}, "VOC")] == ["a.xml", "b/z.XML"]
    assert label_files(tmp_path / "b" / "z.XML", {".xml"}, "VOC") == [(tmp_path / "b" / "z.XML", Path("z.XML"))]
    with pytest.raises(WesamError, match=r"expected masks, found none \(.png\)"):
        label_files(tmp_path, {".png"}, "masks")
    with pytest.raises(WesamError, match="no such folder"):
        list_files(tmp_path / "nowhere", {".png"})
