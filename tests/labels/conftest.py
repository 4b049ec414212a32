"""A COCO set on disk that a test can damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@dataclass
class CocoSet:
    root: Path
    json: dict[str, Any] = field(default_factory=lambda: {"images": [], "annotations": []})

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def labels(self) -> Path:
        path = self.root / "labels.json"
        path.write_text(json.dumps(self.json), encoding="utf-8")
        return path

    def add_image(self, name: str, width: int = 60, height: int = 40, **changes: Any) -> Path:
        """Writes a grey image and lists it; `changes` go over its JSON entry, as they are."""
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(path)
        entry = {"id": len(self.json["images"]) + 1, "file_name": name, "width": width, "height": height}
        self.json["images"].append({**entry, **changes})
        return path

    def add(self, **entry: Any) -> int:
        """Lists an annotation of the first image with a good box, unless `entry` says otherwise; its index."""
        index = len(self.json["annotations"])
        self.json["annotations"].append({"id": 100 + index, "image_id": 1, "bbox": [10, 10, 20, 15], **entry})
        return index


@pytest.fixture
def coco(tmp_path: Path) -> CocoSet:
    """One image of 60 x 40 pixels, without annotations."""
    made = CocoSet(tmp_path)
    made.add_image("a.png")
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """a.png of 60 x 40 pixels, site/b.jpg of 80 x 50, and outside the folder secret.png."""
    folder = tmp_path / "photos"
    (folder / "site").mkdir(parents=True)
    Image.new("RGB", (60, 40)).save(folder / "a.png")
    Image.new("RGB", (80, 50)).save(folder / "site" / "b.jpg")
    Image.new("RGB", (60, 40)).save(tmp_path / "secret.png")
    return folder


@pytest.fixture
def save_image(tmp_path: Path) -> Callable[..., Path]:
    def save(image: Image.Image, name: str, **options: Any) -> Path:
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save
