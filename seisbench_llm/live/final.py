"""Peaks of probability curves: at once, and as in batch processing."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass

import numpy as np
import obspy
from scipy.signal import find_peaks

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import Arguments
from ..streams.component_starts import LOBE_SAMPLES, REACH_S, RISE, mute_places
from ..streams.windows import WindowLayout

PHASES = ("P", "S")


@dataclass(slots=True)
class Peak:
    """
    A peak of a probability curve.

    :param phase: P or S.
    :param sample: Number on the :py:class:`~seisbench_llm.live.grid.Grid` of the data.
    :param value: Probability.
    """

    phase: str
    sample: int
    value: float


def is_in_calendar(time: obspy.UTCDateTime) -> bool:
    """Whether a time can be written. Times of ObsPy may be outside the years 1 to 9999."""
    try:
        str(time)
    except (ValueError, OverflowError):
        return False
    return True


def peaks(curve: np.ndarray, start: int, phase: str, level: float) -> list[Peak]:
    """
    Peaks as in :py:func:`seisbench_llm.streams.picks.peaks`, but without a smallest distance.

    :param curve: Probabilities, NaN where there is no annotation.
    :param start: Grid number of the first sample.
    :param level: Smallest probability of a peak.
    """
    padded = np.concatenate([[0.0], np.nan_to_num(curve), [0.0]])
    indices, _ = find_peaks(padded, height=level)
    return [Peak(phase, start + int(i) - 1, float(padded[i])) for i in indices]


def levels(arguments: Arguments) -> dict[str, float]:
    """Smallest probability of a peak, by phase."""
    return {phase: max(arguments.threshold(phase), 1e-6) for phase in PHASES}


class FinalCurves:
    """
    The part of the annotation of ``annotate`` that no later window changes.

    Windows have the places of :py:class:`~seisbench_llm.streams.windows.WindowLayout`. The first
    window starts before the data by the length of the padding. The last window ends with the data
    and the padding.

    :param model: Picker.
    :param arguments: Arguments of ``annotate``.
    :param start: Grid number of the first sample of the data.
    """

    def __init__(self, model: SeisMoLLM, arguments: Arguments, start: int):
        self.layout = WindowLayout.of(model, arguments)
        self.stacking = arguments.stacking.lower()
        self.distance = max(1, round(arguments.min_separation * self.layout.rate))
        # Samples around a component's start in which its peak may lie, and that muting may change.
        self.near = round(REACH_S * self.layout.rate) + 1
        self.reach = self.near + LOBE_SAMPLES
        self.start = start
        self.next_window = start - self.layout.padding[0]
        self.windows: deque[tuple[int, np.ndarray]] = deque()
        self.final_to = start
        self._phases = {
            phase: _Phase(phase, level, start) for phase, level in levels(arguments).items()
        }

    def take(self, at: int, probabilities: np.ndarray) -> None:
        """
        Add the probabilities of a window.

        :param at: Grid number of the window's first sample.
        :param probabilities: Shape (samples, phases), NaN where blinded.
        """
        self.windows.append((at, probabilities))
        if at == self.next_window:
            self.next_window += self.layout.hop
            self.final_to = max(self.final_to, self.next_window + self.layout.blinding[0])

    def closing_windows(self, at: int, stop: int) -> list[int]:
        """
        Starts of the remaining windows if no more data come.

        :param at: Grid number of the first remaining window at a regular place.
        :param stop: Grid number after the last sample of the data.
        """
        last = self.layout.last(self.start, stop)
        if any(last == window for window, _ in self.windows):
            return []
        regular = list(range(at, last + 1, self.layout.hop))
        return regular if last in regular else [*regular, last]

    @property
    def decided_to(self) -> int:
        """Grid number before which all picks have been returned by :py:meth:`pop`."""
        return min(phase.decided_to for phase in self._phases.values())

    def pop(
        self,
        spans: list[tuple[int, int]],
        starts: list[float],
        head: int,
        stop: int | None = None,
    ) -> list[Peak]:
        """
        Picks that later data cannot change. Each pick is returned once.

        :param spans: Grid numbers of the first sample and of the one after the last, for each piece
            of data. There is no annotation where no component has data.
        :param starts: Grid numbers, with fractions, where a component begins while others have
            data. Peaks there are muted, as in ``annotate``.
        :param head: Grid number up to which the data are complete. If the data ended here, the last
            window would end here, too, and would change the curves before.
        :param stop: Grid number after the last sample of the data, if all windows have been taken.
        """
        start = self.seen_to
        final = self.reached(head) if stop is None else stop
        if final <= start and stop is None:
            return []
        begin = self._needed(starts)
        curves = self._stack(begin, max(start, final))
        if stop is None:
            final = self._undisturbed(curves, begin, starts)
        for curve in curves.T:
            mute_places(curve, [at - begin for at in starts], self.layout.rate)
        curves = curves[: max(start, final) - begin]
        inside = np.zeros(len(curves), bool)
        for first, after in spans:
            inside[max(0, first - begin) : max(0, after - begin)] = True
        curves[~inside] = np.nan

        picks = []
        for index, phase in enumerate(self._phases.values()):
            curve = curves[phase.seen_to - begin :, index]
            # The wait is bounded: a curve that is above the threshold for longer than a window is
            # cut.
            phase.see(curve, self.layout.size, closing=stop is not None)
            picks += phase.decide(self.distance, closing=stop is not None)
        needed = self._needed(starts)
        while self.windows and self.windows[0][0] + self.layout.size <= needed:
            self.windows.popleft()
        return sorted(picks, key=lambda peak: (peak.sample, peak.phase))

    @property
    def seen_to(self) -> int:
        """Grid number before which all peaks have been found."""
        return min(phase.seen_to for phase in self._phases.values())

    def reached(self, head: int) -> int:
        """Grid number before which no later window changes the curves."""
        return min(self.final_to, head - self.layout.size + sum(self.layout.padding))

    def _needed(self, starts: list[float]) -> int:
        """First sample of the curves that is needed to find the remaining peaks."""
        near = [int(at) - self.reach for at in starts if at + self.reach > self.seen_to]
        return min([self.seen_to, *near])

    def _undisturbed(self, curves: np.ndarray, begin: int, starts: list[float]) -> int:
        """
        Grid number up to which later samples do not change the muting at starts of components.

        Samples below the level of picks do not matter.

        :param curves: Stacked curves, shape (samples, phases), from the grid number ``begin`` on.
        """
        end = begin + len(curves)
        first = end
        for at in starts:
            if at + self.reach < end or at - self.reach >= end:
                continue
            for curve, phase in zip(curves.T, self._phases.values(), strict=True):
                if at + self.near < end:
                    # The peak is known. Its lobe ends where the curve rises again.
                    low = max(0, int(at) - self.near - begin)
                    if len(_rises(curve[int(at) + self.near - begin :])):
                        continue
                else:
                    # The lobe cannot reach across a rise of the curve on this side.
                    low = max(0, int(at) - self.reach - begin)
                    rises = _rises(curve[low:][::-1])
                    low = len(curve) - int(rises[0]) if len(rises) else low
                loud = np.flatnonzero(curve[low:] >= phase.level)
                if len(loud):
                    first = min(first, begin + low + int(loud[0]))
        return first

    def _stack(self, start: int, stop: int) -> np.ndarray:
        layers = np.full((len(self.windows), stop - start, len(PHASES)), np.nan)
        for layer, (at, probabilities) in zip(layers, self.windows, strict=True):
            first, last = max(start, at), min(stop, at + len(probabilities))
            if first < last:
                layer[first - start : last - start] = probabilities[first - at : last - at]
        seen = ~np.isnan(layers)
        if self.stacking == "max":
            return np.where(seen.any(0), np.where(seen, layers, -np.inf).max(0), np.nan)
        count = seen.sum(0)
        return np.where(count, np.where(seen, layers, 0).sum(0) / np.maximum(count, 1), np.nan)

    def state(self) -> dict:
        """The state as numbers and arrays, see :py:meth:`restore`."""
        return {
            "start": self.start,
            "next_window": self.next_window,
            "final_to": self.final_to,
            "windows": [[at, probabilities] for at, probabilities in self.windows],
            "phases": {name: phase.state() for name, phase in self._phases.items()},
        }

    @classmethod
    def restore(cls, model: SeisMoLLM, arguments: Arguments, state: dict) -> FinalCurves:
        """The curves with a given state."""
        curves = cls(model, arguments, state["start"])
        curves.next_window, curves.final_to = state["next_window"], state["final_to"]
        curves.windows.extend((at, probabilities) for at, probabilities in state["windows"])
        for name, phase in curves._phases.items():
            phase.restore(state["phases"][name])
        return curves


def _rises(curve: np.ndarray) -> np.ndarray:
    """Samples where a curve exceeds the smallest value before them by enough to end a lobe."""
    return np.flatnonzero(curve > np.fmin.accumulate(curve) + RISE)


class _Phase:
    """
    Peaks of one phase. If two peaks are too close, the smaller one is dropped.

    :param name: P or S.
    :param level: Smallest probability of a peak.
    :param start: Grid number where the curve begins.
    """

    def __init__(self, name: str, level: float, start: int):
        self.name, self.level, self.seen_to = name, level, start
        self.waiting: list[Peak] = []
        self.kept: list[Peak] = []

    @property
    def decided_to(self) -> int:
        return min([self.seen_to, *(peak.sample for peak in self.waiting)])

    def see(self, curve: np.ndarray, longest: int, closing: bool) -> None:
        """
        Find peaks in the next part of the curve.

        If more samples may come, the part ends with the last sample below the level, so that no
        peak is cut. Without such a sample, all of it is used if it is longer than ``longest``.
        """
        if not closing:
            quiet = np.flatnonzero(~(np.nan_to_num(curve) >= self.level))
            forced = len(curve) > longest
            curve = curve[: int(quiet[-1]) + 1 if len(quiet) else len(curve) * forced]
        self.waiting += peaks(curve, self.seen_to, self.name, self.level)
        self.seen_to += len(curve)

    def decide(self, distance: int, closing: bool) -> list[Peak]:
        """
        Drop peaks as ``scipy.signal.find_peaks`` does with ``distance``: the highest peak is kept.

        A peak stays open as long as a later peak, or another open peak, may displace it.

        :return: Peaks that are kept from now on.
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

    def state(self) -> dict:
        return {
            "seen_to": self.seen_to,
            "waiting": [asdict(peak) for peak in self.waiting],
            "kept": [asdict(peak) for peak in self.kept],
        }

    def restore(self, state: dict) -> None:
        self.seen_to = state["seen_to"]
        self.waiting = [Peak(**peak) for peak in state["waiting"]]
        self.kept = [Peak(**peak) for peak in state["kept"]]
