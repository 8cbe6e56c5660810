"""Results in the formats that other programs read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from obspy.core.event import (
    Catalog,
    Pick,
)

COLUMNS = ("trace_id", "phase", "time", "probability", "start_time", "end_time", "polarity")


TIMES = ("time", "start_time", "end_time")


# First motions: SeisBench's letters and QuakeML's words.
POLARITIES = {"U": "positive", "D": "negative", "N": "undecidable"}


def picks_to_dataframe(picks: Iterable | Catalog | pd.DataFrame) -> pd.DataFrame:
    """
    One row per pick, times in UTC to the microsecond.

    Unlike ``PickList.to_dataframe`` of SeisBench, the columns are there without picks, too.

    :param picks: Picks of SeisBench, an ObsPy catalogue, or a table as this function or
        ``PickList.to_dataframe`` makes it, whose further columns are kept. ObsPy picks have no
        probability: it is nan; start and end
        are the pick's time.
    :raises ValueError: If a table lacks a column, or a time is no time.
    """
    if isinstance(picks, pd.DataFrame):
        if "trace_id" not in picks and "station" in picks:
            # SeisBench's own table, where the trace id is called so.
            picks = picks.rename(columns={"station": "trace_id"})
        missing = [column for column in COLUMNS[:3] if column not in picks]
        if missing:
            raise ValueError(
                f"The table of picks has no column {', '.join(missing)}; it needs "
                f"{', '.join(COLUMNS[:3])}, and may have {', '.join(COLUMNS[3:])}."
            )
        frame = picks.reset_index(drop=True).copy()
        defaults = {"probability": float("nan"), "polarity": None}
        for column in COLUMNS[3:]:
            if column not in frame:
                frame[column] = defaults[column] if column in defaults else frame["time"]
        frame = frame[[*COLUMNS, *(c for c in frame if c not in COLUMNS)]]
    else:
        if isinstance(picks, Catalog):
            rows = [_row_of_obspy(pick) for event in picks for pick in event.picks]
        else:
            rows = [
                (
                    pick.trace_id,
                    pick.phase,
                    pick.peak_time.datetime,
                    pick.peak_value,
                    pick.start_time.datetime,
                    pick.end_time.datetime,
                    pick.polarity,
                )
                for pick in picks
            ]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in TIMES:
        # The unit by name, or it would depend on pandas and on whether there are picks.
        times = pd.to_datetime(frame[column], utc=True).dt.floor("us")
        frame[column] = times.astype("datetime64[us, UTC]")
    frame["probability"] = frame["probability"].astype(float)
    letters = frame["polarity"].astype(object)
    frame["polarity"] = letters.where(letters.notna() & (letters != ""), None)
    if frame["time"].isna().any():
        raise ValueError(f"Pick {frame['time'].isna().idxmax()} has no time.")
    return frame


def _row_of_obspy(pick: Pick) -> tuple:
    letters = {long: short for short, long in POLARITIES.items()}
    time = pick.time.datetime
    trace_id = pick.waveform_id.get_seed_string().rstrip(".") if pick.waveform_id else ""
    trace_id += "." * (2 - trace_id.count("."))
    return trace_id, pick.phase_hint, time, None, time, time, letters.get(pick.polarity)


def read_picks(path: str | Path) -> pd.DataFrame:
    """
    Read a table of picks that :py:func:`export` wrote as CSV or Parquet.

    :param path: File whose name ends in .csv or .parquet.
    :raises ValueError: If it is no such table.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        return picks_to_dataframe(pd.read_parquet(path))
    # A station may be called NA.
    text = {column: str for column in ("trace_id", "phase", "polarity")}
    frame = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"probability": [""]})
    return picks_to_dataframe(frame)
