"""
Low-rank adaptation of a backbone (Hu et al. 2021, arXiv 2106.09685) with PEFT.

Only :py:func:`add_lora` and :py:func:`merge_lora` need PEFT. :py:func:`merged_state_dict` and
models without adapters do not.
"""

import torch
from torch import nn

from ..extras import install_command

LORA_TARGETS = ("attn.qkv", "attn.out", "mlp.up", "mlp.down")


def add_lora(
    backbone: nn.Module,
    rank: int = 16,
    alpha: float = 16,
    dropout: float = 0.1,
    targets: tuple[str, ...] = LORA_TARGETS,
) -> None:
    """
    Add adapters to a backbone in place.

    Adapters, LayerNorms and positions stay trainable, as in the paper.

    :param rank: Rank of the adapters.
    :param alpha: Scale; the adapter's output is multiplied by alpha / rank.
    :param dropout: Dropout on the adapter's input.
    :param targets: Linear layers of each block that get an adapter, from ``LORA_TARGETS``.
    """
    unknown = set(targets) - set(LORA_TARGETS)
    if unknown or not targets:
        raise ValueError(
            f"Unknown LoRA targets {targets}. Known targets: {', '.join(LORA_TARGETS)}."
        )
    if has_lora(backbone):
        raise ValueError("The backbone already has LoRA adapters; merge them first.")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError(f"LoRA training needs PEFT: {install_command('train')}.") from error

    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets)
    )
    inject_adapter_in_model(config, backbone)
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad = "lora_" in name or "norm" in name or "positions" in name


def has_lora(module: nn.Module) -> bool:
    """Whether any layer carries an adapter."""
    return any("lora_A" in name for name, _ in module.named_modules())


def merge_lora(module: nn.Module) -> None:
    """Replace adapted layers in place by plain layers of the same function."""
    if not has_lora(module):
        return
    state = merged_state_dict(module)
    for name, child in list(module.named_modules()):
        if hasattr(child, "base_layer"):
            parent, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(parent), leaf, child.base_layer)
    module.load_state_dict(state)
    for parameter in module.parameters():
        parameter.requires_grad = True


def merged_state_dict(module: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict after :py:func:`merge_lora`. The module itself keeps its adapters."""
    deltas = {
        f"{name}.weight": child.get_delta_weight("default")
        for name, child in module.named_modules()
        if hasattr(child, "lora_A") and hasattr(child, "get_delta_weight")
    }
    state = {
        name.replace(".base_layer.", "."): value
        for name, value in module.state_dict().items()
        if ".lora_" not in name
    }
    return {
        name: value + deltas[name].to(value) if name in deltas else value
        for name, value in state.items()
    }
