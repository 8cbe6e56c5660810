"""Selection of the records of a stream that a model can use."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict

import numpy as np
import obspy
from seisbench.models import WaveformModel

from ..trace_ids import (
    HORIZONTALS,
    InstrumentId,
    TraceId,
    component_index,
    records_ground_motion,
)
from .arguments import Arguments
from .contiguous import ContiguousRecord, find_contiguous
from .defects import without_defects
from .skipped import Skipped, SkippedList
from .spans import data_spans

# Fractions of the model's sampling rate. Below the first, most of the model's band does not exist
# in the data. Below the second, the upper half of its band is missing.
LOWEST_RATE = 0.1
POOR_RATE = 0.4

# Rates above this multiple of the model's sampling rate are taken for a mistake. No ratio of
# integers up to 1000 relates the two.
HIGHEST_RATE = 1000

_SAME_COMPONENT = "another channel of the same component was used instead"

_NO_AZIMUTH = (
    "its horizontals are not north and east, and their directions are unknown; rotate them first "
    "(obspy.Stream.rotate), or give stations with their azimuths"
)


def select_records(
    stream: obspy.Stream | obspy.Trace,
    model: WaveformModel,
    arguments: Arguments,
    skipped: SkippedList,
) -> dict[InstrumentId, list[ContiguousRecord]]:
    """
    Select contiguous, finite records of components that a model knows. They are not copied.

    Each component has one record at a time. Its ``stats.channel`` has the component code of the
    model, such as N for the channel HH1.

    :param stream: Waveforms of any kind; not changed.
    :param arguments: Of ``annotate``.
    :param skipped: Takes what is left out.
    :return: Id of the instrument -> records, sorted by component and time.
    :raises TypeError: If ``stream`` is not a stream or a trace.
    """
    if isinstance(stream, obspy.Trace):
        stream = [stream]
    elif not isinstance(stream, obspy.Stream):
        raise TypeError(f"Waveforms must be an obspy.Stream or Trace, not {type(stream).__name__}.")
    usable, turned = [], defaultdict(list)
    for trace in stream:
        cause = unusable(trace, model, arguments)
        if cause is None:
            usable.append(trace)
        elif cause == _NO_AZIMUTH:
            turned[TraceId.of(trace).without_component].append(trace)
        else:
            skipped.add(trace, cause)
    # Sorted by ids, not by their text, because codes may contain dots.
    instruments = defaultdict(list)
    for record in find_contiguous(usable, skipped, model.sampling_rate):
        instruments[record.trace_id.without_component] += without_defects(record, skipped)
    _warn_of_poor_rates(usable, model, skipped)
    selected = {}
    for instrument, records in sorted(instruments.items()):
        cause = _incomplete(records, model, instrument in turned)
        if records and cause is None:
            selected[instrument] = one_per_component(records, model, skipped)
        elif records:
            # One entry for the instrument instead of one for each component.
            spans = [(t.stats.starttime, t.stats.endtime) for t in records + turned[instrument]]
            start, end = min(start for start, _ in spans), max(end for _, end in spans)
            skipped.append(Skipped(f"{instrument.instrument_id}?", start, end, cause))
            del turned[instrument]
    for traces in turned.values():
        for trace in traces:
            skipped.add(trace, _NO_AZIMUTH)
    return selected


def unusable(
    trace: obspy.Trace, model: WaveformModel, arguments: Arguments, rotated: bool = False
) -> str | None:
    """
    Reason why a trace cannot be used, None if it can.

    :param rotated: Whether its component is rotated into those of the model afterwards.
    """
    trace_id, rate = TraceId.of(trace), trace.stats.sampling_rate
    order = model.component_order
    flexible = arguments.flexible_horizontal_components
    if trace.stats.npts == 0:
        return "it has no samples"
    if not _is_in_calendar(trace.stats):
        return "its time is outside of the years 2 to 9998"
    if not rotated and component_index(trace_id.component, order, flexible) is None:
        if component_index(trace_id.component, order, flexible=True) is not None:
            return _NO_AZIMUTH
        known = sorted({*order, *(HORIZONTALS if flexible else "")})
        return f"its component is not one of {', '.join(known)}"
    if not records_ground_motion(trace_id.channel):
        return "its channel code does not stand for ground motion"
    if not has_real_samples(trace):
        return f"its samples are {trace.data.dtype}, not real numbers"
    if not rate >= LOWEST_RATE * model.sampling_rate:
        lowest = LOWEST_RATE * model.sampling_rate
        return f"its sampling rate is {rate:g} Hz; at least {lowest:g} Hz are needed"
    if rate > HIGHEST_RATE * model.sampling_rate:
        highest = HIGHEST_RATE * model.sampling_rate
        return f"its sampling rate is {rate:g} Hz; at most {highest:g} Hz are possible"
    return None


def _is_in_calendar(stats: obspy.core.Stats) -> bool:
    """Whether ObsPy can write the times of a trace, and those beside it."""
    try:
        return stats.starttime.year >= 2 and stats.endtime.year <= 9998
    except (ValueError, OverflowError):
        return False


def has_real_samples(trace: obspy.Trace) -> bool:
    """Whether the samples of a trace are real numbers, neither text nor complex."""
    return np.issubdtype(trace.data.dtype, np.number) and not np.iscomplexobj(trace.data)


def _warn_of_poor_rates(
    traces: list[obspy.Trace], model: WaveformModel, skipped: SkippedList
) -> None:
    for trace in traces:
        rate = trace.stats.sampling_rate
        if rate < POOR_RATE * model.sampling_rate:
            cause = (
                f"its sampling rate is {rate:g} Hz and the model's {model.sampling_rate:g} Hz, "
                f"so picks will be few and late"
            )
            skipped.add(trace, cause, used=True)


def _incomplete(records: list[ContiguousRecord], model: WaveformModel, turned: bool) -> str | None:
    """
    Reason why an instrument lacks components that the model's task needs, None if it does not.
    """
    present = {record.trace_id.component for record in records}
    indices = {component_index(code, model.component_order, flexible=True) for code in present}
    if model.task.components == 1 or len(indices) >= model.task.components:
        return None
    if turned:
        return _NO_AZIMUTH
    return (
        f"{model.task.name} needs three components ({', '.join(model.component_order)}), but "
        f"the data have only {', '.join(sorted(present))}"
    )


def one_per_component(
    records: list[ContiguousRecord], model: WaveformModel, skipped: SkippedList
) -> list[ContiguousRecord]:
    """
    The records of one instrument, with one record of each component at a time.

    If HHN and HH1 exist at the same time, the one with the model's own code is kept. A component
    with several rates is resampled to that of the model.
    """
    order = model.component_order
    components: dict[int, dict[str, list[ContiguousRecord]]] = defaultdict(dict)
    for record in records:
        index = component_index(record.trace_id.component, order, flexible=True)
        components[index].setdefault(record.id, []).append(record)
    selected = []
    for index, channels in sorted(components.items()):
        kept: list[ContiguousRecord] = []
        # The model's own code comes first.
        for _, of_channel in sorted(
            channels.items(),
            key=lambda item: (item[1][0].trace_id.component != order[index], item[0]),
        ):
            taken = data_spans(kept, max((r.stats.sampling_rate for r in kept), default=1.0))
            for record in of_channel:
                kept += record.outside(taken)
                begin, stop = record.stats.starttime, record.stats.endtime
                # Of thousands of spans, those that overlap.
                at = bisect_left(taken, begin.ns, key=lambda span: span[1].ns)
                while at < len(taken) and taken[at][0].ns <= stop.ns:
                    span = max(taken[at][0], begin), min(taken[at][1], stop)
                    skipped.append(Skipped(record.id, *span, _SAME_COMPONENT))
                    at += 1
        if len({record.stats.sampling_rate for record in kept}) > 1:
            kept = _cut_at_next([record.at_rate(model.sampling_rate) for record in kept])
        for record in kept:
            record.stats.channel = record.trace_id.instrument + order[index]
        selected += kept
    return selected


def _cut_at_next(records: list[ContiguousRecord]) -> list[ContiguousRecord]:
    """
    Records of one rate and component, each cut where the next one begins.

    A resampled record goes on for up to one sample of its former rate. SeisBench would leave out
    both records, because they overlap and differ.
    """
    ordered = sorted(records, key=lambda record: record.stats.starttime)
    cut = []
    for record, following in zip(ordered, [*ordered[1:], None], strict=True):
        samples = record.stats.npts
        if following is not None:
            late = following.stats.starttime - record.stats.starttime
            samples = min(samples, math.floor(late * record.stats.sampling_rate + 0.5))
        if samples > 0:
            cut.append(record.slice(0, samples))
    return cut
