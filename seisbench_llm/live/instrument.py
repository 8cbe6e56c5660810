"""Live picking of one instrument: from packets to windows, and from answers to reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
import obspy

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import Arguments
from ..streams.component_starts import mute_places
from ..streams.contiguous import ContiguousRecord
from .aside import Aside
from .data import InstrumentData
from .final import FinalCurves, Peak, levels, peaks
from .messages import RepeatedWarnings
from .picks import LivePick, OpenPick, Report, Status
from .settings import LiveSettings


@dataclass(frozen=True)
class Window:
    """
    A window for the network.

    :param instrument: Instrument with the data of the window.
    :param start: Grid number of the first sample.
    :param final: Whether the window is one of the windows of ``annotate``.
    :param data: Preprocessed waveforms, shape (components, samples).
    """

    instrument: Instrument
    start: int
    final: bool
    data: np.ndarray


class Instrument:
    """
    One instrument: its data, the windows that are due, and its picks.

    :param name: NET.STA.LOC and band and instrument code, for example XX.ABC..HH.
    :param model: Picker.
    :param arguments: Arguments of ``annotate``.
    :param settings: Times to wait.
    :param warm_up: See :py:func:`seisbench_llm.live.channels.warm_up`.
    :param counts: Counter to which packets, samples and windows are added.
    :param warnings: Warnings about data that are left out, shared by all instruments.
    :param orient: See :py:class:`seisbench_llm.live.data.InstrumentData`.
    """

    def __init__(
        self,
        name: str,
        model: SeisMoLLM,
        arguments: Arguments,
        settings: LiveSettings,
        warm_up: float,
        counts: Counter,
        warnings: RepeatedWarnings,
        orient: Callable[[obspy.Stream], obspy.Stream] | None = None,
    ):
        self.orient, self.warnings = orient, warnings
        self.name, self.model, self.arguments = name, model, arguments
        self.settings, self.warm_up, self.counts = settings, warm_up, counts
        self.rate = model.sampling_rate
        self.step = max(1, round(settings.step * self.rate))
        self.separation = round(arguments.min_separation * self.rate)
        self.open: list[OpenPick] = []
        # Channel whose data continue at another time.
        self._believed: str | None = None
        self._begin()
        self.aside = Aside(settings.max_latency, self.data.seconds)

    def _begin(self) -> None:
        latency, warm = self.settings.max_latency, self.warm_up
        self.data = InstrumentData(
            self.model, self.arguments, latency, warm, self.counts, self.warnings, self.orient
        )
        self.layout = self.data.layout
        self.settle = max(round(self.settings.settle * self.rate), self.layout.blinding[1])
        self.final: FinalCurves | None = None
        # Fixed with the first final window. Until then, another component may change it.
        self.offset: float | None = None
        self.next_quick: int | None = None

    # Packets

    def add(self, trace: obspy.Trace, clock: float, wall: float) -> bool:
        """
        Take a packet.

        :param trace: Packet of one of this instrument's channels.
        :param clock: Seconds on the clock with which ``max_latency`` is measured.
        :param wall: Unix time of arrival.
        :return: Whether the data continue at another time. The present data then have to be closed
            before :py:meth:`restart`.
        """
        channel = trace.stats.channel
        if self.data.fits(trace):
            self._drop(self.aside.fitted(channel, clock))
            self.data.store(trace, clock, wall)
            # After a gap, a later packet may arrive first. It only fits once the packets between
            # have arrived.
            for stray in self.aside.fitting(self.data.fits):
                self.data.store(stray.trace, clock, stray.wall)
            return False
        self._drop(self.aside.put(trace, clock, wall))
        buffers = self.data.buffers
        rate = buffers[channel].rate if channel in buffers else None
        believed = self.aside.believed(channel, clock, rate, len(buffers))
        self._believed = channel if believed else None
        return believed

    def _drop(self, traces: list[obspy.Trace]) -> None:
        for trace in traces:
            self.counts["packets out of time"] += 1
            self.warnings.warn(
                ("out of time",),
                f"{trace.id}: packet at {trace.stats.starttime} ({trace.stats.npts} samples, "
                f"{trace.stats.sampling_rate:g} Hz) is ignored: its time is too far from the other "
                f"data, or its sampling rate differs",
            )

    def ends(self) -> bool:
        """Whether no packets are left with which :py:meth:`restart` could continue."""
        self._drop(self.aside.refuted(len(self.data.buffers)))
        return not self.aside

    def restart(self) -> bool:
        """
        Begin anew with the packets that were put aside, after a long gap or a jump of the clock.

        :return: The same as from :py:meth:`add`.
        """
        packets = self.aside.take(self._believed)
        if self.data.newest is not None:
            first = packets[0].trace
            start, rate = first.stats.starttime, first.stats.sampling_rate
            buffer = self.data.buffers.get(first.stats.channel)
            if buffer is not None and buffer.rate != rate:
                kind, text = "rate", f"from {buffer.rate:g} Hz to {rate:g} Hz"
            else:
                kind, text = "jump", f"by {start - self.time(self.data.newest - 1):+.1f} s"
            self.warnings.warn(
                (kind,), f"{self.name}: the data jump {text} at {start}; windows start again there"
            )
            self.counts["long gaps and jumps"] += 1
        self._believed = None
        self._begin()
        # A list, so that every packet is added.
        return any([self.add(*packet[:3]) for packet in packets])  # noqa: C419

    @property
    def behind(self) -> bool:
        """Whether more than a window of data waits to be processed."""
        data = self.data
        waits_from = data.newest if data.head is None else data.head
        return data.newest is not None and data.newest - waits_from > self.layout.size

    # Windows

    def due(self, clock: float, closing: bool = False) -> list[Window]:
        """
        Windows that are complete now. Each window is returned once.

        :param clock: Seconds, as in :py:meth:`add`.
        :param closing: Whether no more data will come.
        """
        data, size = self.data, self.layout.size
        if data.newest is None:
            return []
        data.move_head(clock, closing)
        if self.final and data.start > self.final.start:
            # The data began with a filled gap, which is known only now.
            self.final, self.offset, data.settled = None, None, False
        if self.final is None and (closing or data.head >= data.start + size):
            data.settled = True
            self.final = FinalCurves(self.model, self.arguments, data.start)
            self.offset = data.offset
        starts = []
        if self.final:
            at = self.final.next_window
            while at + size + data.margin <= data.head:
                starts.append((at, True))
                at += self.layout.hop
            if closing:
                done = {start for start, _ in starts}
                left = self.final.closing_windows(at, data.end)
                starts += [(start, True) for start in left if start not in done]
        if self.settle < size:
            starts += [(end - size, False) for end in self._quick_ends()]
        waveforms = data.cut([start for start, _ in starts])
        return [Window(self, *start, x) for start, x in zip(starts, waveforms, strict=True)]

    def _quick_ends(self) -> range:
        data, size = self.data, self.layout.size
        # Less than half a window of data does not describe the noise well enough.
        if self.next_quick is None:
            ready = data.start + size // 2
            self.next_quick = -(-ready // self.step) * self.step
        if data.head - self.next_quick > size:
            skipped = (data.head - self.next_quick) // self.step
            self.counts["preliminary windows skipped"] += skipped
            self.next_quick += skipped * self.step
        ends = range(self.next_quick, data.head + 1, self.step)
        self.next_quick += len(ends) * self.step
        return ends

    # Picks

    def take(self, window: Window, probabilities: np.ndarray) -> list[Report]:
        """
        Take the network's answer for a window.

        :param probabilities: Shape (samples, phases), NaN where blinded.
        :return: Preliminary picks.
        """
        if window.final:
            self.final.take(window.start, probabilities)
            return []
        reports = []
        decided = self.final.decided_to if self.final else -np.inf
        for peak in self._quick_peaks(window, probabilities):
            if peak.sample >= decided and not self._near(peak):
                pick = OpenPick(peak, self._id(peak))
                self.open.append(pick)
                reports.append(self._report(pick, "preliminary", peak.sample + self.settle))
        return reports

    def _quick_peaks(self, window: Window, probabilities: np.ndarray) -> list[Peak]:
        """
        Recent peaks that are followed by enough data, in a window that ends with the newest data.
        """
        records = self.data.records()
        places = [at - window.start for at in self._component_starts(records)]
        for curve in probabilities.T:
            mute_places(curve, places, self.rate)
        stop = window.start + self.layout.size - self.settle
        start = stop - 2 * max(self.step, round(self.rate))
        settled = [
            peak
            for index, (phase, level) in enumerate(levels(self.arguments).items())
            for peak in peaks(probabilities[:, index], window.start, phase, level)
            if start <= peak.sample < stop
        ]
        spans = self.data.spans(records)
        return [p for p in settled if any(first <= p.sample < last for first, last in spans)]

    def decide(self, closing: bool = False) -> list[Report]:
        """
        Final reports about all picks that no later window changes.

        :param closing: Whether no more data will come.
        """
        data, final, reports = self.data, self.final, []
        if final is None or not (closing or final.reached(data.head) > final.seen_to):
            return []
        stop, records = data.end if closing else None, data.records()
        spans, starts = data.spans(records), self._component_starts(records)
        gained = self.layout.size - sum(self.layout.blinding)
        for peak in final.pop(spans, starts, data.head, stop):
            near = self._near(peak)
            pick = min(near, key=lambda p: abs(p.peak.sample - peak.sample)) if near else None
            if pick is None:
                pick = OpenPick(peak, self._id(peak))
            else:
                self.open.remove(pick)
            if not pick.said:
                complete = min(peak.sample + gained, data.newest - 1)
                reports.append(self._report(OpenPick(peak, pick.id), "confirmed", complete))
        return reports + self._reject(closing)

    def _reject(self, closing: bool) -> list[Report]:
        data, reports = self.data, []
        # On closing, all picks in these data. Picks reported before a restart may be later ones.
        first, last = (data.start, data.newest) if closing else (-np.inf, np.inf)
        decided = np.inf if closing else self.final.decided_to - self.separation
        left = []
        for pick in self.open:
            if not (pick.peak.sample < decided and first <= pick.peak.sample < last):
                left.append(pick)
            elif not pick.said:
                reports.append(self._report(pick, "rejected", data.newest - 1))
        self.open = left
        return reports

    def _component_starts(self, records: list[ContiguousRecord]) -> list[float]:
        offset = self.data.offset if self.offset is None else self.offset
        return self.data.component_starts(records, offset)

    def _near(self, peak: Peak) -> list[OpenPick]:
        return [
            pick
            for pick in self.open
            if pick.peak.phase == peak.phase
            and abs(pick.peak.sample - peak.sample) < self.separation
        ]

    def _id(self, peak: Peak) -> str:
        return f"{self.name}/{peak.phase}/{self.time(peak.sample)}"

    def _report(self, pick: OpenPick, status: Status, complete: int) -> Report:
        """:param complete: Grid number of the sample that completed this report."""
        peak = pick.peak
        arrived = self.data.arrival(complete)
        return Report(pick.id, status, peak.phase, self.time(peak.sample), peak.value, arrived)

    def time(self, sample: int) -> obspy.UTCDateTime:
        """Time of a sample, including the offset of the data from the grid."""
        offset = self.data.offset if self.offset is None else self.offset
        return self.data.grid.time(sample) + offset

    # Restart

    def state(self) -> dict:
        """The state as numbers, text and arrays, see :py:meth:`restore`."""
        return {
            "data": self.data.state(),
            "final": self.final.state() if self.final else None,
            "offset": self.offset,
            "next_quick": self.next_quick,
            "open": [{**asdict(p), "peak": asdict(p.peak)} for p in self.open],
            "aside": self.aside.state(),
        }

    def restore(self, state: dict, later: float) -> None:
        """
        Continue from a state.

        :param later: Seconds by which the clock has moved since then.
        """
        self.data.restore(state["data"], later)
        if state["final"] is not None:
            self.final = FinalCurves.restore(self.model, self.arguments, state["final"])
        self.offset, self.next_quick = state["offset"], state["next_quick"]
        self.open = [OpenPick(Peak(**p["peak"]), p["id"], p["said"]) for p in state["open"]]
        self.aside.restore(state["aside"], later)

    def remember(self, picks: Iterable[LivePick]) -> None:
        """
        Note picks that were reported after the state was saved, so that they are not repeated.

        :param picks: Picks in the order of their reports.
        """
        known = {pick.id: pick for pick in self.open}
        for pick in picks:
            if pick.id not in known:
                peak = Peak(pick.phase, self.data.grid.number(pick.time), pick.probability)
                known[pick.id] = OpenPick(peak, pick.id)
                self.open.append(known[pick.id])
            known[pick.id].said = pick.status != "preliminary"
