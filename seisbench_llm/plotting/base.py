"""Colours, envelopes, axes and legends that all figures share."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import cache

import numpy as np
import obspy
import pandas as pd

# Okabe and Ito (2008): colours that can be told apart with any colour vision.
COLORS = {"P": "#0072B2", "S": "#D55E00", "Detection": "#999999"}

# Points of names and labels in a figure. The smallest that can be read in print.
SMALL = 9

# More points than a screen or a page has columns. A line of this many points is drawn quickly.
COLUMNS = 2000


# Kilometres of a degree of latitude.
DEGREE_KM = 111.19


@cache
def _figure_class() -> type:
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A figure that notebooks show without a magic command."""

        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return Shown


def new_figure(width: float, height: float):
    """An empty matplotlib figure that notebooks show, sizes in inches."""
    return _figure_class()(figsize=(width, height), layout="constrained")


def as_events(events) -> pd.DataFrame:
    """
    Events as a table with all columns of ``EVENT_TYPES``. Those without an epicentre are left out.

    :param events: Result or table of a monitor, of PyOcto or of GaMMA, an ObsPy catalogue, or None.
    """
    from ..export.origins import catalog_to_events
    from ..export.tables import EVENT_TYPES, empty

    events = getattr(events, "events", events)
    if events is None:
        return empty(EVENT_TYPES)
    if not hasattr(events, "columns"):
        frame = catalog_to_events(obspy.Catalog(list(events)))
    else:
        # PyOcto's events have their depth in km, too.
        names = {"depth": "depth_km"} if "depth_km" not in events else {}
        frame = events.rename(columns=names)
        lacking = [name for name in EVENT_TYPES if name not in frame]
        unknown = {n: None if EVENT_TYPES[n] == "object" else np.nan for n in lacking}
        frame = frame.assign(**unknown)
    return frame[frame[["latitude", "longitude"]].notna().all(axis=1)].reset_index(drop=True)


def single_station(events: pd.DataFrame) -> np.ndarray:
    """Which events of a table are those of one station alone, shape (events,)."""
    return ((events["method"] == "single station") | (events["quality"] == "S")).to_numpy()


def many(number: int, name: str) -> str:
    """A number of things, such as "no events" and "1 event"."""
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


def as_table(picks) -> pd.DataFrame:
    """Picks of SeisBench, a catalogue or a result of classify, as a table."""
    from ..export.tables import picks_to_dataframe

    return picks_to_dataframe(getattr(picks, "picks", picks) if picks is not None else [])


def as_stream(stream: obspy.Stream | obspy.Trace) -> obspy.Stream:
    """Waveforms as a stream, also of a single trace."""
    return obspy.Stream([stream]) if isinstance(stream, obspy.Trace) else stream


def envelope(trace: obspy.Trace, columns: int = COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """
    Times and samples of a trace, thinned so that no peak is lost.

    The smallest and the largest sample of each of ``columns`` spans are kept. Masked and infinite
    samples become nan, where matplotlib breaks a line.

    :return: Seconds since the first sample, and samples, both of shape (npts,) for a short trace,
        else (2 columns,).
    """
    data = np.ma.filled(np.ma.asarray(trace.data, dtype=np.float64), np.nan)
    data[~np.isfinite(data)] = np.nan
    if data.size <= 4 * columns:
        return np.arange(data.size) * trace.stats.delta, data
    step = -(-data.size // columns)
    spans = np.pad(data, (0, -data.size % step), constant_values=np.nan).reshape(-1, step)
    out = np.stack([np.fmin.reduce(spans, axis=1), np.fmax.reduce(spans, axis=1)], axis=1)
    times = (np.arange(len(spans))[:, None] + [0.25, 0.75]) * step * trace.stats.delta
    return times.ravel(), out.ravel()


def for_display(traces: Iterable[obspy.Trace], highpass: float | None) -> obspy.Stream:
    """
    High-passed copies of traces without their mean, split at gaps.

    :param highpass: Corner in Hz, None for no filter. Traces with a lower Nyquist frequency are not
        filtered.
    """
    stream = obspy.Stream()
    for trace in obspy.Stream(list(traces)).split():
        data = np.asarray(trace.data, dtype=np.float64)
        finite = np.isfinite(data)
        mean = data[finite].mean() if finite.any() else 0.0
        # A new trace is made, because split returns the same array for a trace without gaps.
        trace = obspy.Trace(np.where(finite, data - mean, 0.0), trace.stats)
        if highpass and highpass < 0.45 * trace.stats.sampling_rate:
            trace.filter("highpass", freq=highpass, corners=2, zerophase=True)
        trace.data[~finite] = np.nan
        stream.append(trace)
    return stream


def time_axis(axis) -> None:
    """Format the dates of a time axis as short as possible."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def phase_legend(figure, counts: dict[str, int] | None = None) -> None:
    """Draw a legend of P and S at the top right, with the numbers of picks if given."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLORS[p], label=f"{p} ({counts[p]})" if counts else p) for p in "PS"
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)


def counts_of(table: pd.DataFrame) -> dict[str, int]:
    """Number of picks of each phase."""
    return {phase: int((table["phase"] == phase).sum()) for phase in "PS"}
