"""Whole files of every format, from which the fuzzer makes broken and hostile ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from tests.fuzz.image_seeds import encoded, image_seeds, mask_seeds
from tests.fuzz.seed import Seed


def make_images(root: Path) -> Path:
    """a.png of 60 x 40 pixels and site/b.jpg of 80 x 50; beside the folder secret.png, which no label may reach."""
    folder = root / "photos"
    (folder / "site").mkdir(parents=True)
    Image.new("RGB", (60, 40)).save(folder / "a.png")
    Image.new("RGB", (80, 50)).save(folder / "site" / "b.jpg")
    Image.new("RGB", (60, 40)).save(root / "secret.png")
    return folder


def _blob() -> np.ndarray:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 15:35] = 1
    return mask


def _coco() -> bytes:
    rle = coco_mask.encode(np.asfortranarray(_blob()))
    runs = [410, 10, 30, 10, 1940]
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 20], "iscrowd": 0, "area": 400},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[3, 2, 9, 2, 9, 6, 3, 6]], "bbox": [3, 2, 6, 4]},
        {"id": 3, "image_id": 1, "segmentation": {"size": [40, 60], "counts": rle["counts"].decode()}},
        {"id": 4, "image_id": 1, "segmentation": {"size": [40, 60], "counts": runs}},
        {"id": 5, "image_id": 2, "category_id": 1, "keypoints": [40, 20, 2, 55, 35, 2], "num_keypoints": 2},
        {"id": 6, "image_id": 2, "iscrowd": 1, "bbox": [1, 1, 5, 5]},
    ]
    images = [
        {"id": 1, "file_name": "a.png", "width": 60, "height": 40},
        {"id": 2, "file_name": "site/b.jpg", "width": 80, "height": 50},
    ]
    categories = [{"id": 1, "name": "cell", "keypoints": ["centre", "negative"]}]
    return json.dumps({"images": images, "categories": categories, "annotations": annotations}).encode()


def _sa1b() -> bytes:
    rle = coco_mask.encode(np.asfortranarray(_blob()))
    annotation = {
        "id": 1,
        "bbox": [15, 10, 20, 10],
        "segmentation": {"size": [40, 60], "counts": rle["counts"].decode()},
        "point_coords": [[20.5, 12.5]],
        "predicted_iou": 0.9,
        "stability_score": 0.97,
    }
    image = {"image_id": 1, "width": 60, "height": 40, "file_name": "a.png"}
    return json.dumps({"image": image, "annotations": [annotation]}).encode()


def _brush() -> list[int]:
    """A run-length encoding of 60 x 40 x 4 values: one run for each value, in the largest size of count."""
    count = 60 * 40 * 4
    bits = f"{count:032b}{7:05b}" + f"{2:04b}{6:04b}{12:04b}{15:04b}"
    for length in (1000, 500, count - 1500):
        bits += "1" + "11" + f"{length - 1:016b}" + f"{255 if length == 500 else 0:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def _label_studio() -> bytes:
    size = {"original_width": 60, "original_height": 40}
    shapes = [
        ("rectanglelabels", {"x": 50, "y": 25, "width": 25, "height": 50, "rotation": 15, "rectanglelabels": ["cell"]}),
        ("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 0, "ellipselabels": ["cell"]}),
        ("polygonlabels", {"points": [[10, 10], [50, 10], [50, 60]], "polygonlabels": ["cell"]}),
        ("brushlabels", {"format": "rle", "rle": _brush(), "brushlabels": ["cell"]}),
        ("keypointlabels", {"x": 60, "y": 40, "width": 1, "keypointlabels": ["+"]}),
        ("choices", {"choices": ["good"]}),
    ]
    results = [
        {"id": f"r{n}", "type": kind, **size, "value": value, **({"parentID": "r0"} if kind[0] == "k" else {})}
        for n, (kind, value) in enumerate(shapes)
    ]
    task = {"id": 1, "data": {"image": "/data/upload/1/1a2b3c4d-a.png"}, "annotations": [{"result": results}]}
    other = {"id": 2, "data": {"image": "/data/local-files/?d=site/b.jpg"}, "annotations": [{"result": []}]}
    return json.dumps([task, other]).encode()


def _labelme() -> bytes:
    mask = base64.b64encode(encoded(Image.fromarray(_blob()[10:20, 15:35] * 255), "PNG")).decode()
    shapes = [
        {"label": "cell", "shape_type": "rectangle", "points": [[10, 5], [30, 25]], "group_id": None},
        {"label": "cell", "shape_type": "polygon", "points": [[1, 1], [9, 1], [9, 9]], "group_id": 2},
        {"label": "cell", "shape_type": "point", "points": [[40, 20]], "group_id": 1},
        {"label": "negative", "shape_type": "point", "points": [[55, 35]], "group_id": 1},
        {"label": "cell", "shape_type": "circle", "points": [[30, 20], [34, 20]]},
        {"label": "cell", "shape_type": "mask", "points": [[15, 10], [35, 20]], "mask": mask},
        {"label": "cell", "shape_type": "line", "points": [[15, 10], [35, 20]]},
    ]
    return json.dumps({"imagePath": "a.png", "imageWidth": 60, "imageHeight": 40, "shapes": shapes}).encode()


_CVAT = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>cell</name></label></labels></task></meta>
  <image id="0" name="a.png" width="60" height="40">
    <box label="cell" xtl="10.50" ytl="5.00" xbr="30.00" ybr="25.00" rotation="10"/>
    <polygon label="cell" points="1.0,1.0;9.0,1.0;9.0,9.0"/>
    <points label="cell" points="40.5,20.5;42.0,22.0"/>
    <points label="negative" points="55.0,35.0"/>
    <ellipse label="cell" cx="30" cy="20" rx="5" ry="7" rotation="5"/>
    <mask label="cell" rle="3, 4, 5" left="10" top="10" width="4" height="3"/>
    <polyline label="cell" points="1,1;2,2"/><tag label="cell"/>
  </image>
  <image id="1" name="site/b.jpg" width="80" height="50"/>
</annotations>"""

_VOC = b"""<annotation><folder>photos</folder><filename>a.png</filename>
  <size><width>60</width><height>40</height><depth>3</depth></size>
  <object><name>cell</name><difficult>0</difficult>
    <bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>25</ymax></bndbox></object>
  <object><name>other</name>
    <bndbox><xmin>31</xmin><ymin>6</ymin><xmax>50</xmax><ymax>25</ymax></bndbox></object>
</annotation>"""

_YOLO = b"0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n\n0 0.2 0.2 0.1 0.1\n"
_YOLO_NAMES = "path: .\ntrain: images\nnc: 2\nnames:\n  0: cell\n  1: nucleus\n"

_CSV = b"""image,x0,y0,x1,y1,x,y,positive,object,class
a.png,10,5,30,25,,,,,cell
a.png,,,,,40,20,1,left,cell
a.png,,,,,55,35,0,left,
"site/b.jpg",1,2,3.5,4,,,,,"cell, large"
"""

# As other tools have them: sizes of images, corner and size, SAM's clicks.
_TABLES = (
    b"filename,width,height,class,xmin,ymin,xmax,ymax\na.png,60,40,cell,10,5,30,25\nsite/b.jpg,80,50,cell,1,2,3.5,4\n",
    b"image,x,y,w,h\na.png,10,5,20,20\nsite/b.jpg,1,2,2.5,2\n",
    b"image,x,y,label\na.png,40,20,1\na.png,55,35,0\n",
)

# Key points, with a detector's confidences for visibilities, and without a file that says how many.
_POSES = b"0 0.3 0.5 0.2 0.4 0.31 0.52 0.9 0.22 0.66 0.8 0.38 0.4 0.7 0.95\n" * 2

# The same image in several files and entries; turned boxes; two corners in the place of a size.
_TURNED_COCO = b"""{"images": [{"id": 1, "file_name": "a.png"}, {"id": "x", "file_name": "./a"}], "annotations": [
  {"id": 0, "image_id": 1, "bbox": [20, 15, 20, 6], "attributes": {"rotation": 30.0}, "iscrowd": 1},
  {"id": 0, "image_id": 1, "bbox": [20, 15, 30, 25], "area": 100}, {"id": 0, "image_id": "x", "bbox": [2, 3, 9, 8]}]}"""
_TURNED_VOC = b"""<annotation><filename>b.png</filename><size><width>60</width><height>40</height></size>
  <object><name>bar</name><bndbox><xmin>20</xmin><ymin>15</ymin><xmax>40</xmax><ymax>21</ymax></bndbox>
    <attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes></object>
  <object><robndbox><cx>30</cx><cy>20</cy><w>20</w><h>6</h><angle>0.5</angle></robndbox></object></annotation>"""

_CONFIG = b"""preset: paper
model: wesam-tiny
images: photos
labels: labels.json
out: run
steps: 700
learning_rate: 1e-4
trackers: [tensorboard]
prompt: auto
method:
  name: wesam
  teacher: ema
  anchor_weight: 2.0
update: {kind: lora, rank: 4, target: qkv}
views:
  tile: 512
  photometric: strong
"""


def seeds() -> list[Seed]:
    """One or more of every target."""
    instances = Image.fromarray((_blob() * 2 + np.eye(40, 60, dtype=np.uint8)).astype(np.uint8))
    return [
        Seed("coco", "labels.json", "json", _coco()),
        Seed("label-studio", "project.json", "json", _label_studio()),
        Seed("labelme", "labels/a.json", "json", _labelme()),
        Seed("cvat", "annotations.xml", "xml", _CVAT),
        Seed("voc", "labels/a.xml", "xml", _VOC),
        Seed("yolo", "labels/a.txt", "text", _YOLO, {"labels/data.yaml": _YOLO_NAMES}),
        Seed("yolo", "labels/data.yaml", "text", _YOLO_NAMES.encode(), {"labels/a.txt": _YOLO.decode()}),
        Seed("csv", "labels.csv", "text", _CSV),
        *(Seed("csv", "labels.csv", "text", table) for table in _TABLES),
        Seed("sa1b", "labels/a.json", "json", _sa1b()),
        Seed("yolo", "labels/a.txt", "text", b"0 0.5 0.5 0.25 0.5 -1.5708\n0 0.3 0.3 0.2 0.4 0.3\n"),
        Seed("yolo", "labels/a.txt", "text", b"0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6 0.87\n"),
        Seed("yolo", "labels/a.txt", "text", _POSES),
        Seed("coco", "labels.json", "json", _TURNED_COCO),
        Seed("voc", "labels/a.xml", "xml", _TURNED_VOC, {"labels/b.xml": _VOC.decode()}),
        Seed("masks", "masks/a/1.png", "png", encoded(Image.fromarray(_blob()), "PNG")),
        Seed("masks", "masks/a.png", "png", encoded(instances, "PNG")),
        Seed("config", "run.yaml", "text", _CONFIG),
        *mask_seeds(),
        *image_seeds(),
    ]
