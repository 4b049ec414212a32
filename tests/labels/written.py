"""The same boxes as each format writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

Box = tuple[float, float, float, float]

SIZE = (60, 40)


def _coco(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    path = folder / "labels.json"
    annotations = [{"image_id": 1, "bbox": [a, b, c - a, d - b]} for a, b, c, d in boxes]
    path.write_text(json.dumps({"images": [{"id": 1, "file_name": image}], "annotations": annotations}))
    return path


def _csv(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    path = folder / "labels.csv"
    rows = [f"{image},{a},{b},{c},{d}" for a, b, c, d in boxes]
    path.write_text("\n".join(["image,x0,y0,x1,y1", *rows]))
    return path


def _voc(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    edges = ("xmin", "ymin", "xmax", "ymax")
    objects = ["".join(f"<{name}>{value}</{name}>" for name, value in zip(edges, box, strict=True)) for box in boxes]
    text = "".join(f"<object><name>cell</name><bndbox>{one}</bndbox></object>" for one in objects)
    (folder / "voc").mkdir()
    (folder / "voc" / "a.xml").write_text(f"<annotation><filename>{image}</filename>{text}</annotation>")
    return folder / "voc"


def _cvat(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    shapes = "".join(f'<box label="cell" xtl="{a}" ytl="{b}" xbr="{c}" ybr="{d}"/>' for a, b, c, d in boxes)
    path = folder / "annotations.xml"
    path.write_text(f'<annotations><image id="0" name="{image}">{shapes}</image></annotations>')
    return path


def _labelme(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    shapes = [{"label": "cell", "shape_type": "rectangle", "points": [[a, b], [c, d]]} for a, b, c, d in boxes]
    (folder / "labelme").mkdir()
    (folder / "labelme" / "a.json").write_text(json.dumps({"imagePath": image, "shapes": shapes}))
    return folder / "labelme"


def _yolo(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    w, h = SIZE
    rows = [f"0 {(a + c) / 2 / w} {(b + d) / 2 / h} {(c - a) / w} {(d - b) / h}" for a, b, c, d in boxes]
    (folder / "yolo").mkdir()
    (folder / "yolo" / Path(image).with_suffix(".txt").name).write_text("\n".join(rows))
    return folder / "yolo"


def _label_studio(folder: Path, image: str, boxes: Sequence[Box]) -> Path:
    w, h = SIZE
    values = [
        {"x": 100 * a / w, "y": 100 * b / h, "width": 100 * (c - a) / w, "height": 100 * (d - b) / h}
        for a, b, c, d in boxes
    ]
    results = [{"id": f"r{i}", "type": "rectanglelabels", "value": value} for i, value in enumerate(values)]
    path = folder / "tasks.json"
    path.write_text(json.dumps([{"data": {"image": image}, "annotations": [{"result": results}]}]))
    return path


#: By format: writes boxes ``(x0, y0, x1, y1)`` of an image of `SIZE` into an empty folder, and gives the labels' path.
WRITERS: dict[str, Callable[[Path, str, Sequence[Box]], Path]] = {
    "coco": _coco,
    "csv": _csv,
    "voc": _voc,
    "cvat": _cvat,
    "labelme": _labelme,
    "yolo": _yolo,
    "label-studio": _label_studio,
}
