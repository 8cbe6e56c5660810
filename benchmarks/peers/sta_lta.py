"""
Picking without a network: STA/LTA for the trigger, AIC for the onset, both by ObsPy.

P is looked for on the vertical, S on the horizontals. A window of the benchmark has one arrival, so
that neither has to be told from the other. The scores that the benchmark wants are ratios of
short-term to long-term averages, squashed to 0 to 1: they order windows and are no probabilities.
Lengths and corner frequencies are the usual ones for local earthquakes and tuned to nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from obspy.signal.filter import bandpass
from obspy.signal.trigger import aic_simple, classic_sta_lta, recursive_sta_lta

SHORT, LONG = 0.5, 10.0
BAND = (2.0, 15.0)
# Seconds about the trigger in which the onset is looked for.
BEFORE, AFTER = 2.0, 1.0


class StaLta:
    """
    The picker, as a model of the benchmark.

    :param rate: Sampling rate in Hz.
    :param context: Seconds before the target's window that the long average may use.
    """

    def __init__(self, rate: float = 100.0, context: float = LONG):
        self.rate, self.context = rate, context

    def get_eval_augmentations(self) -> list:
        """The target's window with its context, as long for every target of a file."""
        return [_Window(round(self.context * self.rate), round(30 * self.rate))]

    def predict_step(self, batch: dict, batch_idx: int = 0) -> tuple:
        """See :py:meth:`seisbench_llm.benchmark.pickers.BenchmarkPicker.predict_step`."""
        rows = [
            self._answer(x, *borders)
            for x, borders in zip(
                batch["X"].numpy().astype(float), batch["window_borders"].tolist(), strict=True
            )
        ]
        return tuple(torch.tensor(column) for column in zip(*rows, strict=True))

    def _answer(self, x: np.ndarray, low: int, high: int) -> tuple[float, float, int, int]:
        x = x[:, :high]
        filtered = np.stack([bandpass(row, *BAND, self.rate, corners=2) for row in x])
        ratios = np.stack([self._ratio(row) for row in filtered])
        vertical, horizontal = ratios[0, low:], ratios[1:, low:].max(axis=0)
        p = self._onset(filtered[0, low:], int(vertical.argmax()))
        s_trigger = int(horizontal.argmax())
        s = self._onset(filtered[1:, low:][np.argmax(ratios[1:, low + s_trigger])], s_trigger)
        height = max(vertical.max(), horizontal.max())
        share = (vertical.max() + 1e-9) / (horizontal.max() + 1e-9)
        return height / (1 + height), share, p, s

    def _ratio(self, row: np.ndarray) -> np.ndarray:
        if not row.any():
            return np.zeros(len(row))
        short, long = round(SHORT * self.rate), round(LONG * self.rate)
        if len(row) > long:
            return classic_sta_lta(row, short, long)
        return recursive_sta_lta(row, short, max(2 * short, len(row) // 3))

    def _onset(self, row: np.ndarray, trigger: int) -> int:
        low = max(0, trigger - round(BEFORE * self.rate))
        part = row[low : trigger + round(AFTER * self.rate)]
        if len(part) < 10 or not part.any():
            return trigger
        # Its ends are no onsets, and logarithms of nothing.
        return low + 2 + int(np.argmin(np.nan_to_num(aic_simple(part)[2:-2], posinf=0.0)))


class _Window:
    """The window of a target, with what is before it up to ``context`` samples, zeros else."""

    def __init__(self, context: int, longest: int):
        self.context, self.longest = context, longest

    def __call__(self, state: dict) -> None:
        (x, metadata), control = state["X"], state["_control_"]
        start, end = int(control["start_sample"]), int(control["end_sample"])
        first = max(0, start - self.context)
        window = np.zeros((x.shape[0], self.context + self.longest))
        part = x[:, first : min(end, first + window.shape[1])]
        window[:, : part.shape[1]] = part - part.mean(axis=-1, keepdims=True)
        state["X"] = window, metadata
        borders = np.array([start - first, start - first + part.shape[1] - (start - first)])
        state["window_borders"] = borders, None
