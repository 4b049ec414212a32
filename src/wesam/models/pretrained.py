"""Folders and hub ids of transformers, read and written without a word of its own: what is wrong is said here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    StrictDataclassError,
)
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils.tqdm import are_progress_bars_disabled as hub_bars_disabled
from huggingface_hub.utils.tqdm import disable_progress_bars as disable_hub_bars
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedConfig
from transformers.image_processing_base import ImageProcessingMixin
from transformers.utils import logging

from wesam.errors import WesamError
from wesam.untrusted import read_json

_CONFIG = "config.json"
_LFS = b"version https://git-lfs"
# What a damaged file of weights, and a configuration of which no network can be built, make libraries raise.
_DAMAGED = (SafetensorError, UnpicklingError, EOFError)
_IMPOSSIBLE = (ValueError, TypeError, KeyError, AttributeError, RuntimeError, StrictDataclassError)


@contextmanager
def quiet() -> Iterator[None]:
    """Within it transformers, the hub's client and torch show no bars, reports or warnings. Errors come out as ever."""
    verbosity, hub_verbosity = logging.get_verbosity(), hub_logging.get_verbosity()
    bars, hub_bars = logging.is_progress_bar_enabled(), not hub_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        hub_logging.set_verbosity(ERROR)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            hub_logging.set_verbosity(hub_verbosity)
            if bars:
                logging.enable_progress_bar()
            if not hub_bars:
                disable_hub_bars()


def model_type(source: str, local: bool) -> str | None:
    """What the configuration of a folder or hub id says that it is.

    Raises:
        WesamError: if a folder's configuration cannot be read.
        OSError: if a hub id cannot be reached.
    """
    if local:
        config = read_json(Path(source) / _CONFIG, "the configuration of a model")
    else:
        with quiet():
            config = PreTrainedConfig.get_config_dict(source)[0]
    if not isinstance(config, dict):
        raise WesamError(f"{source}: {_CONFIG}: expected the configuration of a model, got {type(config).__name__}")
    kind = config.get("model_type")
    return None if kind is None else str(kind)


def processor_settings(source: str, local: bool) -> dict[str, Any]:
    """The configuration of the image processor of a folder or hub id; {} where there is none."""
    try:
        with quiet():
            settings: dict[str, Any] = ImageProcessingMixin.get_image_processor_dict(source, local_files_only=local)[0]
    except OSError:
        return {}
    return settings


def load_pretrained(
    model: Any,
    source: str,
    local: bool,
    kind: str,
    dtype: torch.dtype = torch.float32,
    config: Callable[[Any], Any] = lambda own: own,
    attention: str | None = "sdpa",
) -> nn.Module:
    """Reads a folder or hub id into one of transformers' classes, in evaluation mode.

    Args:
        model: the class.
        source: folder, or hub id.
        local: whether the network is never asked.
        kind: what it should be, in the message of an error.
        dtype: of the weights.
        config: from the source's own configuration to the one that is built.
        attention: which implementation; None for transformers' choice.

    Raises:
        WesamError: if what is there is not a whole model of this class; tensors that are missing, unexpected or of
            another shape are named.
        OSError: if a hub id cannot be reached.
        ImportError: if the model needs a package that is not installed.
    """
    try:
        with quiet():
            own = model.config_class.from_pretrained(source, local_files_only=local)
            network, info = model.from_pretrained(
                source,
                dtype=dtype,
                local_files_only=local,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
                config=config(own),
                attn_implementation=attention,
            )
    except OSError as error:
        if not local:
            raise
        raise WesamError(f"{source}: expected a whole {kind}, got {_without_weights(Path(source), error)}") from error
    except _DAMAGED as error:
        raise WesamError(f"{source}: expected a whole {kind}, got {_damage(Path(source))}") from error
    except _IMPOSSIBLE as error:
        raise WesamError(
            f"{source}: expected a whole {kind}, got a {_CONFIG} of which none can be built: {_line(error)}"
        ) from error
    if wrong := _wrong_tensors(info):
        raise WesamError(f"{source}: expected a whole {kind}, got {wrong}")
    loaded: nn.Module = network.eval()
    return loaded


def save_pretrained(network: Any, folder: Path) -> None:
    """Writes one of transformers' networks as a folder.

    Raises:
        OSError, SafetensorError: if it cannot be written.
    """
    with quiet():
        network.save_pretrained(folder)


def hub_reason(error: OSError) -> str:
    """Why the hub gave no model, from what transformers raised."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for kind, reason in _HUB_REASONS:
        if any(isinstance(one, kind) for one in causes):
            return reason
    return _line(error)


# The first that fits; a gated repository and a file that is missing are kinds of the more general ones after them.
_HUB_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (GatedRepoError, "its owner asks everyone to accept terms: do so on its page, then log in with `hf auth login`"),
    (RepositoryNotFoundError, "there is none of this name, or it is private and you are not logged in"),
    (HFValidationError, "this is no name that the hub allows"),
    (OfflineModeIsEnabled, "the hub is switched off in the environment (HF_HUB_OFFLINE)"),
    (LocalEntryNotFoundError, "the hub cannot be reached"),
    (EntryNotFoundError, f"it holds no {_CONFIG}, or no weights"),
    (ConnectionError, "the hub cannot be reached"),
)


def _wrong_tensors(info: dict[str, Any]) -> str:
    """Which tensors are not as the model needs them; empty if all are."""
    unexpected = sorted(info["unexpected_keys"])
    parts = [
        _listed("tensors missing", sorted(info["missing_keys"])),
        _listed("tensors that it has not", unexpected),
        _listed(
            "tensors of another shape",
            [f"{name} {tuple(got)} for {tuple(needed)}" for name, got, needed in sorted(info["mismatched_keys"])],
        ),
    ]
    hint = ""
    if any(".lora_" in name for name in unexpected):
        hint = "; it holds an adapter of peft: merge it (merge_and_unload) and save that"
    return "; ".join(filter(None, parts)) + hint


def _listed(what: str, names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{len(names)} {what}: {', '.join(names[:4])}{more}" if names else ""


def _without_weights(folder: Path, error: OSError) -> str:
    if not [*folder.glob("*.safetensors"), *folder.glob("*.bin")]:
        return "no weights (model.safetensors)"
    return _line(error)


def _damage(folder: Path) -> str:
    """What is wrong with a folder whose weights cannot be read."""
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        with file.open("rb") as stream:
            if stream.read(len(_LFS)) == _LFS:
                return f"a Git LFS pointer in place of {file.name}: run `git lfs pull` where it came from"
    if any(folder.glob("*.safetensors")):
        return "weights that are damaged or not whole: load or copy the folder again"
    return "a .bin that is damaged or holds more than tensors: save the model as model.safetensors"


def _line(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
