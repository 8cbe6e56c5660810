"""Checkpoints of the published research code, as SeisMoLLM models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from .models.seismollm import SeisMoLLM
from .network.language import KNOWN_SHAPES
from .tasks import TASKS, get_task
from .weight_files import Uninitialised, WeightsError, check_tensor, one_line, read_tensors

# Published name -> ours, applied in order.
_RENAMING = (
    (r"^llm_blocks\.llm\.(base_model\.model\.)?", "backbone."),
    (r"^backbone\.wpe\.", "backbone.positions."),
    (r"^backbone\.ln_f\.", "backbone.norm."),
    (r"^backbone\.h\.", "backbone.blocks."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.attn\.c_attn\.", ".attn.qkv."),
    (r"\.attn\.c_proj\.", ".attn.out."),
    (r"\.mlp\.c_fc\.", ".mlp.up."),
    (r"\.mlp\.c_proj\.", ".mlp.down."),
    (r"^convs\.(\d+)\.convs\.(\d+)\.in_proj\.", r"embedder.\1.branches.\2.project."),
    (r"^convs\.(\d+)\.convs\.(\d+)\.", r"embedder.\1.branches.\2."),
    (r"^convs\.(\d+)\.out_proj\.", r"embedder.\1.project."),
    (r"^convs\.(\d+)\.norm\.", r"embedder.\1.norm."),
    (r"^out_head\.up_layers\.", "head.stages."),
    (r"^out_head\.out_conv\.", "head.out."),
    (r"^out_head\.lin\.", "head.linear."),
    (r"^out_head\.", "head."),
)


def load_published(
    source: Mapping | str | Path,
    task: str,
    merge_lora: bool = False,
    lora_alpha: float = 16,
    **kwargs,
) -> SeisMoLLM:
    """
    Build a model from a checkpoint of the published research code.

    :param source: State dict (tensors or arrays), or path of a checkpoint (PyTorch or
        safetensors). A checkpoint may hold the state dict under ``model_dict``, and names may
        carry the prefixes of DistributedDataParallel (``module.``) and torch.compile
        (``_orig_mod.``).
    :param task: Our name of the task, or the published one (dpk, pmp, emg, dis, baz).
    :param merge_lora: If false, the adapters stay trainable, as published; this needs PEFT. If
        true, they are folded into the backbone.
    :param lora_alpha: Scale of the adapters, which the checkpoint does not tell.
    :param kwargs: Further arguments of :py:class:`~seisbench_llm.SeisMoLLM`, for example
        ``in_samples=8192, sampling_rate=50`` for a model trained on DiTing.
    :raises WeightsError: If the file is unsafe or the tensors are not those of the task.
    """
    task = next((spec.name for spec in TASKS.values() if spec.published == task), task)
    get_task(task)
    name = "The checkpoint" if isinstance(source, Mapping) else str(source)
    state = source if isinstance(source, Mapping) else read_tensors(source)
    try:
        return _model(state, task, merge_lora, lora_alpha, kwargs)
    except WeightsError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        # What is odd may show anywhere.
        raise WeightsError(f"{name} is not a published {task} model: {one_line(error)}") from error


def _model(state: Mapping, task: str, merge_lora: bool, alpha: float, kwargs: dict) -> SeisMoLLM:
    state = state.get("model_dict", state)
    state = {_rename(name): _tensor(name, value) for name, value in state.items()}
    state.pop("backbone.wte.weight", None)
    state = {
        # GPT-2's Conv1D keeps (in, out), a Linear (out, in).
        name: value.T.contiguous() if _is_conv1d_weight(name, value) else value
        for name, value in state.items()
    }

    shape = asdict(KNOWN_SHAPES["gpt2"])
    layers = {int(m[1]) for m in (re.match(r"backbone\.blocks\.(\d+)\.", n) for n in state) if m}
    table = state.get("backbone.positions.weight")
    if table is None or table.ndim != 2 or not layers:
        raise WeightsError("The checkpoint has no GPT-2 blocks (llm_blocks.llm...).")
    positions, width = table.shape
    shape.update(width=width, positions=positions, mlp_width=4 * width, layers=len(layers))
    with Uninitialised():
        model = SeisMoLLM(
            task=task,
            backbone="gpt2",
            pretrained=False,
            backbone_layers=len(layers),
            backbone_config=shape,
            **kwargs,
        )

    ranks = {value.shape[0] for name, value in state.items() if ".lora_A." in name}
    if ranks:
        rank = ranks.pop()
        if merge_lora:
            state = _merge(state, alpha / rank)
        else:
            model.add_lora(rank=rank, alpha=alpha)
    model.network.load_state_dict(state)
    return model.eval()


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


def _merge(state: dict[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    merged = {n.replace(".base_layer.", "."): v for n, v in state.items() if ".lora_" not in n}
    for name, down in state.items():
        layer, found, adapter = name.partition(".lora_A.")
        if found:
            up = state[f"{layer}.lora_B.{adapter}"]
            merged[f"{layer}.weight"] = merged[f"{layer}.weight"] + scale * up @ down
    return merged
