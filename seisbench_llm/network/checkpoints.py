"""
Translation of the published research code's state dicts: names, layout and tasks.

The research code wraps Hugging Face's GPT-2 with PEFT. Its checkpoints hold the blocks of the
language model (``base_layer``), which stay frozen in training, and the adapters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import torch

from ..tasks import PUBLISHED_TASKS, TASKS
from ..weight_files import WeightsError, check_tensor
from .config import BackboneConfig

# Those parts of the language model's shape that a state dict does not tell.
GPT2 = BackboneConfig(
    width=768,
    layers=12,
    heads=12,
    mlp_width=3072,
    positions=1024,
    causal=True,
    norm_first=True,
    tanh_gelu=True,
    norm_eps=1e-5,
)

# Hugging Face's name of a part of a block of GPT-2 -> ours.
GPT2_PARTS = {
    "ln_1": "norm1",
    "attn.c_attn": "attn.qkv",
    "attn.c_proj": "attn.out",
    "ln_2": "norm2",
    "mlp.c_fc": "mlp.up",
    "mlp.c_proj": "mlp.down",
}

# Published name -> ours, applied in order.
_RENAMING = (
    (r"^llm_blocks\.llm\.(base_model\.model\.)?", "backbone."),
    (r"^backbone\.wpe\.", "backbone.positions."),
    (r"^backbone\.ln_f\.", "backbone.norm."),
    (r"^backbone\.h\.", "backbone.blocks."),
    *((rf"\.{re.escape(theirs)}\.", f".{ours}.") for theirs, ours in GPT2_PARTS.items()),
    (r"^convs\.(\d+)\.convs\.(\d+)\.in_proj\.", r"embedder.\1.branches.\2.project."),
    (r"^convs\.(\d+)\.convs\.(\d+)\.", r"embedder.\1.branches.\2."),
    (r"^convs\.(\d+)\.out_proj\.", r"embedder.\1.project."),
    (r"^convs\.(\d+)\.norm\.", r"embedder.\1.norm."),
    (r"^out_head\.up_layers\.", "head.stages."),
    (r"^out_head\.out_conv\.", "head.out."),
    (r"^out_head\.lin\.", "head.linear."),
    (r"^out_head\.", "head."),
)


def translate(state: Mapping) -> dict[str, torch.Tensor]:
    """
    A published state dict in our names and layout, with separate adapters.

    :param state: State dict (tensors or arrays), or a checkpoint that holds it under
        ``model_dict``, beside the state of the optimizer and others. Names may carry the prefixes
        of DistributedDataParallel (``module.``) and torch.compile (``_orig_mod.``).
    :raises WeightsError: If an entry is not a plain tensor.
    """
    state = state.get("model_dict", state)
    state = {_rename(name): _tensor(name, value) for name, value in state.items()}
    # The research code empties the table of words, because waveforms do not need it.
    state.pop("backbone.wte.weight", None)
    return {
        # GPT-2's Conv1D keeps (in, out), a Linear (out, in).
        name: value.T.contiguous() if _is_conv1d_weight(name, value) else value
        for name, value in state.items()
    }


def tasks_of(state: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """
    Published tasks with the head of a state dict.

    The heads of polarity and back-azimuth have the same names and shapes. So have those of
    magnitude and distance. They differ only in what follows the last layer.

    :param state: As of :py:func:`translate`.
    """
    if "head.out.weight" in state:
        return ("picking",)
    last = state.get("head.linear.weight")
    if last is None or last.ndim != 2:
        return ()
    heads = {"class": 2, "angle": 2, "scalar": 1}
    return tuple(name for name in PUBLISHED_TASKS if heads.get(TASKS[name].head) == last.shape[0])


def backbone_shape(state: Mapping[str, torch.Tensor]) -> BackboneConfig:
    """
    Shape of the language model's blocks in a state dict.

    :param state: As of :py:func:`translate`.
    :raises WeightsError: If there are none.
    """
    layers = {int(m[1]) for m in (re.match(r"backbone\.blocks\.(\d+)\.", n) for n in state) if m}
    table = state.get("backbone.positions.weight")
    if table is None or table.ndim != 2 or not layers:
        raise WeightsError("The checkpoint has no GPT-2 blocks (llm_blocks.llm...).")
    positions, width = table.shape
    sizes = {"width": width, "positions": positions, "mlp_width": 4 * width, "layers": len(layers)}
    return BackboneConfig(**{**asdict(GPT2), **sizes})


def language_model(
    state: Mapping, layers: int | None = None
) -> tuple[BackboneConfig, dict[str, torch.Tensor]]:
    """
    The language model's blocks of a published state dict, without its adapters.

    The linear layers are those of the language model, because training leaves them frozen.
    LayerNorms and positions are the fine-tuned ones, because the file has no others.

    :param state: As for :py:func:`translate`.
    :param layers: Number of blocks to keep, all by default.
    :return: Shape and state dict of a :py:class:`~seisbench_llm.network.backbone.Backbone`.
    :raises ValueError: If the checkpoint has fewer blocks.
    :raises WeightsError: If there are none.
    """
    state = translate(state)
    shape = backbone_shape(state)
    if layers is not None and layers > shape.layers:
        raise ValueError(f"The checkpoint has {shape.layers} blocks, not {layers}.")
    layers = shape.layers if layers is None else layers
    kept = {
        name.removeprefix("backbone.").replace(".base_layer.", "."): value.float()
        for name, value in state.items()
        if name.startswith("backbone.") and ".lora_" not in name
    }
    kept = {
        name: value
        for name, value in kept.items()
        if not name.startswith("blocks.") or int(name.split(".")[1]) < layers
    }
    return BackboneConfig(**{**asdict(shape), "layers": layers}), kept


def lora_rank(state: Mapping[str, torch.Tensor]) -> int | None:
    """Rank of the adapters in a state dict, None if there are no adapters."""
    ranks = {value.shape[0] for name, value in state.items() if ".lora_A." in name}
    return ranks.pop() if ranks else None


def merge(state: Mapping[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    """
    The state dict with its adapters folded into the linear layers.

    :param state: As of :py:func:`translate`.
    :param scale: Factor of the adapters' output, alpha / rank.
    """
    merged = {n.replace(".base_layer.", "."): v for n, v in state.items() if ".lora_" not in n}
    for name, down in state.items():
        layer, found, adapter = name.partition(".lora_A.")
        if found:
            up = state[f"{layer}.lora_B.{adapter}"]
            merged[f"{layer}.weight"] = merged[f"{layer}.weight"] + scale * up @ down
    return merged


def _rename(name: str) -> str:
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    for pattern, replacement in _RENAMING:
        name = re.sub(pattern, replacement, name)
    return name


def _tensor(name: str, value) -> torch.Tensor:
    if isinstance(value, np.ndarray | np.generic):
        value = torch.from_numpy(np.array(value))
    return check_tensor(value, f"Entry '{name}' of the checkpoint")


def _is_conv1d_weight(name: str, value: torch.Tensor) -> bool:
    linear = re.search(r"^backbone\.blocks\.\d+\.(attn|mlp)\.\w+\.(base_layer\.)?weight$", name)
    return bool(linear) and value.ndim == 2
