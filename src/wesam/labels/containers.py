"""Files of microscopes, scanners and other worlds that hold images and are not read: named, with the way out.

Each holds more than one picture (planes, channels, resolutions, volumes), of which only its owner knows the right one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wesam.errors import WesamError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True)
class Container:
    """A kind of file that is not read.

    Attributes:
        name: what people call it.
        endings: of its files' names, lower case; of its folders' too.
        way_out: a line of Python, or of a shell, that makes a TIFF or PNG of one; FILE stands for its name.
        magic: how its files begin; None where that tells nothing.
        at: where `magic` stands in them.
        beside: whether such files lie beside images for other reasons, too.
    """

    name: str
    endings: tuple[str, ...]
    way_out: str
    magic: bytes | None = None
    at: int = 0
    beside: bool = False


def _python(packages: str, imports: str, line: str, note: str = "") -> str:
    """A shell line that installs packages and runs a line of Python."""
    return f'pip install {packages}; python -c "import {imports}; {line}"' + (f" ({note})" if note else "")


def _bioio(package: str) -> str:
    line = "tifffile.imwrite('a.tif', bioio.BioImage('FILE').get_image_data('YX', T=0, C=0, Z=0))"
    return _python(f"bioio {package} tifffile", "bioio, tifffile", line, "one plane: T, C and Z are yours to choose")


_LEVEL = _python(
    "tifffile imagecodecs",
    "tifffile",
    "tifffile.imwrite('a.tif', tifffile.imread('FILE', level=1), bigtiff=True, photometric='rgb')",
    "level 0 is the largest",
)
_OPENSLIDE = _python(
    "openslide-python openslide-bin",
    "openslide",
    "s = openslide.OpenSlide('FILE'); s.read_region((0, 0), 1, s.level_dimensions[1]).convert('RGB').save('a.png')",
    "level 0 is the largest",
)
_PYDICOM = _python(
    "pydicom tifffile",
    "pydicom, tifffile",
    "d = pydicom.dcmread('FILE'); a = d.pixel_array; "
    "kinds = {'MONOCHROME1': 'miniswhite', 'MONOCHROME2': 'minisblack'}; "
    "tifffile.imwrite('a.tif', a[0] if int(d.get('NumberOfFrames') or 1) > 1 else a, "
    "photometric=kinds.get(d.PhotometricInterpretation, 'rgb'))",
    "frame 0; compressed ones need pylibjpeg, too",
)
_NIBABEL = _python(
    "nibabel tifffile",
    "nibabel, tifffile",
    "a = nibabel.load('FILE').get_fdata(dtype='float32'); "
    "tifffile.imwrite('a.tif', a.reshape(*a.shape[:2], -1)[:, :, 0].T.copy())",
    "slice 0",
)
_SIMPLEITK = _python(
    "SimpleITK tifffile",
    "SimpleITK, tifffile",
    "a = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage('FILE')); "
    "tifffile.imwrite('a.tif', a.reshape(-1, *a.shape[-2:])[0])",
    "slice 0",
)
_HDF5 = _python(
    "h5py tifffile", "h5py, tifffile", "tifffile.imwrite('a.tif', h5py.File('FILE')['DATASET'][0])", "plane 0"
)
_NUMPY = _python("tifffile", "numpy, tifffile", "tifffile.imwrite('a.tif', numpy.load('FILE'))")
_GDAL = "gdal_translate -b 1 -b 2 -b 3 FILE a.tif"
_RAW = _python("rawpy", "rawpy, PIL.Image", "PIL.Image.fromarray(rawpy.imread('FILE').postprocess()).save('a.png')")
_HEIF = _python(
    "pillow-heif",
    "pillow_heif, PIL.Image",
    "pillow_heif.register_heif_opener(); PIL.Image.open('FILE').save('a.png')",
)
_MAGICK = "magick FILE a.png (ImageMagick)"

_CONTAINERS = (
    Container("Zeiss CZI", (".czi",), _bioio("bioio-czi"), b"ZISRAWFILE"),
    Container("Nikon ND2", (".nd2",), _bioio("bioio-nd2"), b"\xda\xce\xbe\x0a"),
    Container("Leica LIF", (".lif", ".lof", ".xlif"), _bioio("bioio-lif"), b"\x70\x00\x00\x00"),
    Container("OME-Zarr", (".ome.zarr", ".zarr", ".zarr.zip"), _bioio("bioio-ome-zarr")),
    Container("Zeiss LSM", (".lsm",), _bioio("bioio-tifffile")),
    Container("Imaris", (".ims",), _bioio("bioio-bioformats")),
    Container("DeltaVision", (".dv", ".r3d"), _bioio("bioio-dv")),
    Container("Olympus", (".oib", ".oif", ".oir", ".vsi"), _bioio("bioio-bioformats")),
    Container("MetaMorph stack", (".stk",), _bioio("bioio-bioformats")),
    Container("DICOM", (".dcm", ".dicom", ".ima"), _PYDICOM, b"DICM", 128),
    Container("NIfTI", (".nii", ".nii.gz"), _NIBABEL, b"n+1\0", 344),
    Container("MetaImage", (".mha", ".mhd"), _SIMPLEITK),
    Container("NRRD", (".nrrd", ".nhdr"), _SIMPLEITK, b"NRRD000"),
    Container("MRC", (".mrc", ".mrcs"), _bioio("bioio-bioformats")),
    Container("Aperio SVS (a slide)", (".svs",), _LEVEL),
    Container("Hamamatsu NDPI (a slide)", (".ndpi",), _LEVEL),
    Container("a slide scanner's file", (".scn", ".bif", ".qptiff"), _LEVEL),
    Container("a slide scanner's file", (".mrxs", ".vms", ".vmu", ".svslide"), _OPENSLIDE),
    Container("HDF5", (".h5", ".hdf5", ".hdf"), _HDF5, b"\x89HDF\r\n\x1a\n", beside=True),
    Container("NumPy", (".npy", ".npz"), _NUMPY, b"\x93NUMPY", beside=True),
    Container("a raster of GDAL", (".img", ".vrt", ".ecw", ".sid", ".dem", ".nitf", ".ntf"), _GDAL),
    Container(
        "a camera's raw file", (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"), _RAW
    ),
    Container("HEIC", (".heic", ".heif", ".hif"), _HEIF, b"ftyphei", 4),
    Container("AVIF", (".avif",), _MAGICK, b"ftypavif", 4),
    Container("JPEG XL", (".jxl",), _MAGICK, b"\xff\x0a"),
    Container("Photoshop", (".psd", ".psb"), _MAGICK, b"8BPS", beside=True),
    Container("OpenEXR", (".exr",), _MAGICK, b"\x76\x2f\x31\x01"),
    Container("PDF", (".pdf",), "pdftoppm -png FILE a", b"%PDF-", beside=True),
)

# What slide scanners write into the description of a TIFF's first page.
_SCANNERS = ("PerkinElmer-QPI", "leica-microsystems.com/scn", "DPUfsImport", "<iScan ")

_BY_NAME = {container.name.split(" (")[0]: container for container in _CONTAINERS}


def container_of(path: Path, head: bytes = b"") -> Container | None:
    """The kind of a file or folder, by its beginning and then by its name; None if it is none of these."""
    name = path.name.lower()
    for container in _CONTAINERS:
        if container.magic and head[container.at :].startswith(container.magic):
            return container
    return next((one for one in _CONTAINERS if name.endswith(one.endings) and name not in one.endings), None)


def refuse_container(path: Path, head: bytes = b"") -> None:
    """Nothing for an image.

    Raises:
        WesamError: for a file or folder that holds images in a way that is not read.
    """
    container = container_of(path, head)
    if container is not None:
        raise refused(container, path)


def refuse_vendor(description: str, tags: Collection[int]) -> None:
    """Nothing for a TIFF of pages alone.

    Args:
        description: of its first page.
        tags: numbers of the tags there are in it.

    Raises:
        WesamError: for the file of a slide scanner, by any name: its pages are one slide in several sizes.
    """
    name = ""
    if description.startswith("Aperio"):
        name = "Aperio SVS"
    elif 65420 in tags:
        name = "Hamamatsu NDPI"
    elif any(
        mark in description for mark in ("PerkinElmer-QPI", "leica-microsystems.com/scn", "DPUfsImport", "<iScan ")
    ):
        name = "a slide scanner's file"
    if name:
        raise refused(_BY_NAME[name], None)


def refused(container: Container, path: Path | None) -> WesamError:
    """What is said of one."""
    way_out = container.way_out if path is None else container.way_out.replace("FILE", path.name)
    return WesamError(
        f"expected a TIFF, PNG or JPEG, got {container.name}, which is not read. Make one of those of it: {way_out}"
    )


def find_containers(folder: Path) -> list[Path]:
    """Files and folders of such kinds in a folder and its sub-folders, sorted. Hidden ones are left out."""
    found: list[Path] = []
    for directory, subfolders, names in os.walk(folder):
        visible = [name for name in (*subfolders, *names) if not name.startswith(".")]
        here = [Path(directory, name) for name in visible if container_of(Path(name)) is not None]
        found += here
        taken = {path.name for path in here}
        subfolders[:] = sorted(name for name in subfolders if name in visible and name not in taken)
    return sorted(found)


def stem_of(path: Path) -> str:
    """The name of a file of such a kind without its ending, ``.nii.gz`` as a whole."""
    container = container_of(path)
    endings = container.endings if container is not None else (path.suffix,)
    ending = next((one for one in sorted(endings, key=len, reverse=True) if path.name.lower().endswith(one)), "")
    return path.name[: len(path.name) - len(ending)]


def left_aside(folder: Path, images: Iterable[Path]) -> list[str]:
    """What to say of files beside the images that hold images and are not read: a line a kind.

    Those that one of the images is called after were made into it, and some kinds lie beside images for other reasons.
    """
    made = {(path.parent, path.stem) for path in images}
    kinds: dict[Container, list[Path]] = {}
    for path in find_containers(folder):
        container = container_of(path)
        if container is not None and not container.beside and (path.parent, stem_of(path)) not in made:
            kinds.setdefault(container, []).append(path)
    return [f"{count_files(paths)} {refused(container, paths[0])}" for container, paths in kinds.items()]


def count_files(paths: list[Path]) -> str:
    """How many, and the first three names."""
    shown = ", ".join(path.name for path in paths[:3]) + (", ..." if len(paths) > 3 else "")
    return f"{len(paths)} file{'s' if len(paths) > 1 else ''} ({shown}) not read:"


def refuse_labels(labels: Path) -> None:
    """Nothing for labels of which nothing is such a file.

    Raises:
        WesamError: for a file, or a folder with a file, of such a kind.
    """
    for path in find_containers(labels) if labels.is_dir() else [labels]:
        refuse_container(path)
