"""Procedural scenes with exact masks, and the recipe that trains the bundled model on them."""

from wesam.generated.canvas import Scene
from wesam.generated.coco import write_coco
from wesam.generated.scenes import FAMILIES, generate

__all__ = ["FAMILIES", "Scene", "generate", "write_coco"]
