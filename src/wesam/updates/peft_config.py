"""The configuration of a LoRA that peft, or a package that uses it, has written."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftConfig

from wesam.errors import WesamError

# Beginnings that leave the network's own weights alone. All others (pissa, olora, corda, loftq, ...) first take
# something out of them, so that the network with the adapter off would no longer be the source.
_HARMLESS = (True, False, "gaussian", "eva", "orthogonal", None)
# What may stand in a configuration: the rest (bias, modules_to_save, layer_replication, ...) changes more of a network
# than factors beside its layers.
_UNDERSTOOD = {
    "task_type",
    "peft_type",
    "auto_mapping",
    "peft_version",
    "base_model_name_or_path",
    "revision",
    "inference_mode",
    "r",
    "target_modules",
    "exclude_modules",
    "lora_alpha",
    "lora_dropout",
    "fan_in_fan_out",
    "use_rslora",
    "use_dora",
    "lora_bias",
    "init_lora_weights",
    "layers_to_transform",
    "layers_pattern",
    "rank_pattern",
    "alpha_pattern",
    "megatron_core",
    "eva_config",
    "loftq_config",
    "qalora_group_size",
    "runtime_config",
}


def read_peft_config(file: Path) -> LoraConfig:
    """Reads an `adapter_config.json`. The configuration begins no factor from the network's weights.

    Raises:
        WesamError: if it is not peft's, or of another method than LoRA, or of a LoRA that changes the network's own
            weights.
    """
    try:
        with warnings.catch_warnings():  # of what is refused here, or does not matter once it is trained
            warnings.simplefilter("ignore")
            config = PeftConfig.from_pretrained(str(file.parent))
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise WesamError(f"{file}: expected a peft configuration, got: {error}") from error
    if not isinstance(config, LoraConfig):
        raise WesamError(f"{file}: expected peft_type LORA, got {config.peft_type}")
    if config.init_lora_weights not in _HARMLESS:
        raise WesamError(
            f"{file}: init_lora_weights={config.init_lora_weights} rewrites the model's own weights, so that the model "
            f"without the adapter would be lost; save it as a plain LoRA (peft's save_pretrained with "
            f"path_initial_model_for_weight_conversion)"
        )
    standard: Any = LoraConfig()
    for name in (field.name for field in fields(config)):
        value = getattr(config, name)
        if name not in _UNDERSTOOD and value and value != getattr(standard, name):
            raise WesamError(
                f"{file}: {name}={value} is not supported: an adapter is read that changes nothing but factors beside "
                f"a model's layers; train it without {name}"
            )
    config.init_lora_weights = True
    return config
