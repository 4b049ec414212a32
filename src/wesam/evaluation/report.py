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
from wesam.evaluation.ground_truth import PROMPT_NAMES, ScoredPrompt
from wesam.evaluation.health_curves import HEIGHT, WIDTH, health_curves
from wesam.evaluation.metrics import SIZES
from wesam.evaluation.scores import TRIVIAL_METHODS, Evaluation, Method, PromptScores
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
        verdict: "better", "worse", "mixed" (better with one kind of prompt, worse with another), "no different",
            "unknown" (adapted against source) or "scored" (one model alone).
        title: one sentence.
        details: the numbers behind it, a line for each kind of prompt.
        warnings: what a reader must know before believing the title.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: str
    title: str
    details: list[str]
    warnings: list[str]


def headline(evaluation: Evaluation, swap: EmbeddingSwap | None = None) -> Headline:
    """Says in words what an evaluation found, without flattering it."""
    verdict, title = _verdict(evaluation)
    return Headline(
        verdict=verdict,
        title=title,
        details=[_detail(prompt, scores) for prompt, scores in evaluation.prompts.items()],
        warnings=_warnings(evaluation, swap, verdict),
    )


def _verdict(evaluation: Evaluation) -> tuple[str, str]:
    """One word, and one sentence."""
    compared = {p: s.difference for p, s in evaluation.prompts.items() if s.difference is not None}
    if not compared:
        scored = (
            f"{_percent(scores.methods[scores.judged].miou)} mIoU with {PROMPT_NAMES[prompt]}"
            for prompt, scores in evaluation.prompts.items()
        )
        return "scored", f"The {METHOD_NAMES[evaluation.first.judged]} scores {_listed(list(scored))}"
    changed = {
        verdict: _listed(
            [
                f"{PROMPT_NAMES[prompt]} ({_signed(difference.difference)})"
                for prompt, difference in compared.items()
                if difference.verdict == verdict
            ]
        )
        for verdict in ("better", "worse")
    }
    if changed["better"] and changed["worse"]:
        return "mixed", (
            f"The adapted model is better than the source model with {changed['better']}, "
            f"and worse with {changed['worse']}"
        )
    for verdict, prompts in changed.items():
        if prompts:
            return verdict, f"The adapted model is {verdict} than the source model with {prompts}"
    if any(difference.verdict == "unknown" for difference in compared.values()):
        return "unknown", "One image cannot show whether the adapted model is better than the source model"
    return "no different", "These images show no difference between the adapted and the source model"


def _detail(prompt: ScoredPrompt, scores: PromptScores) -> str:
    """The numbers of one kind of prompt."""
    difference = scores.difference
    begin = f"With {PROMPT_NAMES[prompt]}: mIoU "
    if difference is None:
        own = _percent(scores.methods[scores.judged].miou)
        return f"{begin}{own} on {_count(len(scores.images), 'image')}; there was nothing to compare it with."
    text = (
        f"{begin}{_percent(scores.methods['source'].miou)} before and {_percent(scores.methods['adapted'].miou)} "
        f"after: {_signed(difference.difference)} points"
    )
    if difference.low is not None and difference.high is not None:
        text += (
            f", {100 * difference.level:.0f} % interval {_signed(difference.low)} to "
            f"{_signed(difference.high)} (paired bootstrap over {_count(difference.images, 'image')})"
        )
    return f"{text}."


def _warnings(evaluation: Evaluation, swap: EmbeddingSwap | None, verdict: str) -> list[str]:
    found = []
    # Masks without a network are made from boxes: only a prompt that tells as much is compared with them.
    prompt: ScoredPrompt = "box" if "box" in evaluation.prompts else next(iter(evaluation.prompts))
    scores = evaluation.prompts[prompt]
    if scores.beaten_by:
        own = scores.methods[scores.judged].miou
        others = ", ".join(f"{METHOD_NAMES[name]} ({_percent(scores.methods[name].miou)})" for name in scores.beaten_by)
        found.append(
            f"A method without a network beats the {METHOD_NAMES[scores.judged]} with {PROMPT_NAMES[prompt]} "
            f"({_percent(own)}) on these images: {others}. Use it instead, or start from a stronger source model."
        )
    if verdict == "worse":
        found.append("Do not use this adapter: the source model does better on these images.")
    if evaluation.images < FEW_IMAGES:
        found.append(f"Only {_count(evaluation.images, 'image')} could be scored. The finding may not hold for others.")
    if swap is not None and swap.worth < BLIND_BELOW:
        found.append(
            f"The model hardly uses the image: its own features give {_percent(swap.own)}, another "
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
        prompt_names=PROMPT_NAMES,
        trivial=TRIVIAL_METHODS,
        sizes=[size for size in SIZES if size in evaluation.first.methods[evaluation.first.judged].by_size],
        boundary=evaluation.first.methods[evaluation.first.judged].boundary_iou is not None,
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


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _signed(fraction: float) -> str:
    return f"{100 * fraction:+.1f}".replace("-", "−")


def _listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
