"""Waveforms, picks and stations of one's own, from the example records of ObsPy."""

import obspy
import pandas as pd

from seisbench_llm.export import export, picks_to_dataframe

# The record of BW.RJOB begins here and has 30 s at 100 Hz.
START = obspy.UTCDateTime(2009, 8, 24, 0, 20, 3)
P, S = START + 4.7, START + 6.413


def write_sds(root, stream):
    """Write traces as an archive in the SeisComP data structure."""
    for trace in stream:
        codes = trace.stats
        start = codes.starttime
        folder = root / f"{start.year}" / codes.network / codes.station / f"{codes.channel}.D"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{trace.id}.D.{start.year}.{start.julday:03d}"
        copy = trace.copy()
        copy.data = copy.data.astype("float32")
        with open(folder / name, "ab") as file:
            copy.write(file, format="MSEED")
    return root


def records(changes=None):
    """BW.RJOB, three components."""
    stream = obspy.read()
    for trace in stream:
        trace.stats.pop("response", None)
        if changes is not None:
            changes(trace)
    return stream


def picks_table(**columns):
    """P and S of one event at BW.RJOB, with polarity and uncertainty."""
    table = {
        "trace_id": ["BW.RJOB..EHZ", "BW.RJOB..EHN"],
        "phase": ["P", "S"],
        "time": [str(P), str(S)],
        "polarity": ["U", None],
        "probability": [0.9, 0.4],
        "time_uncertainty": [0.02, 0.05],
        "event_id": ["one", "one"],
    }
    return picks_to_dataframe(pd.DataFrame({**table, **columns}))


def events_table(**columns):
    table = {
        "event_id": ["one"],
        "time": [str(START + 1.0)],
        "latitude": [47.9],
        "longitude": [12.9],
        "depth_km": [8.0],
        "magnitude": [1.7],
    }
    return pd.DataFrame({**table, **columns})


def write_bulletin(file, picks=None, events=None):
    """A bulletin in QuakeML."""
    return export(
        picks_table() if picks is None else picks,
        file,
        events=events_table() if events is None else events,
    )
