"""From the windows of a live model to picks: quick ones, and those that batch processing gives."""

from __future__ import annotations

from collections import deque

import numpy as np
import obspy
from scipy.signal import find_peaks

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import argument, threshold

PHASES = ("P", "S")


class Found:
    """
    A peak of a probability curve.

    :param phase: P or S.
    :param sample: Its number on the model's absolute sample grid, see :py:func:`grid`.
    :param value: Probability.
    """

    __slots__ = ("phase", "sample", "value")

    def __init__(self, phase: str, sample: int, value: float):
        self.phase, self.sample, self.value = phase, sample, value


def grid(time: obspy.UTCDateTime, rate: float) -> int:
    """
    Number of the sample nearest to a time, counted from 1970.

    SeisBench's grouping moves all traces to this grid, and shifts the annotations back.
    """
    return round(time.ns * rate / 1e9)


def find(curve: np.ndarray, start: int, model: SeisMoLLM, phase: str, argdict: dict) -> list[Found]:
    """
    Peaks as in :py:func:`seisbench_llm.models.picks.peaks`, however close to each other.

    :param curve: Probabilities, NaN where there are none.
    :param start: Grid number of the first sample.
    """
    level = max(threshold(model, argdict, phase), 1e-6)
    padded = np.concatenate([[0.0], np.nan_to_num(curve), [0.0]])
    indices, _ = find_peaks(padded, height=level)
    return [Found(phase, start + int(i) - 1, float(padded[i])) for i in indices]


class FinalCurves:
    """
    The annotation that ``annotate`` gives for the same data, as far as no later window changes it.

    Windows lie as in SeisBench: the first one starts with the data (earlier by the blinded
    samples), the others follow ``in_samples - overlap`` samples apart, and the last one ends with
    the data.

    :param model: Picker.
    :param argdict: Arguments of ``annotate``.
    :param start: Grid number of the data's first sample.
    """

    def __init__(self, model: SeisMoLLM, argdict: dict, start: int):
        self.model, self.argdict = model, argdict
        self.before, self.after = argument(model, argdict, "blinding")
        overlap = argument(model, argdict, "overlap")
        # As SeisBench rounds it.
        overlap = int(overlap * model.in_samples) if overlap < 1 else int(overlap)
        self.hop = model.in_samples - overlap
        self.stacking = argument(model, argdict, "stacking").lower()
        self.start = start
        self.next_window = start - self.before
        self.windows: deque[tuple[int, np.ndarray]] = deque()
        self.final_to = start
        self._phases = {phase: _Phase(start) for phase in PHASES}

    def take(self, at: int, probabilities: np.ndarray) -> None:
        """
        Add a window's answer.

        :param at: Grid number of its first sample.
        :param probabilities: Shape (samples, phases), NaN where blinded.
        """
        self.windows.append((at, probabilities))
        if at == self.next_window:
            self.next_window += self.hop
            self.final_to = max(self.final_to, self.next_window + self.before)

    def last_window(self, stop: int) -> int | None:
        """
        Start of the window that ends with the data, None if it was there already.

        :param stop: Grid number after the data's last sample.
        """
        rate, origin = self.model.sampling_rate, obspy.UTCDateTime(0)
        data = stop - self.start + self.before + self.after
        first = self.start - self.before
        # SeisBench's own truncation of a time difference, in streams.fill and stream_to_array.
        begin = origin + first / rate
        total = max(data, self.model.in_samples) + 1
        total = int((begin + (total - 1) / rate - begin) * rate) + 1
        at = first + total - self.model.in_samples
        return None if any(at == window for window, _ in self.windows) else at

    @property
    def decided_to(self) -> int:
        """Grid number before which all picks have been handed out."""
        return min(phase.decided_to for phase in self._phases.values())

    def pop(self, spans: list[tuple[int, int]], head: int, stop: int | None = None) -> list[Found]:
        """
        Picks that nothing can change any more, each once.

        :param spans: Grid numbers (first, after last) of the pieces of data; there is no
            annotation where no component has data.
        :param head: Grid number that the data are complete to. The last window ends with the
            data, so that should they end here, it would have a say in what came before.
        :param stop: After the last window, the grid number after the data's last sample.
        """
        last = head - self.model.in_samples + self.before + self.after
        final = min(self.final_to, last) if stop is None else stop
        start = min(phase.seen_to for phase in self._phases.values())
        if final <= start and stop is None:
            return []
        curves = self._stack(start, max(start, final))
        inside = np.zeros(len(curves), bool)
        for first, last in spans:
            inside[max(0, first - start) : max(0, last - start)] = True
        curves[~inside] = np.nan

        separation = argument(self.model, self.argdict, "min_separation")
        distance = max(1, round(separation * self.model.sampling_rate))
        found = []
        for index, (name, phase) in enumerate(self._phases.items()):
            curve = curves[phase.seen_to - start :, index]
            if stop is None:
                curve = curve[: self._cut(curve, name)]
            phase.waiting += find(curve, phase.seen_to, self.model, name, self.argdict)
            phase.seen_to += len(curve)
            found += phase.decide(distance, closing=stop is not None)
        seen = min(phase.seen_to for phase in self._phases.values())
        while self.windows and self.windows[0][0] + self.model.in_samples <= seen:
            self.windows.popleft()
        return sorted(found, key=lambda peak: (peak.sample, peak.phase))

    def _cut(self, curve: np.ndarray, phase: str) -> int:
        """Where the curve is below the threshold for the last time, so that no peak is cut."""
        low = max(threshold(self.model, self.argdict, phase), 1e-6)
        quiet = np.flatnonzero(~(np.nan_to_num(curve) >= low))
        # Bounded: what stays above the threshold for longer than a window is cut.
        forced = len(curve) > self.model.in_samples
        return int(quiet[-1]) + 1 if len(quiet) else len(curve) * forced

    def _stack(self, start: int, stop: int) -> np.ndarray:
        layers = np.full((len(self.windows), stop - start, len(PHASES)), np.nan)
        for layer, (at, answer) in zip(layers, self.windows, strict=True):
            first, last = max(start, at), min(stop, at + len(answer))
            if first < last:
                layer[first - start : last - start] = answer[first - at : last - at]
        seen = ~np.isnan(layers)
        if self.stacking == "max":
            return np.where(seen.any(0), np.where(seen, layers, -np.inf).max(0), np.nan)
        count = seen.sum(0)
        return np.where(count, np.where(seen, layers, 0).sum(0) / np.maximum(count, 1), np.nan)


class _Phase:
    """Peaks of one phase, of which the smaller of two that are too close is to be dropped."""

    def __init__(self, start: int):
        self.seen_to = start
        self.waiting: list[Found] = []
        self.kept: list[Found] = []

    @property
    def decided_to(self) -> int:
        return min([self.seen_to, *(peak.sample for peak in self.waiting)])

    def decide(self, distance: int, closing: bool) -> list[Found]:
        """
        As ``scipy.signal.find_peaks`` with ``distance``, of which higher peaks come first.

        A peak is open as long as a peak yet to come, or one that is open itself, may displace it.
        """
        kept, still_open = list(self.kept), []
        for peak in sorted(self.waiting, key=lambda p: (-p.value, -p.sample)):
            if any(abs(other.sample - peak.sample) < distance for other in kept):
                continue
            uncertain = not closing and self.seen_to - peak.sample < distance
            if uncertain or any(abs(o.sample - peak.sample) < distance for o in still_open):
                still_open.append(peak)
            else:
                kept.append(peak)
        new = kept[len(self.kept) :]
        self.waiting = still_open
        self.kept = [p for p in kept if p.sample > self.decided_to - distance]
        return new
