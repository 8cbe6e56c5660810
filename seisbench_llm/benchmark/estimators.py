"""
Interface of the benchmark to models of polarity, magnitude, distance and back-azimuth.

:py:class:`BenchmarkEstimator` is for SeisMoLLM. Any other class with ``task``,
``get_eval_augmentations`` and ``predict_step`` is evaluated in the same way.
"""

from __future__ import annotations

import lightning
import numpy as np
import seisbench.generate as sbg
import torch

from ..evaluate.predict import decode
from ..models.seismollm import SeisMoLLM
from .pickers import whole_record_steps


class BenchmarkEstimator(lightning.LightningModule):
    """
    A SeisMoLLM of any task except picking, at given onsets.

    :param model: The model.
    :param mask_s: Whether records are cut one second before S, so that S minus P does not tell the
        distance.
    """

    def __init__(self, model: SeisMoLLM, mask_s: bool = False):
        super().__init__()
        if model.task.head == "curves":
            raise ValueError("The model is a picker; use BenchmarkPicker.")
        self.model, self.mask_s = model, mask_s
        self.task = model.task.name

    def get_eval_augmentations(self) -> list:
        """The model's own window around the onset."""
        model = self.model
        return [
            *([MaskS(model.sampling_rate)] if self.mask_s else []),
            *whole_record_steps(model),
            OnsetWindow(model.in_samples, model.pred_sample),
            sbg.ChangeDtype(np.float32),
        ]

    def predict_step(self, batch: dict, batch_idx: int = 0, dataloader_idx: int = 0) -> tuple:
        """
        Answers for windows.

        :param batch: ``X``, (batch, components, samples).
        :return: One tensor, (batch,): probability of up, magnitude, distance in km, or back-azimuth
            in degrees.
        """
        arguments = {**self.model.default_args}
        x = self.model.annotate_batch_pre(batch["X"], arguments)
        decoded = torch.as_tensor(decode(self.task, self.model(x).float()))
        return (decoded[:, 0] if self.model.task.head == "class" else decoded,)


class OnsetWindow:
    """
    A window with the target's onset at a given sample.

    Samples outside the target's window or the record are zero.

    :param samples: Length.
    :param onset: Sample of the onset in the window.
    """

    def __init__(self, samples: int, onset: int):
        self.samples, self.onset = samples, onset

    def __call__(self, state: dict) -> None:
        (x, metadata), control = state["X"], state["_control_"]
        first = round(float(control["phase_onset"])) - self.onset
        low = max(first, int(control["start_sample"]), 0)
        high = min(first + self.samples, int(control["end_sample"]), x.shape[-1])
        window = np.zeros((*x.shape[:-1], self.samples), x.dtype)
        if high > low:
            part = x[..., low:high]
            # The mean is subtracted, so that there is no step at the ends of the data.
            window[..., low - first : high - first] = part - part.mean(axis=-1, keepdims=True)
        state["X"] = window, metadata


class MaskS:
    """
    Cuts a target's window a second before S, and at P plus 1 s at the earliest.

    :param rate: Sampling rate in Hz.
    """

    def __init__(self, rate: float):
        self.rate = rate

    def __call__(self, state: dict) -> None:
        control = dict(state["_control_"])
        if np.isfinite(control.get("s_onset", np.nan)):
            end = max(control["s_onset"] - self.rate, control["phase_onset"] + self.rate)
            control["end_sample"] = min(control["end_sample"], int(end))
        state["_control_"] = control
