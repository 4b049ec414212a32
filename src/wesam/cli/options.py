"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from wesam.types import ImageReading

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="Hub id, Transformers folder, publisher's .pth or .pt, or bundled name (wesam-edge, wesam-tiny).",
        metavar="M",
    ),
]
AdapterOption = Annotated[Path | None, typer.Option("--adapter", help="Adapter folder of a run.", metavar="DIR")]
ImagesOption = Annotated[Path, typer.Option("--images", help="Folder of images.", metavar="DIR")]
LabelsOption = Annotated[Path, typer.Option("--labels", help="File or folder of labels.", metavar="PATH")]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Of the labels: coco, yolo, voc, label-studio, cvat, labelme, sa1b, masks, csv. Absent: detected.",
    ),
]
InstancesOption = Annotated[
    Literal["components", "values"] | None,
    typer.Option(
        "--instances",
        help="Of masks: each connected part of a number is an object, or all of it. Absent: guessed from the masks.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")]
PrecisionOption = Annotated[Literal["auto", "fp32", "bf16", "fp16"], typer.Option("--precision")]
TileOption = Annotated[
    int | None,
    typer.Option("--tile", min=1, help="Side in pixels of overlapping tiles, for small objects in large images."),
]
OverlapOption = Annotated[
    int | None, typer.Option("--overlap", min=0, help="Overlap of neighbouring tiles in pixels (64).")
]


PageOption = Annotated[
    int | None, typer.Option("--page", min=1, help="Of images of several pages or planes, which to read, from 1.")
]
BandsOption = Annotated[
    str | None,
    typer.Option("--bands", help="Of images, three as red,green,blue, e.g. 3,2,1, or one.", metavar="N,N,N"),
]


def reading_of(page: int | None, bands: str | None) -> ImageReading:
    """Which page and bands of the images, as given."""
    from wesam.types import ImageReading

    return ImageReading(page, bands_of(bands))


def bands_of(text: str | None) -> tuple[int, ...] | None:
    """The numbers in "3,2,1"; None if nothing is given."""
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"expected numbers such as 3,2,1, got {text!r}", param_hint="--bands") from None


def overlap_of(tile: int | None, overlap: int | None) -> int:
    """What tiles share, as given or by default; what would be ignored or cannot be is refused before any work."""
    from wesam.evaluation.predict import DEFAULT_OVERLAP
    from wesam.frames.tiling import check_tiles

    if overlap is not None and tile is None:
        raise typer.BadParameter("needs --tile", param_hint="--overlap")
    shared = DEFAULT_OVERLAP if overlap is None else overlap
    check_tiles(tile, shared)
    return shared


def format_with(format: str | None, instances: str | None) -> str | None:
    """The labels' format, with what the objects of masks are behind it."""
    if instances is None:
        return format
    if format not in (None, "masks"):
        raise typer.BadParameter(f"expected --format masks, got {format}", param_hint="--instances")
    return f"masks:{instances}"
