from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from wesam.errors import WesamError
from wesam.labels.folder import ImageFolder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("inside/a.png", "inside/sub/b.png", "outside.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4)).save(tmp_path / name)
    return tmp_path / "inside"


@pytest.mark.parametrize("name", ["sub/b.png", "./sub//b.png", "sub\\b.png"])
def test_sub_folders_with_either_slash_have_one_id(root: Path, name: str) -> None:
    found = ImageFolder(root).find(name)
    assert (found.id, found.path, found.width, found.height) == ("sub/b.png", root / "sub" / "b.png", 6, 4)


@pytest.mark.parametrize(("in_json", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_unicode_normal_forms(root: Path, in_json: str, on_disk: str) -> None:
    path = root / unicodedata.normalize(on_disk, "é/ü.png")
    path.parent.mkdir()
    Image.new("L", (6, 4)).save(path)
    found = ImageFolder(root).find(unicodedata.normalize(in_json, "é/ü.png"))
    assert found.path.read_bytes() == path.read_bytes()
    assert found.id == unicodedata.normalize(on_disk, "é/ü.png")


@pytest.mark.parametrize(
    "name", ["../outside.png", "sub/../../outside.png", "..\\outside.png", "C:\\x.png", "\\\\host\\share\\x.png"]
)
def test_names_that_lead_outside_are_refused(root: Path, name: str) -> None:
    with pytest.raises(WesamError, match="expected a path inside the image folder"):
        ImageFolder(root).find(name)


def test_an_absolute_path_is_refused_even_into_the_folder(root: Path) -> None:
    with pytest.raises(WesamError, match="expected a path inside the image folder"):
        ImageFolder(root).find(str(root / "a.png"))


@pytest.mark.parametrize("name", ["c.png", "sub", "a\0.png", "x" * 5000, "."])
def test_missing_files(root: Path, name: str) -> None:
    with pytest.raises(WesamError, match="found none"):
        ImageFolder(root).find(name)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="expected a folder of images"):
        ImageFolder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "path",
    [
        "sub/b.png",
        "/home/me/inside/sub/b.png",
        "C:\\data\\sub\\b.png",
        "../../sub/b.png",
        "x/../sub/b.png",
        "sub//b.png",
    ],
)
def test_the_end_of_a_foreign_path(root: Path, path: str) -> None:
    assert ImageFolder(root).find_tail(path).id == "sub/b.png"


@pytest.mark.parametrize("path", ["../outside.png", "b.png", "", "..", "/", "x" * 5000, "c/" * 5000, "a\0.png"])
def test_a_foreign_path_without_an_image_here(root: Path, path: str) -> None:
    with pytest.raises(WesamError, match="expected"):
        ImageFolder(root).find_tail(path)


def test_an_image_by_its_name_without_suffix(root: Path) -> None:
    (root / "a.jpg").write_bytes((root / "a.png").read_bytes())
    folder = ImageFolder(root)
    assert folder.find_stem("sub/b").id == "sub/b.png"
    with pytest.raises(WesamError, match="one image file 'a' with any suffix, found 'a.jpg' and 'a.png'"):
        folder.find_stem("a")
    with pytest.raises(WesamError, match="'b' with any suffix, found none"):
        folder.find_stem("b")


def test_a_stated_size(root: Path) -> None:
    file = ImageFolder(root).find("a.png")
    for size in ((0, 0), (None, None), ("", "4"), (float("nan"), 4)):
        assert file.of_size(*size) is file
    for size in ((6, 4), (6.0, 4.0), ("6", "4")):
        assert file.of_size(*size) == replace(file, sized=True)
    with pytest.raises(WesamError, match="got 12 x 8"):
        file.of_size("12", "8")
    with pytest.raises(
        WesamError, match=r"expected 6 x 4 px, the size of 'a.png', got 4 x 6 \(labelled without its EXIF"
    ):
        file.of_size(4, 6)


@pytest.mark.parametrize("name", ["link.png", "way/secret.png"])
def test_links_out_of_the_folder_are_refused_unless_allowed(
    photos: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "link.png").symlink_to(photos.parent / "secret.png")
    (photos / "way").symlink_to(photos.parent)
    folder = ImageFolder(photos)
    for find in (folder.find, folder.find_tail):
        with pytest.raises(WesamError, match="a link that leads out of it"):
            find(name)
    monkeypatch.setenv("WESAM_FOLLOW_LINKS", "1")
    assert folder.find(name).id == name


def test_links_within_the_folder_and_to_it_are_fine(photos: Path) -> None:
    (photos / "link.png").symlink_to("site/b.jpg")
    (photos.parent / "linked").symlink_to(photos)
    assert ImageFolder(photos).find("link.png").width == 80
    assert ImageFolder(photos.parent / "linked").find("a.png").id == "a.png"


def test_paths_from_one_other_folder_are_found_by_their_ends(root: Path) -> None:
    folder = ImageFolder(root)
    assert folder.find_moved("a.png").id == "a.png"
    assert folder.find_moved("/home/me/inside/a.png").id == "a.png"
    assert folder.find_moved("/home/me/inside/sub/b.png").id == "sub/b.png"
    with pytest.raises(WesamError, match="or in '/home/me/inside' as others, got '/home/you/a.png'"):
        folder.find_moved("/home/you/a.png")
    with pytest.raises(WesamError, match="expected a path inside the image folder, got '/home/me/inside/c.png'"):
        folder.find_moved("/home/me/inside/c.png")


@pytest.mark.parametrize(
    ("on_disk", "in_labels"),
    [
        (["1a2b3c4d-x.png", "5e6f7a8b-y.png"], ["images/1a2b3c4d-x.png", "images/5e6f7a8b-y.png"]),
        (["x.png", "y.png"], ["images/1a2b3c4d-x.png", "images/5e6f7a8b-y.png"]),
        ([unicodedata.normalize("NFD", name) for name in ("ü.png", "é.png")], ["old/ü.png", "old/é.png"]),
    ],
)
def test_files_of_one_folder_whose_names_are_not_quite_those_on_disk(
    root: Path, on_disk: list[str], in_labels: list[str]
) -> None:
    for name in on_disk:
        Image.new("L", (6, 4)).save(root / name)
    folder = ImageFolder(root)
    assert [folder.find_moved(name).id for name in in_labels] == on_disk


def test_of_labels_for_several_folders_those_called_as_this_one_are_preferred(root: Path) -> None:
    paths = ["x/y/a.png", "x/inside/a.png", f"y/{root.parent.name}/inside/a.png"]
    folder = ImageFolder(root)
    assert [folder.certainty(elsewhere) for elsewhere in ("x/y", "x/inside", f"{root.parent.name}/inside")] == [0, 1, 2]
    assert folder.certainty(".") > 2
    folder.prefer_own(["a.png", "..", *paths])
    for path in paths[:2]:
        with pytest.raises(WesamError, match=f"or in 'y/{root.parent.name}/inside' as others, got '{path}'"):
            folder.find_moved(path)
    assert folder.find_moved(paths[2]).id == "a.png"


def test_uploaded_names_must_be_one_images(root: Path) -> None:
    for name in ("x y.png", "x+ y.png"):
        Image.new("L", (6, 4)).save(root / name)
    with pytest.raises(WesamError, match="expected one image that is called 'x_y.png' once uploaded, found 2"):
        ImageFolder(root).find_uploaded("upload/1a2b3c4d-x_y.png")
    (root / "x+ y.png").unlink()
    assert ImageFolder(root).find_uploaded("upload/1a2b3c4d-x_y.png").id == "x y.png"


def test_names_that_differ_in_case_or_as_addresses_write_them(root: Path) -> None:
    for name in ("IMG_1.JPG", "my cell.png", "my%20nucleus.png", "sub/Ünder.png"):
        (root / name).write_bytes((root / "a.png").read_bytes())
    folder = ImageFolder(root)
    for name, found in (
        ("img_1.jpg", "IMG_1.JPG"),
        ("my%20cell.png", "my cell.png"),
        ("my nucleus.png", "my%20nucleus.png"),
        ("sub/%C3%BCnder.png", "sub/Ünder.png"),
    ):
        assert folder.find(name).id == found
        assert folder.find_moved(f"/else/where/{name}").id == found
        assert folder.find_stem(name[:-4]).id == found
    assert folder.find_stem("1a2b3c4d-my%20cell").id == "my cell.png"
    for outside in ("%2e%2e/secret.png", "..%2Fsecret.png"):
        with pytest.raises(WesamError):
            folder.find(outside)


def test_two_names_that_differ_in_case_are_two_images(root: Path) -> None:
    for name in ("IMG_1.JPG", "IMG_1.jpg"):
        (root / name).write_bytes((root / "a.png").read_bytes())
    folder = ImageFolder(root)
    assert [folder.find(name).id for name in ("IMG_1.JPG", "IMG_1.jpg")] == ["IMG_1.JPG", "IMG_1.jpg"]
    with pytest.raises(WesamError, match="found none"):
        folder.find("img_1.jpg")  # either
    with pytest.raises(WesamError, match="found 'IMG_1.JPG' and 'IMG_1.jpg'"):
        folder.find_stem("IMG_1")


def test_an_image_that_the_labels_name_is_not_meant_by_a_name_like_it(root: Path) -> None:
    (root / "IMG_1.jpg").write_bytes((root / "a.png").read_bytes())
    folder = ImageFolder(root)
    folder.expect(["IMG_1.JPG", "IMG_1.jpg"])
    with pytest.raises(WesamError, match="found none"):
        folder.find("IMG_1.JPG")
    assert folder.find("IMG_1.jpg").id == "IMG_1.jpg"


def test_a_name_without_suffix_is_that_of_the_only_image_called_so(root: Path) -> None:
    folder = ImageFolder(root)
    assert (folder.find("a").id, folder.find("sub/b").id, folder.find_tail("/home/me/b/sub/b").id) == (
        "a.png",
        "sub/b.png",
        "sub/b.png",
    )
    Image.new("L", (6, 4)).save(root / "a.bmp")
    with pytest.raises(WesamError, match="found none"):
        ImageFolder(root).find("a")
    with pytest.raises(WesamError, match="found none"):
        ImageFolder(root).find("a.jpg")
