"""What the paper reports (arXiv 2312.03502 and its authors' project page): mIoU with box prompts, SAM ViT-B.

Nobody's figures here are ours. The authors have since said that an error in their code made early results inaccurate,
and people who tried could not reproduce some of them.
"""

from __future__ import annotations

_NAMES = ("coco", "voc", "kvasir", "isic", "chameleon", "camo", "cod10k", "ocid", "osd", "coco-c")
_ROWS = {
    "direct": (74.29, 69.21, 81.59, 66.74, 51.32, 62.72, 66.32, 86.35, 87.62, 66.73),
    "best other method": (78.21, 80.24, 85.05, 78.43, 71.91, 71.61, 71.42, 88.06, 90.42, 70.15),
    "wesam": (80.12, 80.27, 85.47, 80.01, 75.94, 73.42, 71.93, 88.09, 92.11, 71.05),
    "supervised": (81.50, 81.23, 85.89, 81.62, 78.05, 79.17, 78.06, 91.24, 92.14, 74.35),
}

#: By data set, then by row.
BOX_MIOU = {name: {row: values[place] for row, values in _ROWS.items()} for place, name in enumerate(_NAMES)}
