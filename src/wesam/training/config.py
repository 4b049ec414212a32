"""Everything that decides a run, in one validated object that is written beside its results."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from accelerate.utils import LoggerType
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from wesam import untrusted
from wesam.automatic.settings import AutomaticSettings
from wesam.batches.dataset import ViewSettings
from wesam.errors import WesamError
from wesam.findings import describe
from wesam.health.probe import HealthSettings
from wesam.health.selection import SelectionSettings
from wesam.methods.base import MethodSettings
from wesam.methods.registry import method_names, method_type, parse_settings, settings_type
from wesam.prompts.weak_labels import PromptKind
from wesam.training.dropped import refuse_dropped
from wesam.training.effort import EFFORTS, SETTINGS_OF
from wesam.types import ImageReading
from wesam.updates.lora import LoraSettings
from wesam.updates.registry import AnyUpdateSettings, read_settings
from wesam.updates.update import SETTINGS_FILE

PAPER_WARMUP_STEPS = 250
WARMUP_STEPS = 50

# Blocks whose settings depend on what they are for, and the setting in them that says it.
_NAMED_BY = {"method": "name", "update": "kind"}

# Dots in the key of a setting; more of them would only be a way to exhaust the interpreter's stack.
_DEEPEST_KEY = 8

DEFAULT_METHOD = "wesam"

# Settings of the paper (METHOD: CVPR 2024, arXiv 2312.03502, and its public configuration). Everything that is
# not named here has the paper's value as its default already.
PRESETS: dict[str, dict[str, Any]] = {
    "default": {"method": {"name": DEFAULT_METHOD}},
    "paper": {
        "learning_rate": 1e-4,
        "warmup_steps": PAPER_WARMUP_STEPS,
        "max_gradient_norm": None,
        "update": {"kind": "lora", "target": "qv"},
        "health": {"every": 0},
        "selection": {"rule": "last"},
        "method": {
            "name": DEFAULT_METHOD,
            "as_published": True,
            "teacher": "shared",
            "contrastive_weight": 1.0,
            "student_prompt_weight": 0.0,
            "box_projection_weight": 0.0,
        },
    },
}


class RunConfig(BaseModel):
    """One adaptation run. Unknown keys are refused; `PRESETS["paper"]` holds the paper's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="hub id, Transformers folder, publisher's .pth or .pt, or a bundled model's name")
    images: Path = Field(description="folder of images")
    labels: Path | None = Field(
        default=None,
        description="weak labels, a file or a folder; boxes alone are enough. None: prompts are found automatically",
    )
    labels_format: str | None = Field(
        default=None, description="of `labels`, as --format; None: detected from the content"
    )
    out: Path = Field(description="run folder; made if absent")
    start: Path | None = Field(
        default=None,
        description="adapter to go on from, of the same model and kind of update; the anchor stays the source model",
    )
    val_labels: Path | None = Field(
        default=None, description="masks to report on after the run; nothing is ever chosen by them"
    )
    val_labels_format: str | None = Field(
        default=None, description="of `val_labels`, as --val-format; None: detected from the content"
    )
    page: int | None = Field(
        default=None, ge=1, description="of images of several pages, from 1; None: such an image is refused"
    )
    bands: tuple[int, ...] | None = Field(
        default=None,
        description="of images, one (grey) or three (red, green, blue), from 1; None: those that their tags name",
    )
    prompt: PromptKind = Field(default="auto", description="which of the labels to prompt with")
    automatic: AutomaticSettings | None = Field(
        default=None, description="how prompts are found where there are no labels; None: as the table below says"
    )

    method: Annotated[SerializeAsAny[MethodSettings], BeforeValidator(parse_settings)] = Field(
        default_factory=lambda: parse_settings(DEFAULT_METHOD),
        description="what learns from what, by its name; its own settings beside it",
    )
    update: AnyUpdateSettings = Field(default_factory=LoraSettings, description="what learns")
    views: ViewSettings = Field(default_factory=ViewSettings)

    steps: int = Field(default=300, ge=1, description="optimiser steps (chosen here, docs/design-decisions.md)")
    batch_size: int = Field(default=2, ge=1, description="images a process and micro-batch (chosen here)")
    accumulation: int = Field(default=1, ge=1, description="micro-batches an optimiser step")
    learning_rate: float | None = Field(
        default=None, gt=0, description="None: the model family's own (docs/design-decisions.md); paper: 1e-4"
    )
    warmup_steps: int | None = Field(
        default=None, ge=0, description="linear warm-up; None: 50, but a quarter of a short run; paper: 250"
    )
    max_gradient_norm: float | None = Field(
        default=1.0, gt=0, description="clip the gradient's norm (chosen here; paper: no clipping)"
    )

    health: HealthSettings = Field(default_factory=HealthSettings)
    selection: SelectionSettings = Field(default_factory=SelectionSettings)

    seed: int = Field(default=0, ge=0, lt=2**63)
    device: Literal["auto", "cpu"] = Field(
        default="auto", description="auto: what accelerate finds (CUDA_VISIBLE_DEVICES chooses among GPUs)"
    )
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    workers: int | None = Field(
        default=None,
        ge=0,
        description="processes that load images and draw strong views (about 0.1 s an image at 1024 px); "
        "None: 4 beside an accelerator, 0 on a CPU, whose cores the model needs; results do not depend on it",
    )

    log_every: int = Field(default=10, ge=1)
    checkpoint_every: int = Field(default=100, ge=1)
    previews: int = Field(default=4, ge=0, description="before/after pictures to draw")
    trackers: tuple[str, ...] = Field(
        default=("tensorboard",), description="accelerate's trackers by name; metrics.jsonl is always written"
    )

    @field_validator("model")
    @classmethod
    def _is_found_from_elsewhere(cls, model: str) -> str:
        # As below; a name that is no path is a bundled model or a hub id.
        try:
            path = Path(model).expanduser()
            return str(path.absolute()) if path.exists() else model
        except (OSError, RuntimeError):  # longer than a path can be, or the home of a user that there is not
            return model

    @field_validator("trackers")
    @classmethod
    def _are_known(cls, trackers: tuple[str, ...]) -> tuple[str, ...]:
        known = [str(kind) for kind in LoggerType]
        wrong = [name for name in trackers if name not in known]
        if wrong:
            raise ValueError(f"expected trackers of {', '.join(known)}, got {wrong[0]}")
        return trackers

    @field_validator("images", "labels", "out", "start", "val_labels")
    @classmethod
    def _stays_true_elsewhere(cls, path: Path | None) -> Path | None:
        # A run is resumed from wherever its user happens to be.
        try:
            return None if path is None else path.expanduser().absolute()
        except RuntimeError as error:  # the home of a user that there is not
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _images_can_be_read_so(self) -> RunConfig:
        ImageReading(self.page, self.bands)
        return self

    @model_validator(mode="after")
    def _warmup_ends_within_the_run(self) -> RunConfig:
        if self.warmup_steps is not None and self.warmup_steps >= self.steps:
            raise ValueError(
                f"expected warmup_steps below steps, got warmup_steps={self.warmup_steps} and "
                f"steps={self.steps}: the run would end before its learning rate is reached"
            )
        return self

    @model_validator(mode="after")
    def _what_is_chosen_by_was_measured(self) -> RunConfig:
        chosen = self.selection
        if not method_type(self.method).trainable and chosen.rule not in (None, "last"):
            raise ValueError(
                f"expected no selection.rule but last with method.name={self.method.name}, which learns nothing to "
                f"choose from, got selection.rule={chosen.rule}"
            )
        if self.health.every == 0 and chosen.rule not in (None, "last"):
            raise ValueError(
                f"expected health.every of at least 1 to choose by signals, got health.every=0 and "
                f"selection.rule={chosen.rule}"
            )
        if self.effective_selection.rule == "last" and chosen.patience is not None:
            raise ValueError(
                f"expected a selection.rule that uses signals (best, last-healthy, ...) for selection.patience, "
                f"got selection.rule={chosen.rule} with method.name={self.method.name} and "
                f"health.every={self.health.every}, which hands over the last step"
            )
        return self

    @property
    def reading(self) -> ImageReading:
        """Which page and bands of the images."""
        return ImageReading(self.page, self.bands)

    @property
    def effective_selection(self) -> SelectionSettings:
        """With its rule: the method's own where none is given; what was not measured cannot be looked at."""
        if self.selection.rule is not None:
            return self.selection
        method = method_type(self.method)
        measured = method.trainable and self.health.every > 0
        return self.selection.model_copy(update={"rule": method.selection if measured else "last"})

    @property
    def effective_warmup_steps(self) -> int:
        if self.warmup_steps is not None:
            return self.warmup_steps
        return min(WARMUP_STEPS, self.steps // 4)


def make_config(
    values: dict[str, Any],
    preset: str | None = None,
    file: Path | None = None,
    overrides: list[str] | None = None,
) -> RunConfig:
    """Builds the config of a run from its sources; a later one wins: what the method asks for, preset, file,
    values, overrides.

    The method is the one named last, and so is the kind of update. A source that names another one means its block
    for that one, so the block is passed over; all other keys of all sources are checked.

    Args:
        values: fields of `RunConfig`; None means "not given".
        preset: a key of `PRESETS`; None: the file's own "preset" key, or else "default".
        file: YAML file of fields.
        overrides: "key=value" texts; the key may be dotted ("method.teacher=ema"), the value is YAML.

    "effort" may stand among the fields of any source; it is no setting, but stands for some (`training.effort`), over
    which all sources win.

    Raises:
        WesamError: naming the source and the field that is wrong.
    """
    from_file = read_yaml(file) if file is not None else {}
    named_by_file = from_file.pop("preset", "default")
    source = f"{file}: " if file is not None and preset is None else ""
    preset = named_by_file if preset is None else preset
    if not isinstance(preset, str) or preset not in PRESETS:
        raise WesamError(f"{source}preset: expected one of {', '.join(PRESETS)}, got {reprlib.repr(preset)}")
    given: dict[str, Any] = {}
    for override in overrides or []:
        given = _merge(given, _parse_override(override))
    sources = [from_file, {key: value for key, value in values.items() if value is not None}, given]
    effort = ["normal", *(one.pop("effort") for one in sources if "effort" in one)][-1]
    if effort not in EFFORTS:
        raise WesamError(f"effort: expected one of {', '.join(EFFORTS)}, got {reprlib.repr(effort)}")
    sources = [SETTINGS_OF[effort], PRESETS[preset], *sources]
    if isinstance(steps := _last(sources, "steps"), int) and steps <= PAPER_WARMUP_STEPS:
        # The paper's warm-up does not fit into so short a run: a quarter of it, unless somebody asks for another.
        sources[1] = {key: steps // 4 if key == "warmup_steps" else value for key, value in sources[1].items()}
    sources = [_with_named_method(one) for one in sources]
    method = [name for one in sources for name in _name_in(one, "method")][-1]
    if method in method_names():
        sources = [_update_of(method), _update_started_from(_last(sources, "start")), *sources]
    named = {block: [name for one in sources for name in _name_in(one, block)] for block in _NAMED_BY}
    merged: dict[str, Any] = {}
    for one in sources:
        meant_for_others = [block for block in _NAMED_BY if _name_in(one, block) not in ([], named[block][-1:])]
        merged = _merge(merged, {key: value for key, value in one.items() if key not in meant_for_others})
    origin = f"{file}: " if file is not None else ""
    known = settings_type(method).model_fields if method in method_names() else {}
    try:
        refuse_dropped(merged, known)
    except WesamError as error:
        raise WesamError(f"{origin}{error}") from error
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        raise WesamError(origin + describe(error)) from error


def read_yaml(file: Path) -> dict[str, Any]:
    """A YAML file of settings.

    Raises:
        WesamError: naming the file, if it is unreadable or not a mapping.
    """
    content = untrusted.read_yaml(file, "YAML")
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise WesamError(f"{file}: expected 'setting: value' lines, got a {type(content).__name__}")
    return content


def _parse_override(override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise WesamError(f"--set: expected key=value, got {override!r}")
    if key.count(".") > _DEEPEST_KEY:
        raise WesamError(f"--set: expected a setting such as method.teacher, got {reprlib.repr(key)}")
    try:
        value = untrusted.parse_yaml(text)
    except WesamError as error:
        raise WesamError(f"--set {key}: expected a YAML value, got {reprlib.repr(text)}") from error
    if isinstance(value, str):
        value = _number(value)
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _number(text: str) -> str | float:
    """YAML 1.1 reads "1e-4" as text; people who type it mean a number."""
    try:
        return float(text)
    except ValueError:
        return text


def _last(sources: Sequence[dict[str, Any]], key: str) -> Any:
    """What the last source that has a key says."""
    return next((one[key] for one in reversed(sources) if key in one), None)


def _with_named_method(source: dict[str, Any]) -> dict[str, Any]:
    """`method: NAME` is short for `method: {name: NAME}`."""
    name = source.get("method")
    return {**source, "method": {"name": name}} if isinstance(name, str) else source


def _update_of(method: str) -> dict[str, Any]:
    """The kind of update that a method asks for, as a source that all others win over."""
    asked = dict(method_type(settings_type(method).model_construct(name=method)).update)
    return {"update": asked} if asked else {}


def _update_started_from(adapter: Any) -> dict[str, Any]:
    """The kind of update of the adapter that a run starts from, as a source that presets and users win over."""
    file = Path(str(adapter)) / SETTINGS_FILE
    if adapter is None or not file.is_file():  # what is wrong with it is said once the model is there
        return {}
    return {"update": read_settings(file).model_dump(mode="json")}


def _name_in(source: dict[str, Any], block: str) -> list[Any]:
    """Which method or kind of update a source's block is for; [] if it does not say."""
    value = source.get(block)
    if value is None:
        return []
    if not isinstance(value, dict):
        return [value]  # a kind without settings, or a list of kinds
    return [value[_NAMED_BY[block]]] if _NAMED_BY[block] in value else []


def _merge(base: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """`update` over `base`, nested settings merged key by key."""
    merged = dict(base)
    for key, value in update.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
