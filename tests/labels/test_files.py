from __future__ import annotations

from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.labels.files import label_files, list_files


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


def test_links_to_folders_are_entered_once_and_only_where_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "a.xml").touch()
    (root / "site").symlink_to(other)
    (other / "back").symlink_to(root)
    assert list_files(root, {".xml"}) == []
    monkeypatch.setenv("WESAM_FOLLOW_LINKS", "1")
    assert list_files(root, {".xml"}) == [root / "site" / "a.xml"]


def test_a_label_file_that_is_a_link_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "secret.xml").touch()
    (tmp_path / "labels" / "a.xml").symlink_to(tmp_path / "secret.xml")
    with pytest.raises(WesamError, match="a.xml: expected a file inside .*labels, got a link that leads out"):
        label_files(tmp_path / "labels", {".xml"}, "VOC")
    assert label_files(tmp_path / "labels" / "a.xml", {".xml"}, "VOC")  # named by its user
