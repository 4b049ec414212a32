"""Low-rank updates of the image encoder (Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn

from wesam.models.family import Target
from wesam.models.segmenter import Segmenter
from wesam.updates.layers import layer_names
from wesam.updates.part import Part
from wesam.updates.query_value import hold_query_value_structure
from wesam.updates.settings import UpdateSettings

# peft's names of what it writes.
PEFT_CONFIG_FILE = "adapter_config.json"
PEFT_WEIGHTS_FILE = "adapter_model.safetensors"
_PREFIX = "base_model.model."


class LoraSettings(UpdateSettings):
    """An update ``alpha / r * B A`` of rank r beside each layer: where it sits and how large it may grow.

    * `qkv`: on the fused query-key-value projection of every block.
    * `qv`: two updates of rank r, one on its query and one on its value third; keys stay as they were.
    * `all-linear`: on every linear layer and 1 x 1 convolution of every block.
    """

    kind: Literal["lora"] = "lora"
    rank: int = Field(default=4, ge=1, description="Rank r. Default: WeSAM (arXiv 2312.03502), section 4.")
    target: Literal["qkv", "qv", "all-linear"] = Field(
        default="qkv",
        description="What is updated. Default: ours, the layer that SAM has in one piece; the paper is `qv`.",
    )
    last: float = Field(
        default=1.0, gt=0, le=1, description="The fraction of the encoder's blocks that are updated: the last ones."
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

    @property
    def scale(self) -> float:
        return 1.0 if self.alpha is None else self.alpha / self.rank

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        part = LoraPart(segmenter.network, self._config(segmenter), self.rate)
        part.draw(seed)
        if self.target == "qv":
            part.hold_query_value_structure()
        return [part]

    def _config(self, segmenter: Segmenter) -> LoraConfig:
        target: Target = "linear" if self.target == "all-linear" else "attention"
        layers = layer_names(segmenter, target, self.kind, self.last)
        rank = self.rank * (2 if self.target == "qv" else 1)  # see query_value.py
        return LoraConfig(
            r=rank,
            lora_alpha=self.scale * rank,
            target_modules="|".join(re.escape(name) for name in layers),
            lora_dropout=self.dropout,
        )


class LoraPart(Part):
    """peft's layers in place of some of a network's.

    Args:
        network: one without an adapter.
        config: peft's, of an initialisation that leaves the network's own weights alone.
        rate: learning rate, in units of the run's.

    Raises:
        ValueError: if the network has no layer that the configuration names, or peft cannot update one of them.
    """

    def __init__(self, network: nn.Module, config: LoraConfig, rate: float = 1.0) -> None:
        self.rate = rate
        self._config = config
        self._network = network
        with torch.random.fork_rng(devices=[]):  # peft draws factors, which the caller replaces
            inject_adapter_in_model(config, network)
        self._layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, LoraLayer)]
        # B is zero, and DoRA's magnitudes are the layers' own: what tells source from update. A may be anything.
        self.source = {name: one.detach().clone() for name, one in self.tensors().items() if not _is_inner(name)}

    def tensors(self) -> dict[str, Tensor]:
        return {
            f"{_PREFIX}{name}.{_peft_name(parameter_name)}": parameter
            for name, layer in self._layers
            for kind in layer.adapter_layer_names
            for parameter_name, parameter in getattr(layer, kind).named_parameters(prefix=kind)
        }

    def draw(self, seed: int) -> None:
        """Draws the factors A, as peft does: Kaiming, uniform."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.tensors().items():
            if _is_inner(name):
                drawn = torch.empty(parameter.shape)
                nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=generator)
                parameter.data.copy_(drawn)

    def hold_query_value_structure(self) -> None:
        """Makes two updates of half the rank of each, one on queries and one on values."""
        hold_query_value_structure([one for name, one in self.tensors().items() if not _is_inner(name)])

    @contextmanager
    def off(self) -> Iterator[None]:
        # peft lets all factors learn once a layer is on again, also those of an adapter loaded frozen.
        learning = [(parameter, parameter.requires_grad) for parameter in self.tensors().values()]
        on = [layer for _, layer in self._layers if not layer.disable_adapters]
        try:
            for layer in on:
                layer.enable_adapters(False)
            yield
        finally:
            for layer in on:
                layer.enable_adapters(True)
            for parameter, flag in learning:
                parameter.requires_grad_(flag)

    def switches(self) -> str:
        return " ".join(f"{name} {sorted(layer.scaling.items())}" for name, layer in self._layers)

    def fold(self, network: nn.Module) -> None:
        for name, _ in self._layers:
            layer: Any = network.get_submodule(name)
            layer.merge()
            _put(network, name, layer.get_base_layer())
        del network.peft_config

    def remove(self) -> None:
        for name, layer in self._layers:
            _put(self._network, name, layer.get_base_layer())
        del self._network.peft_config

    def write_shared(self, folder: Path, model: str) -> bool:
        self._config.base_model_name_or_path = model
        self._config.inference_mode = True
        self._config.save_pretrained(folder)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors().items()}
        save_file(tensors, folder / PEFT_WEIGHTS_FILE, metadata={"format": "pt"})
        return True


def _put(network: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, layer)


def _is_inner(name: str) -> bool:
    """Whether a tensor is a factor A, which changes nothing as long as B is zero."""
    return name.endswith((".lora_A.weight", ".lora_embedding_A"))


def _peft_name(name: str) -> str:
    """The name in a file of a parameter of peft's layer: without the adapter's name."""
    kind, _, rest = name.partition(".")
    rest = rest.removeprefix("default").removeprefix(".")
    return kind if kind == "lora_magnitude_vector" or not rest else f"{kind}.{rest}"
