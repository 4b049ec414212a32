"""One page that says whether adaptation paid off, and shows it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from PIL import Image
from pydantic import BaseModel, ConfigDict

from wesam.atomic import replaced_file
from wesam.evaluation.embedding_swap import EmbeddingSwap
from wesam.evaluation.health_curves import HEIGHT, WIDTH, health_curves
from wesam.evaluation.metrics import SIZES
from wesam.evaluation.scores import Evaluation, Method
from wesam.training.watch import Selection

METHOD_NAMES: dict[Method, str] = {
    "source": "source model",
    "adapted": "adapted model",
    "box": "filled box",
    "ellipse": "inscribed ellipse",
    "grabcut": "GrabCut in the box",
}
# Fewer images than this make an interval from resampling them untrustworthy.
FEW_IMAGES = 10
# Less mIoU than this from the image itself means that the model mostly draws shapes.
BLIND_BELOW = 0.02


class Headline(BaseModel):
    """The finding in words.

    Attributes:
        verdict: "better", "worse", "no different", "unknown" (adapted against source) or "scored" (one model alone).
        title: one sentence.
        detail: the numbers behind it.
        warnings: what a reader must know before believing the title.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: str
    title: str
    detail: str
    warnings: list[str]


def headline(evaluation: Evaluation, swap: EmbeddingSwap | None = None) -> Headline:
    """Says in words what an evaluation found, without flattering it."""
    scores = evaluation.methods
    difference = evaluation.difference
    if difference is None:
        verdict = "scored"
        title = f"The {METHOD_NAMES[evaluation.judged]} scores {_percent(scores[evaluation.judged].miou)} mIoU"
        detail = f"On {_count(len(evaluation.images), 'image')}; nothing to compare it with was asked for."
    else:
        verdict = difference.verdict
        points = f"{100 * abs(difference.difference):.1f} points of mIoU"
        title = {
            "better": f"The adapted model is better than the source model, by {points}",
            "worse": f"The adapted model is worse than the source model, by {points}",
            "no different": "These images show no difference between the adapted and the source model",
            "unknown": "One image cannot tell whether the adapted model is better than the source model",
        }[verdict]
        detail = (
            f"mIoU {_percent(scores['source'].miou)} before and {_percent(scores['adapted'].miou)} after: "
            f"{_signed(difference.difference)} points"
        )
        if difference.low is not None and difference.high is not None:
            detail += (
                f", {100 * difference.level:.0f} % interval {_signed(difference.low)} to "
                f"{_signed(difference.high)} (paired bootstrap over {_count(difference.images, 'image')})"
            )
        detail += "."
    return Headline(verdict=verdict, title=title, detail=detail, warnings=_warnings(evaluation, swap))


def _warnings(evaluation: Evaluation, swap: EmbeddingSwap | None) -> list[str]:
    found = []
    own = evaluation.methods[evaluation.judged].miou
    if evaluation.beaten_by:
        others = ", ".join(
            f"{METHOD_NAMES[name]} ({_percent(evaluation.methods[name].miou)})" for name in evaluation.beaten_by
        )
        found.append(
            f"An answer that needs no network beats the {METHOD_NAMES[evaluation.judged]} ({_percent(own)}) "
            f"on these images: {others}. Use it instead, or start from a stronger source model."
        )
    if evaluation.difference is not None and evaluation.difference.verdict == "worse":
        found.append("Do not use this adapter: the source model does better on these images.")
    if len(evaluation.images) < FEW_IMAGES:
        found.append(
            f"Only {_count(len(evaluation.images), 'image')} could be scored. The finding may not hold for others."
        )
    if swap is not None and swap.worth < BLIND_BELOW:
        found.append(
            f"The model hardly looks at the image: its own features give {_percent(swap.own)}, another "
            f"image's {_percent(swap.other)}, none at all {_percent(swap.zeros)}."
        )
    return found


def write_report(
    path: Path,
    evaluation: Evaluation,
    *,
    selection: str,
    settings: Mapping[str, object],
    previews: Sequence[Path] = (),
    swap: EmbeddingSwap | None = None,
    health: Selection | None = None,
) -> None:
    """Writes a self-contained HTML page: no other file, no script and no network is needed to read it.

    Args:
        path: the file to write.
        evaluation: what was measured.
        selection: the rule that chose the checkpoint, in words. A rule that saw ground truth must say so.
        settings: what produced the model, shown in the order given; nested ones under dotted names.
        previews: pictures to embed, such as those of `previews.write_previews`; captions are the file names.
        swap: the embedding swap of the judged model, where it was measured.
        health: how the run fared and what was chosen from it, where the model comes from a run.
    """
    environment = Environment(
        loader=PackageLoader("wesam.evaluation"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    page = environment.get_template("report.html.j2").render(
        headline=headline(evaluation, swap),
        evaluation=evaluation,
        names=METHOD_NAMES,
        sizes=[size for size in SIZES if any(size in score.by_size for score in evaluation.methods.values())],
        best=max(score.miou for score in evaluation.methods.values()),
        selection=selection,
        settings=_flattened(settings),
        previews=[{"name": file.stem, "uri": _embedded(file)} for file in previews],
        swap=swap,
        health=health,
        curves=[] if health is None else health_curves(health),
        curve_size=(WIDTH, HEIGHT),
        version=metadata.version("wesam"),
        written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )
    with replaced_file(path) as partial:
        partial.write_text(page, encoding="utf-8", errors="backslashreplace")  # names of files need be no text


def _embedded(picture: Path) -> str:
    """A data URI; JPEG, since a page of PNGs of photographs would weigh tens of megabytes."""
    buffer = io.BytesIO()
    with Image.open(picture) as image:
        image.convert("RGB").save(buffer, format="JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _flattened(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(_flattened(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
