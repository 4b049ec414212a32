"""The data sets by name, and a user's own beside them."""

from __future__ import annotations

from pathlib import Path

from wesam.bench.datasets.camouflaged import CAMO, CHAMELEON, COD10K
from wesam.bench.datasets.entry import Dataset, Official, Turns
from wesam.bench.datasets.medical import ISIC, KVASIR
from wesam.bench.datasets.natural import COCO, COCO_C, VOC
from wesam.bench.datasets.parts import CocoFile
from wesam.bench.datasets.robotic import OCID, OSD
from wesam.errors import WesamError

#: The paper's ten, in the order of its tables.
DATASETS = {dataset.name: dataset for dataset in (COCO_C, COCO, VOC, KVASIR, ISIC, CHAMELEON, CAMO, COD10K, OCID, OSD)}

_TURNS = 6  # as most of the paper's


def find_dataset(name: str) -> tuple[Dataset, str]:
    """A data set and the variant of its images, from "coco" or "coco-c/fog".

    Raises:
        WesamError: if there is no such data set or variant.
    """
    key, _, variant = name.partition("/")
    if key not in DATASETS:
        raise WesamError(f"data set: expected one of {', '.join(DATASETS)}, got {name!r}")
    dataset = DATASETS[key]
    if (variant or dataset.variants) and variant not in dataset.variants:
        raise WesamError(f"data set {key}: expected {_forms(dataset)}, got {name!r}")
    return dataset, variant


def own_dataset(name: str, root: Path) -> Dataset:
    """A user's folder as a data set: `images/`, and `instances_train.json` with `instances_test.json` or one COCO file.

    Raises:
        WesamError: if the folder is not laid out so.
    """
    files = [path.name for path in sorted(root.glob("*.json"))]
    pair = ["instances_train.json", "instances_test.json"]
    if set(pair) <= set(files):
        layout = pair
        split: Official | Turns = Official(*(CocoFile("images", file) for file in pair))
    elif len(files) == 1:
        layout = files
        split = Turns(CocoFile("images", files[0]), _TURNS, skip_empty=True)
    else:
        raise WesamError(
            f"{root}: expected images/ with {' and '.join(pair)}, or with one COCO file, got "
            f"{', '.join(files) or 'no COCO file'}"
        )
    return Dataset(
        name=name,
        title=name,
        shift="own",
        source=str(root),
        terms="yours",
        layout=("images", *layout),
        objects="one an annotation",
        split=split,
    )


def _forms(dataset: Dataset) -> str:
    return " or ".join(f"{dataset.name}/{variant}" for variant in dataset.variants) or repr(dataset.name)
