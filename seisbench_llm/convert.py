"""Checkpoints of the published research code, as SeisMoLLM models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .models.checkpoints import load_checkpoint
from .models.seismollm import SeisMoLLM


def load_published(
    source: Mapping | str | Path,
    task: str | None = None,
    merge_lora: bool = False,
    lora_alpha: float = 16,
    **kwargs,
) -> SeisMoLLM:
    """
    Build a model from a checkpoint of the published research code.

    For the checkpoints that the authors have published,
    ``SeisMoLLM.from_pretrained("seismollm_dpk_stead")`` does all of it.

    :param source: State dict (tensors or arrays), or path of a checkpoint (PyTorch or
        safetensors). A checkpoint may hold the state dict under ``model_dict``, and names may
        carry the prefixes of DistributedDataParallel (``module.``) and torch.compile
        (``_orig_mod.``).
    :param task: Our name of the task, or the published one (dpk, pmp, emg, dis, baz). By default
        it is recognised from the tensors and, where two tasks have the same layout (pmp and baz,
        emg and dis), from the name of the file.
    :param merge_lora: If false, the adapters stay trainable, as published; this needs PEFT. If
        true, they are folded into the backbone.
    :param lora_alpha: Scale of the adapters, which the checkpoint does not tell.
    :param kwargs: Further arguments of :py:class:`~seisbench_llm.SeisMoLLM`. By default window and
        sampling rate follow a file named after its data set: ``in_samples=6000,
        sampling_rate=100`` for STEAD, ``in_samples=8192, sampling_rate=50`` for DiTing.
    :raises WeightsError: If the file is unsafe, the tensors are not those of the task, or the task
        cannot be told.
    """
    return load_checkpoint(SeisMoLLM, source, task, merge_lora, lora_alpha, **kwargs)
