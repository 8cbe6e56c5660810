"""Published networks of the other tasks as models of SeisBench's benchmark: SeisT and pnsn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.pnsn import RATE, SAMPLES, PnsnPolarity
from benchmarks.peers.seist import SeisT
from seisbench_llm.benchmark.estimators import MaskS, OnsetWindow
from seisbench_llm.benchmark.pickers import UnitPeak

# Task -> name in the published files.
SEIST = {"magnitude": "emg", "distance": "dis", "back_azimuth": "baz", "polarity": "pmp"}
# Sample of the window at which P is; in training it was there now and then.
PLACE = 1500


class SeisTEstimator:
    """
    SeisT (DiTing, 50 Hz, 8192 samples).

    :param path: The published file.
    :param mask_s: See :py:class:`seisbench_llm.benchmark.estimators.BenchmarkEstimator`.
    """

    def __init__(self, path: Path, mask_s: bool = False):
        self.model, self.mask_s = SeisT.from_safetensors(path).eval(), mask_s
        self.task = next(task for task, name in SEIST.items() if name == self.model.task)

    def get_eval_augmentations(self) -> list:
        """The network's window about the onset."""
        mask = [MaskS(self.model.sampling_rate)] if self.mask_s else []
        return [*mask, UnitPeak(), OnsetWindow(self.model.in_samples, PLACE), _single]

    def predict_step(self, batch: dict, batch_idx: int = 0) -> tuple:
        """See :py:class:`seisbench_llm.benchmark.estimators.BenchmarkEstimator`."""
        # Column 0 is up for polarity, and all there is for the others.
        return (self.model.predict(batch["X"])[:, 0],)


class PnsnEstimator:
    """
    The polarity network of pnsn, 1024 samples at 100 Hz with P in the middle.

    :param path: ``pnsn_polar.onnx``.
    """

    task = "polarity"

    def __init__(self, path: Path):
        self.network, self.rate = PnsnPolarity(path), RATE

    def get_eval_augmentations(self) -> list:
        """The network's window about the onset."""
        return [OnsetWindow(SAMPLES, SAMPLES // 2), _single]

    def predict_step(self, batch: dict, batch_idx: int = 0) -> tuple:
        """Probability of up, 0.5 without a vertical."""
        waves = batch["X"][:, 0].numpy()
        answers = [self.network.probabilities(w)[0] if w.any() else 0.5 for w in waves]
        return (torch.tensor(answers),)


def _single(state: dict) -> None:
    x, metadata = state["X"]
    state["X"] = np.asarray(x, np.float32), metadata
