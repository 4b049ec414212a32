"""Parts of the site that are written from the code, so that they cannot fall behind (a MkDocs hook)."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from wesam.methods.base import MethodSettings
from wesam.methods.registry import method_names, settings_type
from wesam.training.config import DEFAULT_METHOD, PRESETS, RunConfig
from wesam.training.effort import SETTINGS_OF
from wesam.updates.registry import known_kinds
from wesam.updates.settings import UpdateSettings

_HEADER = "| setting | type | default | meaning |\n| --- | --- | --- | --- |\n"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for each page."""
    for marker, write in {"configuration": configuration, "effort": efforts, "preset": paper_preset}.items():
        marked = f"<!-- {marker} -->"
        if marked in markdown:
            markdown = markdown.replace(marked, write())
    return markdown


def configuration() -> str:
    """Every field of `RunConfig`, under the name that `--set` takes; one table a settings model."""
    return "\n\n".join(_tables(RunConfig, "", "The run"))


def efforts() -> str:
    """What `--effort` stands for."""
    normal = {"steps": RunConfig.model_fields["steps"].default}
    rows = []
    for effort, settings in SETTINGS_OF.items():
        given = dict(_flattened({**normal, **settings}))
        shown = [f"`{name}={_yaml(value)}`" for name, value in given.items() if name != "method.name"]
        rows.append(f"| `{effort}` | {', '.join(shown)} |")
    return "| effort | settings |\n| --- | --- |\n" + "\n".join(rows)


def paper_preset() -> str:
    """What `--preset paper` sets."""
    rows = (f"| `{name}` | `{_yaml(value)}` |" for name, value in _flattened(PRESETS["paper"]))
    return "| setting | value |\n| --- | --- |\n" + "\n".join(rows)


def _tables(model: type[BaseModel], prefix: str, title: str) -> Iterator[str]:
    """The table of one model, then those of the models nested in it."""
    rows, nested = [], []
    for name, field in model.model_fields.items():
        models = _models(field.annotation)
        nested += [(inner, f"{prefix}{name}.") for inner in models]
        if not models or field.default is None:
            rows.append(_row(f"{prefix}{name}", field))
    summary = (model.__doc__ or "").strip().splitlines()[0]
    yield f"### {title}\n\n{summary}\n\n" + _HEADER + "\n".join(rows)
    for inner, inner_prefix in nested:
        yield from _tables(inner, inner_prefix, f"`{inner_prefix[:-1]}`: {inner.__name__}")


def _row(name: str, field: FieldInfo) -> str:
    limits = [
        f"{sign} {limit:g}"
        for bound in field.metadata
        for kind, key, sign in ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
        if isinstance(bound, kind) and (limit := getattr(bound, key)) is not None
    ]
    kind = " ".join([_type_name(field.annotation), ", ".join(limits)]).strip()
    default = "required" if field.default is PydanticUndefined else f"`{_yaml(field.default)}`"
    return f"| `{name}` | {kind} | {default} | {field.description or ''} |"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The settings models that a field may hold."""
    if annotation is UpdateSettings:
        return known_kinds()
    if annotation is MethodSettings:
        return [settings_type(name) for name in sorted(method_names(), key=lambda name: name != DEFAULT_METHOD)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return [model for argument in get_args(annotation) for model in _models(argument)]
    return []


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_type_name, arguments))
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}" if Ellipsis in arguments else f"{_type_name(arguments[0])} × 2"
    if annotation is types.NoneType:
        return "`null`"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "block"
    return {"str": "text", "Path": "path", "int": "integer", "float": "number", "bool": "`true`, `false`"}.get(
        annotation.__name__, annotation.__name__
    )


def _yaml(value: Any) -> str:
    """As one writes it in a YAML file."""
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return str(value)


def _flattened(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
