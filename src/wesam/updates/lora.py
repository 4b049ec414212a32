"""Low-rank updates of the image encoder (Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

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
    """An update ``B A`` of rank r beside each layer: where it sits and how large it may grow.

    * `qkv`: on the query, key and value projection of every block, fused or apart.
    * `qv`: on queries and values alone. Where the projection is fused these are two updates of rank r, one on its query
      and one on its value third.
    * `all-linear`: on every linear layer and 1 x 1 convolution of every block.
    """

    adds_layers: ClassVar[bool] = True
    all_learn: ClassVar[bool] = True

    kind: Literal["lora"] = "lora"
    rank: int = Field(default=4, ge=1, description="Rank r. Default: WeSAM (arXiv 2312.03502), section 4.")
    target: Literal["qkv", "qv", "all-linear"] | None = Field(
        default=None,
        description="What is updated. Default: `qkv`, which SAM has in one piece, or `all-linear` in a network without "
        "attention; the paper is `qv`.",
    )
    last: float = Field(
        default=1.0, gt=0, le=1, description="The fraction of the encoder's blocks that are updated: the last ones."
    )

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        layers = layer_names(segmenter, self._target(segmenter), self.kind, self.last)
        if self.target == "qv":
            layers = [name for name in layers if not _own_name(name).startswith("k")]
        halves = self.target == "qv" and any(map(_is_fused, layers))
        rank = self.rank * (2 if halves else 1)  # see query_value.py
        config = LoraConfig(
            r=rank,
            lora_alpha=rank,  # peft scales by alpha / r: 1, the paper's theta + A B
            target_modules="|".join(re.escape(name) for name in layers),
        )
        part = LoraPart(segmenter.network, config, self.rate)
        part.draw(seed)
        if halves:
            part.hold_query_value_structure()
        return [part]

    def _target(self, segmenter: Segmenter) -> Target:
        if self.target is None:
            return "attention" if "attention" in segmenter.family.targets else "linear"
        return "linear" if self.target == "all-linear" else "attention"


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
        # peft draws factors, which the caller replaces.
        with torch.random.fork_rng(devices=[]), _no_tied_weights(network):
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
        fused = {f"{_PREFIX}{name}" for name, _ in self._layers if _is_fused(name)}
        outer = {name: one for name, one in self.tensors().items() if name.endswith(".lora_B.weight")}
        hold_query_value_structure([one for name, one in outer.items() if name.rpartition(".lora_B")[0] in fused])

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


@contextmanager
def _no_tied_weights(network: Any) -> Iterator[None]:
    """Within this context a network that ties no weights says so in the way that peft understands.

    By the empty mapping of EdgeTAM peft takes it for a language model and asks for its input embeddings.
    """
    said = vars(network).get("_tied_weights_keys")
    if getattr(network, "_tied_weights_keys", None) != {}:
        yield
        return
    network._tied_weights_keys = None
    try:
        yield
    finally:
        del network._tied_weights_keys
        if said is not None:
            network._tied_weights_keys = said


def _own_name(layer: str) -> str:
    return layer.rpartition(".")[2]


def _is_fused(layer: str) -> bool:
    """Whether a projection makes queries, keys and values in one."""
    return _own_name(layer) == "qkv"


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
