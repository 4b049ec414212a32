"""Files that hold images and are not read: named, with the way out, wherever they turn up."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from wesam.errors import WesamError
from wesam.labels import containers
from wesam.labels.check import check
from wesam.labels.containers import container_of, stem_of
from wesam.labels.images import read_image
from wesam.labels.unlabelled import load_unlabelled

KINDS = {
    "a.czi": ("Zeiss CZI", "bioio-czi"),
    "a.nd2": ("Nikon ND2", "bioio-nd2"),
    "a.lif": ("Leica LIF", "bioio-lif"),
    "a.ome.zarr": ("OME-Zarr", "bioio-ome-zarr"),
    "a.dcm": ("DICOM", "pydicom"),
    "a.nii.gz": ("NIfTI", "nibabel"),
    "a.svs": ("Aperio SVS", "tifffile"),
    "a.ndpi": ("Hamamatsu NDPI", "tifffile"),
    "a.mrxs": ("slide scanner", "openslide"),
    "a.h5": ("HDF5", "h5py"),
    "a.nrrd": ("NRRD", "SimpleITK"),
    "a.cr2": ("camera's raw", "rawpy"),
    "a.heic": ("HEIC", "pillow-heif"),
}
BEGINNINGS = {
    "Zeiss CZI": b"ZISRAWFILE" + bytes(500),
    "Nikon ND2": b"\xda\xce\xbe\x0a" + bytes(500),
    "DICOM": bytes(128) + b"DICM" + bytes(300),
    "NIfTI": bytes(344) + b"n+1\0" + bytes(100),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(500),
}


def make(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir() if name.endswith("zarr") else path.write_bytes(b"not read")
    return path


@pytest.mark.parametrize(("name", "kind"), BEGINNINGS.items())
def test_a_beginning_tells_what_a_name_does_not(tmp_path: Path, name: str, kind: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(kind)
    with pytest.raises(WesamError, match=f"a.png: expected a TIFF, PNG or JPEG, got {name}, .*'a.png'"):
        read_image(path)


@pytest.mark.parametrize("name", KINDS)
def test_labels_for_such_a_file_are_told_the_way_out(tmp_path: Path, photos: Path, name: str) -> None:
    make(photos, name)
    kind, tool = KINDS[name]
    labels = tmp_path / "labels.json"
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    labels.write_text(json.dumps({"images": [{"id": 1, "file_name": name}], "annotations": [box]}))
    report = str(check(photos, labels))
    line = next(line for line in report.splitlines() if line.startswith("skip"))
    assert kind in line
    assert tool in line
    assert f"'{name}'" in line


@pytest.mark.parametrize("name", KINDS)
def test_such_a_file_in_the_place_of_an_image_or_a_mask(tmp_path: Path, photos: Path, name: str) -> None:
    make(photos, name)
    kind, tool = KINDS[name]
    (photos / "a.png").unlink()
    yolo = tmp_path / "yolo"
    yolo.mkdir()
    (yolo / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    assert kind in str(check(photos, yolo).skipped[0])
    masks = tmp_path / "masks"
    masks.mkdir()
    make(masks, name)
    for format in (None, "masks"):
        problem = str(check(photos, masks, format=format).fatal[0])
        assert kind in problem
        assert tool in problem


def test_an_unlabelled_folder_says_what_it_leaves_out(photos: Path) -> None:
    for name in ("x.czi", "y.czi", "z.dcm", "a.nd2", "a_seg.npy"):
        make(photos, name)
    samples, problems = load_unlabelled(photos)
    assert len(samples) == 2
    told = [str(problem) for problem in problems]
    assert len(told) == 2  # a.nd2 became a.png, and Cellpose writes _seg.npy beside images
    assert "2 files (x.czi, y.czi) not read: expected a TIFF, PNG or JPEG, got Zeiss CZI" in told[0]
    assert "DICOM" in told[1]


def test_a_folder_of_such_files_alone(tmp_path: Path) -> None:
    make(tmp_path, "x.lif")
    with pytest.raises(WesamError, match="expected at least one image.*Leica LIF.*bioio"):
        load_unlabelled(tmp_path)


@pytest.mark.parametrize(
    ("description", "tags"),
    [("Aperio Image Library v12", []), ("<iScan Magnification='20'/>", []), ("", [(65420, "I", 1, 1, True)])],
)
def test_a_slide_by_any_name_is_refused(tmp_path: Path, description: str, tags: list[object]) -> None:
    path = tmp_path / "slide.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(np.zeros((64, 64, 3), np.uint8), photometric="rgb", description=description, extratags=tags)
        file.write(np.zeros((16, 16, 3), np.uint8), photometric="rgb")
    with pytest.raises(WesamError, match="slide.tif: expected a TIFF, PNG or JPEG, got .*level 0"):
        read_image(path)


def test_names_that_only_look_so() -> None:
    assert container_of(Path("scan.2024.05.png")) is None
    assert container_of(Path(".nii")) is None
    assert container_of(Path("A.NII.GZ")) is not None
    assert stem_of(Path("A.NII.GZ")) == "A"


def test_correct_folders_stay_silent(photos: Path) -> None:
    Image.new("L", (60, 40), 1).save(photos / "a_copy.png")
    assert load_unlabelled(photos)[1] == []


def test_every_way_out_in_python_is_python() -> None:
    lines = [container.way_out for container in containers._CONTAINERS]
    codes = [found[1] for line in lines if (found := re.search(r'python -c "([^"]+)"', line))]
    assert len(codes) > 10
    for code in codes:
        compile(code.replace("FILE", "a.b"), "line", "exec")
        assert "tifffile.imwrite('a.tif'" in code or ".save('a.png')" in code
