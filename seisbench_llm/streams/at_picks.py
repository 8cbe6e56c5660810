"""Windows about picks, from no more of a stream than they need."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import obspy

from . import annotate as streams
from .arguments import argument
from .contiguous import Run
from .stitching import Span
from .windows import filter_reach

if TYPE_CHECKING:
    from ..models.seismollm import SeisMoLLM

# Records up to this length in seconds, components added, are filtered as they are: to find out for
# how long a filter remembers takes as long as to filter some hours.
WHOLE = 12 * 3600.0


class Records:
    """
    The waveforms of a stream as the network needs them, to cut windows at picks.

    Of long records only what lies about the picks is resampled and filtered, with as much around
    it as the filter remembers, so that the windows are those of the whole record.

    :param model: Gives sampling rate, window, filter and component order.
    :param stream: Waveforms; not changed.
    :param argdict: Arguments of ``classify``.
    :param anchors: Trace id and time of all picks to come.
    """

    def __init__(
        self,
        model: SeisMoLLM,
        stream: obspy.Stream,
        argdict: dict,
        anchors: Iterable[tuple[str, obspy.UTCDateTime]],
    ):
        self._model, self._argdict = model, argdict
        self._components = {code: i for i, code in enumerate(model.component_order)}
        if argument(model, argdict, "flexible_horizontal_components"):
            for other, code in (("1", "N"), ("2", "E")):
                self._components.setdefault(other, self._components.get(code))
        n_windows = argument(model, argdict, "windows_per_pick")
        jitter = argument(model, argdict, "window_jitter") if n_windows > 1 else 0
        self._shifts = np.linspace(-jitter, jitter, n_windows)

        runs = defaultdict(list)
        for run in streams.usable(stream, model, argdict):
            runs[run.id[:-1]].append(run)
        self._names = sorted(runs)
        self._memories: dict[str, int | None] = {}
        times = defaultdict(list)
        for trace_id, time in anchors:
            for name in self._instruments(trace_id):
                times[name].append(time)
        self._traces = {name: self._prepare(runs[name], own) for name, own in times.items()}

    def find(self, trace_id: str, time: obspy.UTCDateTime) -> list[obspy.Trace] | None:
        """
        Traces of the instrument of a pick.

        :param trace_id: NET.STA.LOC with or without the channel or its first two letters. Where
            several instruments fit, the first that has data at the pick is used.
        :return: None if no component has data at the time of the pick.
        """
        for name in self._instruments(trace_id):
            traces = self._traces[name]
            if any(t.stats.starttime <= time <= t.stats.endtime for t in traces):
                return traces
        return None

    def windows(self, trace_id: str, time: obspy.UTCDateTime) -> np.ndarray:
        """
        Windows about a pick that :py:meth:`find` finds.

        :return: Shape (windows, components, samples), zero where there are no data.
        """
        model, rate = self._model, self._model.sampling_rate
        shape = (len(self._shifts), len(model.component_order), model.in_samples)
        out = np.zeros(shape, np.float32)
        for window, shift in zip(out, self._shifts, strict=True):
            start = time + shift - model.pred_sample / rate
            for trace in self.find(trace_id, time):
                offset = round((trace.stats.starttime - start) * rate)
                first, last = max(offset, 0), min(offset + trace.stats.npts, model.in_samples)
                if first < last:
                    component = self._components[trace.id[-1]]
                    window[component, first:last] = trace.data[first - offset : last - offset]
        return out

    def _instruments(self, trace_id: str) -> Iterator[str]:
        """Names of the instruments that the id of a pick may mean."""
        network, station, location, *channel = trace_id.split(".")
        for name in self._names:
            *place, code = name.split(".")
            if place == [network, station, location] and (
                not channel or channel[0] in ("", code) or channel[0][:-1] == code
            ):
                yield name

    def _prepare(self, runs: list[Run], times: list[obspy.UTCDateTime]) -> list[obspy.Trace]:
        """Records of one instrument, resampled and filtered, at least about the picks."""
        model, rate = self._model, self._model.sampling_rate
        margin = self._margin(runs)
        if margin is None:
            stream = obspy.Stream([run.trace() for run in runs])
            model.annotate_stream_pre(stream, self._argdict)
            return list(stream)
        before = model.pred_sample / rate + self._shifts[-1]
        after = model.in_samples / rate - before + 2 * self._shifts[-1]
        spans = _joined([(t - before, t + after) for t in sorted(times)], 2 * margin / rate)
        traces = []
        for run in runs:
            stats = run.resampled_stats(rate)
            for start, end in spans:
                # One more, for windows that begin between two samples.
                first = max(0, math.floor((start - stats.starttime) * rate) - 1)
                last = min(stats.npts, math.ceil((end - stats.starttime) * rate) + 2)
                if first >= last:
                    continue
                begin, stop = max(0, first - margin), min(stats.npts, last + margin)
                trace = obspy.Trace(run.resampled(begin, stop, rate), stats)
                model.annotate_stream_pre(obspy.Stream([trace]), self._argdict)
                trace.data = trace.data[first - begin : last - begin]
                trace.stats.starttime = stats.starttime + first * stats.delta
                traces.append(trace)
        return traces

    def _margin(self, runs: list[Run]) -> int | None:
        """Samples that the filter needs on either side of a part; None: only the whole will do."""
        model, rate = self._model, self._model.sampling_rate
        if sum(run.stats.npts / run.stats.sampling_rate for run in runs) <= WHOLE:
            return None
        if any(run.ratio(rate) is None for run in runs):
            return None
        same = all(run.stats.sampling_rate == rate for run in runs)
        if not (same or argument(model, self._argdict, "zerophase_resample")):
            return None
        for run in runs:
            # What a filter may differ by.
            code = run.stats.channel
            if code not in self._memories:
                header = run.resampled_stats(rate)
                self._memories[code] = filter_reach(model, self._argdict, [header])
        margins = [self._memories[run.stats.channel] for run in runs]
        return None if None in margins else max(margins)


def _joined(spans: list[Span], gap: float) -> list[Span]:
    """Sorted spans of time, with those that are less than ``gap`` s apart joined."""
    joined = spans[:1]
    for start, end in spans[1:]:
        if start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
