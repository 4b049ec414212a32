"""Low-rank updates of the image encoder (Hu et al. 2021, arXiv 2106.09685): the only thing that learns."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from wesam.atomic import replaced_folder
from wesam.errors import WesamError, WesamWarning
from wesam.models.fingerprint import source_fingerprint
from wesam.models.segmenter import Segmenter
from wesam.updates.query_value import hold_query_value_structure

if TYPE_CHECKING:
    from transformers import SamModel

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
# Ours; peft and others pass over them.
_SETTINGS = "lora_settings.json"
_SOURCE = "source_weights.sha256"

_QKV = r"vision_encoder\.layers\.\d+\.attn\.qkv"
_ALL_LINEAR = r"vision_encoder\.layers\.\d+\.(attn\.(qkv|proj)|mlp\.lin[12])"


class LoraSettings(BaseModel):
    """Where the update sits and how large it may grow.

    * `qkv`: one update of rank r on the fused query-key-value projection of every block.
    * `qv`: two updates of rank r, one on its query and one on its value third; keys stay as they were.
    * `all-linear`: one update of rank r on every linear layer of every block.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=4, ge=1, description="Rank r. Default: WeSAM (arXiv 2312.03502), section 4.")
    target: Literal["qkv", "qv", "all-linear"] = Field(
        default="qkv",
        description="What is updated. Default: ours, the layer that SAM has in one piece; the paper is `qv`.",
    )
    ranks: Literal["uniform", "rising", "falling"] = Field(
        default="uniform",
        description="How the ranks of the blocks go with depth: all r, or in even steps between 1 and 2 r - 1 with "
        "r as their mean, so that as many weights learn. Default: the paper. That early and late layers should "
        "change by different amounts: Lee et al. (arXiv 2210.11466).",
    )
    alpha: float | None = Field(
        default=None,
        gt=0,
        description="The update is scaled by alpha / r, in every block alike. Default: r, that is 1: theta + A B in "
        "the paper.",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="On the update's input, in training. Default: none in the paper."
    )

    @model_validator(mode="after")
    def _ranks_can_differ(self) -> LoraSettings:
        if self.ranks != "uniform" and self.rank == 1:
            raise ValueError(f"expected a rank of at least 2 for {self.ranks} ranks, got rank=1: all would be 1")
        return self

    @property
    def scale(self) -> float:
        return 1.0 if self.alpha is None else self.alpha / self.rank

    def rank_of_blocks(self, blocks: int) -> list[int]:
        """The rank in each of so many blocks, from the image to the decoder; `rank` on average."""
        if self.ranks == "uniform" or blocks == 1:
            return [self.rank] * blocks
        falling = [round((2 * self.rank - 1) - (2 * self.rank - 2) * i / (blocks - 1)) for i in range(blocks // 2)]
        middle = [self.rank] * (blocks % 2)
        # The other half by symmetry, or rounding would move the mean.
        falling += middle + [2 * self.rank - rank for rank in reversed(falling)]
        return falling if self.ranks == "falling" else falling[::-1]


def add_lora(segmenter: Segmenter, settings: LoraSettings, seed: int) -> None:
    """Adds a fresh update to the encoder, in place. B is zero, so the network answers as before.

    Args:
        segmenter: one without an adapter.
        settings: where and how large.
        seed: of the factors A; the same seed gives the same factors on every device.

    Raises:
        ValueError: if the segmenter already has an adapter.
    """
    if isinstance(segmenter.network, PeftModel):
        raise ValueError(f"expected a segmenter without an adapter, got one that has one: {segmenter.name}")
    factor = 2 if settings.target == "qv" else 1  # see query_value.py
    ranks = {
        rf"vision_encoder\.layers\.{block}\..*": rank * factor
        for block, rank in enumerate(settings.rank_of_blocks(len(segmenter.base.vision_encoder.layers)))
        if rank != settings.rank
    }
    config = LoraConfig(
        r=settings.rank * factor,
        lora_alpha=settings.scale * settings.rank * factor,
        rank_pattern=ranks,
        alpha_pattern={layers: settings.scale * rank for layers, rank in ranks.items()},
        target_modules=_ALL_LINEAR if settings.target == "all-linear" else _QKV,
        lora_dropout=settings.dropout,
    )
    _inject(segmenter, config)
    segmenter.lora = settings

    generator = torch.Generator().manual_seed(seed)
    for name, parameter in segmenter.network.named_parameters():
        if "lora_A" in name:
            drawn = torch.empty(parameter.shape)
            nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
            parameter.data.copy_(drawn)
    _hold_structure(segmenter)


def _inject(segmenter: Segmenter, config: LoraConfig) -> None:
    config.base_model_name_or_path = None  # peft warns of a name other than the model's own
    # peft draws factors, which the caller replaces; and it asks by a name that transformers is retiring.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        segmenter.network = get_peft_model(segmenter.network, config)
    config.base_model_name_or_path = segmenter.name


def _hold_structure(segmenter: Segmenter) -> None:
    if segmenter.lora is not None and segmenter.lora.target == "qv":
        hold_query_value_structure(segmenter.network)


def adapter_parameters(segmenter: Segmenter) -> list[tuple[str, nn.Parameter]]:
    """The weights of the adapter in a fixed order, under the names of the saved peft file; [] without one."""
    return [
        (name.replace(".default.", "."), parameter)
        for name, parameter in segmenter.network.named_parameters()
        if "lora_" in name
    ]


def adapter_state(segmenter: Segmenter) -> dict[str, Tensor]:
    """A copy of the adapter's weights by name, on their device."""
    return {name: parameter.detach().clone() for name, parameter in adapter_parameters(segmenter)}


def load_adapter_state(segmenter: Segmenter, state: Mapping[str, Tensor], source: str = "adapter") -> None:
    """Copies weights into the adapter that is in place. Nothing changes if they do not fit.

    Args:
        segmenter: one with an adapter.
        state: as of `adapter_state`; any device and float type.
        source: what the error calls the state, such as the path it came from.

    Raises:
        WesamError: if names or shapes differ from those of the adapter in place.
    """
    _check_fit(segmenter, state, source)
    with torch.no_grad():
        for name, parameter in adapter_parameters(segmenter):
            parameter.copy_(state[name])


@contextmanager
def use_adapter_weights(segmenter: Segmenter, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Within this context the network runs with other adapter weights, such as those of an EMA teacher.

    The base is shared and nothing is copied. It is without gradients: a backward pass after the context would
    meet the adapter's own weights again and be silently wrong.

    Raises:
        WesamError: if names or shapes differ from those of the adapter in place.
    """
    _check_fit(segmenter, state, "adapter weights")
    parameters = adapter_parameters(segmenter)
    own = [parameter.data for _, parameter in parameters]
    try:
        for name, parameter in parameters:
            parameter.data = state[name].to(parameter)
        with torch.no_grad():
            yield
    finally:
        for (_, parameter), data in zip(parameters, own, strict=True):
            parameter.data = data


def _check_fit(segmenter: Segmenter, state: Mapping[str, Tensor], source: str) -> None:
    expected = {name: tuple(parameter.shape) for name, parameter in adapter_parameters(segmenter)}
    got = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in sorted(expected.keys() | got.keys()):
        if expected.get(name) != got.get(name):
            raise WesamError(
                f"{source}: does not fit {segmenter.name}: tensor {name}: "
                f"expected {expected.get(name, 'no such tensor')}, got {got.get(name, 'no such tensor')}"
            )


def save_adapter(segmenter: Segmenter, folder: Path) -> None:
    """Writes the adapter as a plain peft folder, whole or not at all; an older one gives way.

    `PeftModel.from_pretrained(SamModel.from_pretrained(base), folder)` loads it without this package.

    Raises:
        ValueError: if the segmenter has no adapter.
    """
    if not isinstance(segmenter.network, PeftModel):
        raise ValueError(f"expected a segmenter with an adapter, got one without: {segmenter.name}")
    with replaced_folder(folder) as partial:
        # peft would otherwise ask the hub whether the base model has embeddings.
        segmenter.network.save_pretrained(partial, save_embedding_layers=False)
        (partial / "README.md").unlink(missing_ok=True)  # an unfilled form
        if segmenter.lora is not None:
            (partial / _SETTINGS).write_text(segmenter.lora.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (partial / _SOURCE).write_text(source_fingerprint(segmenter) + "\n", encoding="utf-8")


def attach_adapter(segmenter: Segmenter, folder: Path, trainable: bool = False) -> None:
    """Puts a saved adapter into the encoder, in place.

    Args:
        segmenter: one without an adapter.
        folder: a peft LoRA folder with safetensors weights, made by this package or not.
        trainable: whether its weights take gradients.

    Warns if an adapter made by this package was made from other weights.

    Raises:
        ValueError: if the segmenter already has an adapter.
        WesamError: if the folder is not such a folder, or was made for another architecture. The segmenter
            is then as before.
    """
    if isinstance(segmenter.network, PeftModel):
        raise ValueError(f"expected a segmenter without an adapter, got one that has one: {segmenter.name}")
    config, state, settings = _read_adapter(folder)
    made_on = config.base_model_name_or_path
    try:
        _inject(segmenter, config)
    except ValueError as error:  # peft's word for "no layer of this name"
        raise WesamError(f"{folder / _CONFIG}: does not fit {segmenter.name}: {error}") from error
    try:
        load_adapter_state(segmenter, state, source=str(folder / _WEIGHTS))
    except WesamError:
        segmenter.network = segmenter.network.unload()
        raise
    source = folder / _SOURCE
    if source.is_file() and source.read_text(encoding="utf-8").strip() != source_fingerprint(segmenter):
        warnings.warn(
            f"{folder}: expected the weights of {made_on}, which this adapter is of, got others of the same "
            f"shapes in {segmenter.name}; its masks may be bad",
            WesamWarning,
            stacklevel=2,
        )
    segmenter.lora = settings
    for _, parameter in adapter_parameters(segmenter):
        parameter.requires_grad_(trainable)
    if trainable:
        _hold_structure(segmenter)


def _read_adapter(folder: Path) -> tuple[LoraConfig, dict[str, Tensor], LoraSettings | None]:
    for name in (_CONFIG, _WEIGHTS):
        if not (folder / name).is_file():
            raise WesamError(f"{folder}: expected a peft folder with {_CONFIG} and {_WEIGHTS}, got none of {name}")
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (ValueError, KeyError, TypeError) as error:
        raise WesamError(f"{folder / _CONFIG}: expected a peft configuration, got: {error}") from error
    if not isinstance(config, LoraConfig):
        raise WesamError(f"{folder / _CONFIG}: expected peft_type LORA, got {config.peft_type}")
    try:
        state = load_file(folder / _WEIGHTS)
    except SafetensorError as error:
        raise WesamError(f"{folder / _WEIGHTS}: expected safetensors, got: {error}") from error
    settings_file = folder / _SETTINGS
    if not settings_file.is_file():
        return config, state, None
    try:
        return config, state, LoraSettings.model_validate_json(settings_file.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise WesamError(f"{settings_file}: expected settings of an adapter, got: {error}") from error


def merged_model(segmenter: Segmenter) -> SamModel:
    """A plain `SamModel` with the adapter folded into its weights; the segmenter stays as it is.

    Costs a second copy of the weights. Without an adapter it is a copy of the source model.
    """
    network = copy.deepcopy(segmenter.network)
    return network.merge_and_unload() if isinstance(network, PeftModel) else network
