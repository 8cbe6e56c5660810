"""Checkpoints of the published research code, as SeisMoLLM models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from seisbench.models import WaveformModel

from ..network import checkpoints
from ..tasks import TASKS, get_task
from ..weight_files import Uninitialised, WeightsError, one_line, read_tensors

# Part of a published file's name -> window in samples and sampling rate in Hz.
PUBLISHED_WINDOWS = {"stead": (6000, 100.0), "diting": (8192, 50.0)}


def load_checkpoint(
    cls: type[WaveformModel],
    source: Mapping | str | Path,
    task: str | None = None,
    merge_lora: bool = False,
    lora_alpha: float = 16,
    **kwargs,
) -> WaveformModel:
    """
    See :py:func:`seisbench_llm.convert.load_published`.

    :param cls: Class of the model.
    """
    name = "The checkpoint" if isinstance(source, Mapping) else str(source)
    if task is not None:
        task = next((spec.name for spec in TASKS.values() if spec.published == task), task)
        get_task(task)
    content = source if isinstance(source, Mapping) else read_tensors(source)
    try:
        state = checkpoints.translate(content)
        if task is None:
            task = _task_of(state, name)
        if not isinstance(source, Mapping):
            kwargs = {**window_of(Path(source).name), **kwargs}
        return _build(cls, state, task, merge_lora, lora_alpha, kwargs)
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
        # A wrong entry may raise an error anywhere.
        what = f"published {task} model" if task else "checkpoint of the published code"
        raise WeightsError(f"{name} is not a {what}: {one_line(error)}") from error


def window_of(name: str) -> dict:
    """
    Window and sampling rate of the data set that is part of a published file's name. Empty if the
    name has no data set.

    >>> window_of("dpk_ditinglight.pth")
    {'in_samples': 8192, 'sampling_rate': 50.0}
    """
    for data, (samples, rate) in PUBLISHED_WINDOWS.items():
        if data in name.lower():
            return {"in_samples": samples, "sampling_rate": rate}
    return {}


def _task_of(state: Mapping, name: str) -> str:
    """
    The task of a state dict. The file's name decides between two tasks of the same layout.

    :raises WeightsError: If neither tells the task, or if they contradict each other.
    """
    possible = checkpoints.tasks_of(state)
    words = re.split(r"[^a-z]+", Path(name).name.lower())
    named = [spec.name for spec in TASKS.values() if spec.published and spec.published in words]
    if not possible:
        raise WeightsError(f"{name} has no head of a published model (out_head...).")
    if len(named) == 1 and named[0] in possible:
        return named[0]
    if len(named) == 1:
        raise WeightsError(
            f"{name} is named after {named[0]}, but holds a model of {' or '.join(possible)}."
        )
    if len(possible) == 1:
        return possible[0]
    published = " or ".join(f"{task} ({TASKS[task].published})" for task in possible)
    raise WeightsError(
        f"{name} may be a model of {published}: their layouts are the same. Say which by the task "
        f"(--task), or name the file as it was published."
    )


def _build(
    cls, state: dict, task: str, merge_lora: bool, alpha: float, kwargs: dict
) -> WaveformModel:
    shape = checkpoints.backbone_shape(state)
    with Uninitialised():
        model = cls(
            task=task,
            backbone="gpt2",
            pretrained=False,
            backbone_layers=shape.layers,
            backbone_config=asdict(shape),
            **kwargs,
        )
    rank = checkpoints.lora_rank(state)
    if rank is not None:
        if merge_lora:
            state = checkpoints.merge(state, alpha / rank)
        else:
            model.add_lora(rank=rank, alpha=alpha)
    model.network.load_state_dict(state)
    return model.eval()
