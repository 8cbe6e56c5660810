"""Windows around picks, from the necessary parts of a stream."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import obspy
from obspy.core.trace import Stats
from seisbench.models import WaveformModel

from ..trace_ids import InstrumentId, TraceId
from .arguments import Arguments
from .contiguous import ContiguousRecord, make_trace
from .onsets import Onset
from .selection import select_records
from .skipped import SkippedList
from .spans import union
from .windows import filter_reach

# Records up to this total length in seconds over all components are filtered as a whole. Measuring
# the reach of a filter takes as long as filtering some hours.
FILTER_AT_ONCE_S = 12 * 3600.0

# Beyond the windows and the filter, the reach of resampling in s.
RESAMPLING_S = 2.0


def around_picks(model: WaveformModel, arguments: Arguments) -> tuple[float, float]:
    """Seconds before and after a pick that its windows have."""
    rate, many = model.sampling_rate, arguments.windows_per_pick > 1
    jitter = arguments.window_jitter if many else 0.0
    before = model.pred_sample / rate
    return before + jitter, model.in_samples / rate - before + jitter


def padding_of_picks(model: WaveformModel, arguments: Arguments) -> float:
    """Seconds before and after a pick on which its estimate depends, with the filter's reach."""
    header = Stats({"sampling_rate": model.sampling_rate, "channel": model.component_order})
    reach = (filter_reach(model, arguments, [header]) or 0) / model.sampling_rate
    return max(around_picks(model, arguments)) + reach + RESAMPLING_S


class WaveformsAtPicks:
    """
    Waveforms of a stream, prepared for the network, from which windows at picks are cut.

    Long records are resampled and filtered only around the picks, with margins as long as the reach
    of the filter. The windows are then the same as those of the whole record.

    :param model: Model with sampling rate, window, filter and component order.
    :param stream: Waveforms; not changed.
    :param arguments: Arguments of ``classify``.
    :param onsets: All onsets for which windows will be cut.
    """

    def __init__(
        self,
        model: WaveformModel,
        stream: obspy.Stream,
        arguments: Arguments,
        onsets: Iterable[Onset],
    ):
        self._model, self._arguments = model, arguments
        n_windows = arguments.windows_per_pick
        jitter = arguments.window_jitter if n_windows > 1 else 0
        self._shifts = np.linspace(-jitter, jitter, n_windows)

        self.skipped = SkippedList()
        records = select_records(stream, model, arguments, self.skipped)
        self._places = list(records)
        self._reaches: dict[str, int | None] = {}
        times = defaultdict(list)
        for onset in onsets:
            for codes in self._instruments(onset):
                times[codes].append(onset.time)
        self._traces = {codes: self._prepare(records[codes], near) for codes, near in times.items()}
        # A day of a swarm has a part for each of thousands of picks.
        self._spans = {
            codes: np.array([(t.stats.starttime.ns, t.stats.endtime.ns) for t in traces])
            for codes, traces in self._traces.items()
        }

    def find(self, onset: Onset) -> InstrumentId | None:
        """
        The instrument of an onset.

        If several instruments fit, it is the first one with data at the onset.

        :return: Id of the instrument, or None if no component has data at the onset.
        """
        for codes in self._instruments(onset):
            # A pick lies on the grid of its annotation, half a sample from that of a component at
            # most, and so perhaps just before its first sample.
            half = 0.5 / self._model.sampling_rate
            stats = (trace.stats for trace in self._near(codes, onset.time, onset.time))
            if any(s.starttime - half <= onset.time <= s.endtime + half for s in stats):
                return codes
        return None

    def name(self, onset: Onset) -> str:
        """Trace id, with location, of an onset that :py:meth:`find` finds."""
        if not onset.any_location:
            return onset.trace_id
        return self.find(onset).pick_id

    def windows(self, onset: Onset) -> np.ndarray:
        """
        Windows around an onset that :py:meth:`find` finds.

        :return: Array of shape (windows, components, samples), zero where there are no data.
        """
        model, rate = self._model, self._model.sampling_rate
        shape = (len(self._shifts), len(model.component_order), model.in_samples)
        out, instrument = np.zeros(shape, np.float32), self.find(onset)
        for window, shift in zip(out, self._shifts, strict=True):
            start = onset.time + shift - model.pred_sample / rate
            for trace in self._near(instrument, start, start + model.in_samples / rate):
                offset = round((trace.stats.starttime - start) * rate)
                first, last = max(offset, 0), min(offset + trace.stats.npts, model.in_samples)
                if first < last:
                    index = model.component_order.index(trace.stats.channel[-1])
                    window[index, first:last] = trace.data[first - offset : last - offset]
        return out

    def _near(
        self, codes: InstrumentId, start: obspy.UTCDateTime, end: obspy.UTCDateTime
    ) -> list[obspy.Trace]:
        """Traces of an instrument within a second of a time span."""
        traces, spans = self._traces[codes], self._spans[codes]
        if not traces:
            return []
        near = (spans[:, 0] <= (end + 1).ns) & (spans[:, 1] >= (start - 1).ns)
        return [traces[index] for index in np.flatnonzero(near)]

    def _instruments(self, onset: Onset) -> Iterator[InstrumentId]:
        """Instruments that the id of a pick may stand for."""
        # An instrument whose picks have exactly this id comes first.
        exact = [codes for codes in self._places if codes.pick_id == onset.trace_id]
        yield from exact
        # If codes contain dots, only the whole text can be compared.
        if str(onset.trace_id).count(".") <= 3:
            wanted = TraceId.parse(onset.trace_id)
            for codes in self._places:
                if codes not in exact and _may_mean(wanted, codes, onset.any_location):
                    yield codes

    def _prepare(
        self, records: list[ContiguousRecord], times: list[obspy.UTCDateTime]
    ) -> list[obspy.Trace]:
        """Records of one instrument, resampled and filtered at least around the picks."""
        model, rate = self._model, self._model.sampling_rate
        margin = self._margin(records)
        if margin is None:
            stream = obspy.Stream([record.trace() for record in records])
            model.annotate_stream_pre(stream, self._arguments.argdict)
            return list(stream)
        before, after = around_picks(model, self._arguments)
        spans = union([(t - before, t + after) for t in times], 2 * margin / rate)
        traces = []
        for record in records:
            stats = record.resampled_stats(rate)
            for start, end in spans:
                # One more sample, for windows that begin between two samples.
                first = max(0, math.floor((start - stats.starttime) * rate) - 1)
                last = min(stats.npts, math.ceil((end - stats.starttime) * rate) + 2)
                if first >= last:
                    continue
                begin, stop = max(0, first - margin), min(stats.npts, last + margin)
                trace = make_trace(record.resampled(begin, stop, rate), stats)
                trace.stats.record_peak = record.peak
                model.annotate_stream_pre(obspy.Stream([trace]), self._arguments.argdict)
                trace.data = trace.data[first - begin : last - begin]
                trace.stats.starttime = stats.starttime + first * stats.delta
                traces.append(trace)
        return traces

    def _margin(self, records: list[ContiguousRecord]) -> int | None:
        """
        Samples that the filter needs on either side of a part; None if it needs the whole record.
        """
        model, rate = self._model, self._model.sampling_rate
        seconds = sum(record.stats.npts * record.stats.delta for record in records)
        if seconds <= FILTER_AT_ONCE_S:
            return None
        if any(record.ratio(rate) is None for record in records):
            return None
        same = all(record.stats.sampling_rate == rate for record in records)
        if not (same or self._arguments.zerophase_resample):
            return None
        for record in records:
            # Header entries on which a filter may depend.
            code = record.stats.channel
            if code not in self._reaches:
                header = record.resampled_stats(rate)
                self._reaches[code] = filter_reach(model, self._arguments, [header])
        margins = [self._reaches[record.stats.channel] for record in records]
        return None if None in margins else max(margins)


def _may_mean(wanted: TraceId, codes: InstrumentId, any_location: bool) -> bool:
    return (
        codes[:2] == wanted[:2]
        and (any_location or codes.location == wanted.location)
        # SZ may be an instrument code, or the vertical component of instrument S.
        and (
            wanted.instrument in ("", codes.channel)
            or wanted.instrument[:-1] == codes.channel != ""
        )
    )
