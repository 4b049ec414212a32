"""Endoscopy and skin lesions."""

from wesam.bench.datasets.entry import Dataset, Official, Turns
from wesam.bench.datasets.parts import Masks, connected_parts, one_object

KVASIR = Dataset(
    name="kvasir",
    title="Kvasir-SEG",
    shift="medical",
    source="https://datasets.simula.no/kvasir-seg/ (the folder Kvasir-SEG)",
    terms="research and education only; other use after written permission (see its page)",
    layout=("images", "masks", "kavsir_bboxes.json"),
    objects="connected parts of the mask above half of white: the masks are JPEG, grey at the edges",
    split=Turns(Masks("images/*.jpg", "masks/{stem}.jpg", connected_parts, order="kavsir_bboxes.json"), train=5),
    images=1000,
)


def _isic(part: str) -> Masks:
    folder = f"ISBI2016_ISIC_Part1_{part}"
    return Masks(f"{folder}_Data/*.jpg", f"{folder}_GroundTruth/{{stem}}_Segmentation.png", one_object)


ISIC = Dataset(
    name="isic",
    title="ISIC 2016",
    shift="medical",
    source="https://challenge.isic-archive.com/data/#2016 (task 1: training and test data with ground truth)",
    terms="CC0",
    layout=tuple(
        f"ISBI2016_ISIC_Part1_{part}_{kind}" for part in ("Training", "Test") for kind in ("Data", "GroundTruth")
    ),
    objects="one lesion an image",
    split=Official(_isic("Training"), _isic("Test")),
    images=1279,
)
