"""Procedural scenes with exact masks, and the recipe that trains the bundled model on them."""

from wesam.synthetic.canvas import Scene
from wesam.synthetic.coco import write_coco
from wesam.synthetic.scenes import FAMILIES, generate

__all__ = ["FAMILIES", "Scene", "generate", "write_coco"]
