"""Photographs, as they are and spoilt."""

from wesam.bench.datasets.entry import Dataset, Turns
from wesam.bench.datasets.parts import CocoFile, Masks, numbers
from wesam.corruptions import CORRUPTIONS

_COCO_LABELS = "annotations/instances_val2017.json"
_COCO_TERMS = "annotations CC BY 4.0; the photographs under the terms of Flickr"

COCO = Dataset(
    name="coco",
    title="COCO 2017 val",
    shift="natural",
    source="https://cocodataset.org/#download (val2017.zip, annotations_trainval2017.zip)",
    terms=_COCO_TERMS,
    layout=("val2017", _COCO_LABELS),
    objects="one an annotation; crowd regions are left out (the authors' code keeps them)",
    split=Turns(CocoFile("val2017", _COCO_LABELS), train=6),
    images=5000,
)

COCO_C = Dataset(
    name="coco-c",
    title="COCO-C",
    shift="corrupted",
    source="made from COCO 2017 val: wesam corrupt --images val2017 --out corruption/fog --corruption fog --severity 5",
    terms=_COCO_TERMS,
    layout=("corruption/{variant}", _COCO_LABELS),
    objects=COCO.objects,
    split=Turns(CocoFile("corruption/{variant}", _COCO_LABELS), train=6),
    images=5000,
    variants=CORRUPTIONS,
)

VOC = Dataset(
    name="voc",
    title="Pascal VOC 2012",
    shift="natural",
    source="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ (VOCtrainval_11-May-2012.tar; the folder VOC2012)",
    terms="for research; the photographs under the terms of Flickr",
    layout=("JPEGImages", "SegmentationObject"),
    objects="palette index of SegmentationObject; 255, the void border, belongs to no object",
    split=Turns(
        Masks("JPEGImages/*.jpg", "SegmentationObject/{stem}.png", numbers(255), all_labelled=False),
        train=6,
    ),
    images=2913,
)
