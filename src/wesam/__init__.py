"""Adapt Segment Anything to your own images from labels that cost almost nothing."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wesam.adaptation import AdaptResult, adapt
    from wesam.errors import WesamError
    from wesam.evaluation.evaluate import evaluate
    from wesam.evaluation.predict import predict
    from wesam.export.official import export_official
    from wesam.export.transformers import export_transformers
    from wesam.labels.check import check, load_samples
    from wesam.predictor import Predictor
    from wesam.types import ImageReading, Instance, Sample
    from wesam.updates.load import load_segmenter

__all__ = [
    "AdaptResult",
    "ImageReading",
    "Instance",
    "Predictor",
    "Sample",
    "WesamError",
    "adapt",
    "check",
    "evaluate",
    "export_official",
    "export_transformers",
    "load_samples",
    "load_segmenter",
    "predict",
]

_HOMES = {
    "AdaptResult": "wesam.adaptation",
    "ImageReading": "wesam.types",
    "Instance": "wesam.types",
    "Predictor": "wesam.predictor",
    "Sample": "wesam.types",
    "WesamError": "wesam.errors",
    "adapt": "wesam.adaptation",
    "check": "wesam.labels.check",
    "evaluate": "wesam.evaluation.evaluate",
    "export_official": "wesam.export.official",
    "export_transformers": "wesam.export.transformers",
    "load_samples": "wesam.labels.check",
    "load_segmenter": "wesam.updates.load",
    "predict": "wesam.evaluation.predict",
}


def __getattr__(name: str) -> Any:
    # Loading torch and transformers takes seconds; `wesam --help` should not wait for them.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wesam' has no attribute {name!r}")
