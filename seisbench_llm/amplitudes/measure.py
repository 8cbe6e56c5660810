"""Amplitude and signal-to-noise ratio at each pick, and ground motion if a response is known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import obspy
import pandas as pd
from obspy.core.inventory.response import Response

from ..export import dataframe_to_picks
from ..export.tables import AMPLITUDE_TYPES, typed
from ..export.times import timestamp
from ..stations import Stations
from ..streams.contiguous import find_contiguous
from ..streams.selection import has_real_samples
from ..streams.skipped import Skipped, SkippedList
from .response import ResponseError, check_response, to_motion

# Seconds before a pick, longest window of P, shortest and longest window of S.
BEFORE_S, P_S, S_S, LONGEST_S = 0.2, 5.0, 5.0, 60.0
# Length of the noise window in s, and its end before P in s.
NOISE_S, NOISE_END_S = 5.0, 0.5

# Additional data on both sides in s, for the taper of the filter.
PADDING_S = 5.0

# A record is clipped if its largest value repeats this many times in a row, or if it reaches full
# scale of a 24-bit recorder. Its amplitude must also exceed this multiple of the noise.
CLIPPED_SAMPLES, FULL_SCALE, NO_NOISE = 4, 0.98 * 2**23, 20.0

_CLIPPED = "it is clipped at a pick: the amplitude is a lower limit, and there is no ML"


def measure(
    stream: obspy.Stream | obspy.Trace,
    picks: Sequence | pd.DataFrame,
    stations: Stations | None = None,
    skipped: SkippedList | None = None,
) -> pd.DataFrame:
    """
    Amplitudes at P and S picks.

    The window of a P starts 0.2 s before the pick and ends at the S at the same trace id, or after
    5 s. P is measured on the vertical, or on all components if there is no vertical. The window of
    an S is twice the time from P to S long (5 to 60 s) and ends at the next P at the latest. S is
    measured on the horizontals, or on the vertical if there are none. Noise is the standard
    deviation of 5 s that end 0.5 s before P, or before S if there is no P. A component with a gap
    in its windows has no amplitude.

    :param stream: Waveforms in counts; not changed. Only pieces around picks are read.
    :param picks: Picks of SeisBench, or a table of picks.
    :param stations: Stations with responses. With None, amplitudes are in counts only.
    :param skipped: List to which traces that cannot be converted are added, one entry per trace
        and cause.
    :return: One row per pick with a waveform, see docs/reference/tables.md, with the index of the
        pick.
    """
    skipped = SkippedList() if skipped is None else skipped
    stream = [stream] if isinstance(stream, obspy.Trace) else stream
    picks = dataframe_to_picks(picks) if isinstance(picks, pd.DataFrame) else picks
    # A day, or a file, may end within a window.
    records = defaultdict(list)
    for record in find_contiguous(filter(has_real_samples, stream), SkippedList()):
        records[record.trace_id.pick_id].append(record)
    groups = defaultdict(list)
    for index, pick in enumerate(picks):
        if pick.phase in ("P", "S"):
            groups[pick.trace_id].append(index)
    rows, said = [], set()
    for trace_id, indices in groups.items():
        indices.sort(key=lambda i: picks[i].peak_time)
        for place, index in enumerate(indices):
            window = _window(picks, indices, place)
            row = _row(
                records.get(trace_id, []), picks[index].phase, window, stations, skipped, said
            )
            if row is not None:
                time = timestamp(picks[index].peak_time)
                rows.append({"pick": index, "phase": picks[index].phase, "time": time, **row})
    rows.sort(key=lambda row: row["pick"])
    return typed(rows, AMPLITUDE_TYPES)


def _window(picks: Sequence, indices: list[int], place: int) -> tuple:
    """Start and end of the window, and end of the noise."""
    pick = picks[indices[place]]
    later = [picks[i] for i in indices[place + 1 :]]
    following = next((p.peak_time for p in later if p.phase == "P"), None)
    start, quiet = pick.peak_time - BEFORE_S, pick.peak_time
    if pick.phase == "P":
        s_time = next((p.peak_time for p in later[:1] if p.phase == "S"), None)
        end = min(s_time or pick.peak_time + P_S, pick.peak_time + P_S)
    else:
        length = S_S
        before = [picks[i] for i in indices[:place]]
        if before and before[-1].phase == "P":
            sp = pick.peak_time - before[-1].peak_time
            if sp <= LONGEST_S:
                quiet, length = before[-1].peak_time, max(S_S, 2 * sp)
        end = pick.peak_time + min(length, LONGEST_S)
    if following is not None and following > pick.peak_time:
        end = min(end, following)
    return start, end, quiet - NOISE_END_S


def _row(records, phase, window, stations, skipped: SkippedList, said: set) -> dict | None:
    """Largest amplitudes over the components for this phase, None without data."""
    start, end, quiet = window
    wanted = "Z3" if phase == "P" else "NE12RTXY"
    near = [r for r in records if r.stats.starttime < end and r.stats.endtime > quiet - NOISE_S]
    pieces = Counter(record.id for record in near)
    there = [record for record in near if record.stats.endtime > start]
    chosen = [record for record in there if record.trace_id.component in wanted] or there
    best: dict = {}
    # Two records of a channel have a gap between them.
    for record in (record for record in chosen if pieces[record.id] == 1):
        found = _component(record, start, end, quiet, stations, skipped, said)
        if found is None:
            continue
        if not best:
            best = found
            continue
        clipped = best["clipped"] or found["clipped"]
        if found["amplitude_counts"] > best["amplitude_counts"]:
            best |= {k: found[k] for k in ("trace_id", "amplitude_counts", "snr")}
        for name in ("displacement_m", "velocity_m_s", "wood_anderson_nm"):
            best[name] = np.fmax(best[name], found[name])
        best["clipped"] = clipped
    if not best:
        return None
    if best["clipped"]:
        best["wood_anderson_nm"] = np.nan
    return best


def _component(record, start, end, quiet, stations, skipped, said) -> dict | None:
    rate = record.stats.sampling_rate

    def sample(time, beginning):
        return round((time - beginning) * rate)

    whole = record.stats.starttime
    begin = max(sample(quiet - NOISE_S - PADDING_S, whole), 0)
    piece = record.slice(begin, min(sample(end + PADDING_S, whole) + 1, record.stats.npts))
    data = piece.read(0, piece.stats.npts)

    def part(first, last):
        begin, stop = (sample(time, piece.stats.starttime) for time in (first, last))
        return slice(max(begin, 0), max(stop + 1, 0))

    signal, noise = part(start, end), part(quiet - NOISE_S, quiet)
    if len(data[signal]) < max(0.5 * (end - start) * rate, 2):
        return None
    level = np.median(data[noise]) if len(data[noise]) > 1 else np.median(data)
    spread = float(np.std(data[noise])) if len(data[noise]) > rate else np.nan
    amplitude = float(np.abs(data[signal] - level).max())
    clipped = _clipped(data[signal], level, spread)
    row = {
        "trace_id": record.id,
        "amplitude_counts": amplitude,
        "snr": amplitude / spread if spread > 0 else np.nan,
        "clipped": clipped,
        **dict.fromkeys(("displacement_m", "velocity_m_s", "wood_anderson_nm"), np.nan),
    }

    def tell(cause, used):
        if (record.id, cause) not in said:
            said.add((record.id, cause))
            skipped.append(
                Skipped(record.id, piece.stats.starttime, piece.stats.endtime, cause, used)
            )

    if clipped:
        tell(_CLIPPED, True)
    if stations is None:
        return row
    try:
        response = check_response(_response(stations, record.id, start), rate)
        motion = to_motion(data, rate, response)
    except ResponseError as error:
        tell(f"it {error}: its amplitudes are in counts only", True)
        return row
    except Exception as error:
        tell(
            f"it has a response that ObsPy cannot evaluate ({error}): its amplitudes are in counts "
            f"only",
            True,
        )
        return row
    peak = {name: float(np.abs(values[signal]).max()) for name, values in motion.items()}
    return row | {
        "displacement_m": peak["displacement"],
        "velocity_m_s": peak["velocity"],
        "wood_anderson_nm": peak["wood_anderson"] * 1e9,
    }


def _response(stations: Stations, trace_id: str, time: obspy.UTCDateTime) -> Response | None:
    """Response of a channel. One without a gain is returned too, so that the cause is reported."""
    found = stations.response(trace_id, time)
    if found is not None:
        return found
    channels = stations.find_channels(trace_id, time, time)
    return next((c.response for c in channels if c.response is not None), None)


def _clipped(data: np.ndarray, level: float, spread: float) -> bool:
    size = np.abs(data - level).max()
    if size <= NO_NOISE * (spread if np.isfinite(spread) else 0.0) or size == 0:
        return False
    if np.abs(data).max() >= FULL_SCALE:
        return True
    for end in (data.max(), data.min()):
        at = np.flatnonzero(data == end)
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        if max(map(len, runs)) >= CLIPPED_SAMPLES and abs(end - level) > 0.5 * size:
            return True
    return False
