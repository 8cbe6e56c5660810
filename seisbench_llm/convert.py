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

    For the authors' own checkpoints, use ``SeisMoLLM.from_pretrained("seismollm_dpk_stead")``
    instead.

    :param source: State dict (tensors or arrays), or path of a checkpoint (PyTorch or
        safetensors). A checkpoint may hold the state dict under ``model_dict``, and names may
        carry the prefixes of DistributedDataParallel (``module.``) and torch.compile
        (``_orig_mod.``).
    :param task: Our name of the task, or the published one (dpk, pmp, emg, dis, baz). By default
        the tensors tell the task. Where two tasks have the same layout (pmp and baz, emg and dis),
        the name of the file tells it.
    :param merge_lora: If true, the adapters are folded into the backbone. If false, they stay
        trainable, which needs PEFT.
    :param lora_alpha: Scale of the adapters. The checkpoint does not contain it.
    :param kwargs: Further arguments of :py:class:`~seisbench_llm.SeisMoLLM`. By default window and
        sampling rate follow a file named after its data set: ``in_samples=6000,
        sampling_rate=100`` for STEAD, ``in_samples=8192, sampling_rate=50`` for DiTing.
    :raises WeightsError: If the file is unsafe, if the tensors do not belong to the task, or if the
        task is ambiguous.
    """
    return load_checkpoint(SeisMoLLM, source, task, merge_lora, lora_alpha, **kwargs)
