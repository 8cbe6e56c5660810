"""Reading of the files of picks that this package writes."""

from __future__ import annotations

from pathlib import Path

import obspy
import pandas as pd

from ..obspy_files import read_catalog
from ..trace_ids import TraceId, location_of
from .files import read_parquet
from .formats import format_of
from .origins import catalog_to_events
from .quakeml import UNASSOCIATED
from .tables import EVENT_TYPES, TIME, events_to_dataframe, picks_to_dataframe

# Codes are text: location 00 is not zero, and network NA is not a missing value.
_TEXT = ("trace_id", "station", "id", "phase", "type", "polarity", "event_id", "instrument")
_NUMBERS = ("probability", "prob", "time_uncertainty", "amp", "amplitude")

# First motions of NonLinLoc.
_MOTIONS = {"C": "U", "U": "U", "+": "U", "D": "D", "-": "D"}


def read_picks(path: str | Path, format: str | None = None) -> pd.DataFrame:
    """
    Read picks that :py:func:`~seisbench_llm.export.export` wrote in any of its formats.

    docs/how-to/formats.md says what each format leaves out. Probabilities and polarities that a
    format does not contain are missing, start and end times are those of the picks, and networks
    are empty.

    :param path: The file. It may also be any catalogue that ObsPy reads.
    :param format: Name of the format. By default the suffix of ``path`` tells it.
    :return: Table as from :py:func:`~seisbench_llm.export.picks_to_dataframe`.
    :raises ValueError: If the file cannot be read. The message has its name.
    :raises FileNotFoundError: If the file does not exist.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        return picks_to_dataframe(READERS[format_of(path, format)](path))
    except ImportError:
        raise
    except Exception as error:
        # The readers raise exceptions of any kind on a broken file.
        raise ValueError(f"{path} cannot be read as a file of picks: {error}") from error


def read_events(path: str | Path) -> pd.DataFrame:
    """
    Read a table of events: CSV or Parquet of a monitor, or QuakeML.

    :param path: A name that ends with ``.csv`` or ``.parquet`` means a table; anything else is a
        catalogue that ObsPy can read.
    :return: Columns of docs/reference/tables.md; what the file does not hold is empty.
    :raises ValueError: If it is no such file, with its name.
    :raises FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        if path.suffix.lower() not in (".csv", ".parquet"):
            return catalog_to_events(read_catalog(path))
        texts = [name for name, kind in EVENT_TYPES.items() if kind == "object"]
        frame = (
            read_parquet(path)
            if path.suffix.lower() == ".parquet"
            else pd.read_csv(path, dtype=dict.fromkeys(texts, str))
        )
        frame = events_to_dataframe(frame)
    except ImportError:
        raise
    except Exception as error:
        # The readers raise whatever comes to them on a broken file.
        raise ValueError(f"{path} is no file of events that can be read: {error}") from error
    for name, kind in EVENT_TYPES.items():
        if name not in frame or kind == TIME:
            continue
        if kind == "object":
            texts = [None if pd.isna(value) else value for value in frame[name]]
            frame[name] = pd.Series(texts, dtype=object, index=frame.index)
        else:
            frame[name] = frame[name].astype(kind)
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(
        path,
        dtype=dict.fromkeys(_TEXT, str),
        keep_default_na=False,
        na_values={name: [""] for name in _NUMBERS},
    )
    if {"station", "trace_id"} <= set(frame):
        # PyOcto's station name is the beginning of the trace id.
        if (frame["station"] == frame["trace_id"].map(location_of)).all():
            frame = frame.drop(columns="station")
    return frame


def _read_hypodd(path: Path) -> pd.DataFrame:
    catalog = obspy.read_events(path, format="HYPODDPHA") if path.stat().st_size else []
    frame = picks_to_dataframe(obspy.Catalog(list(catalog)))
    weights = [
        {str(a.pick_id): a.time_weight for a in event.origins[0].arrivals}.get(str(p.resource_id))
        for event in catalog
        for p in event.picks
    ]
    # ObsPy guesses the channel from the phase.
    return frame.assign(probability=weights, trace_id=frame["trace_id"].map(location_of))


def _read_nlloc(path: Path) -> pd.DataFrame:
    """Observations of NonLinLoc (NLLOC_OBS)."""
    rows: list[tuple] = []
    event = None
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        words = line.split()
        if not words or words[0] == "#":
            continue
        if words[0] == "PUBLIC_ID":
            event = None if f"/{UNASSOCIATED}/" in words[1] else words[1].rpartition("/")[2]
            continue
        if len(words) < 14:
            raise ValueError(f"line {number} is not an observation of NonLinLoc")
        station, _, channel, _, phase, motion, day, clock, seconds = words[:9]
        time = obspy.UTCDateTime.strptime(day + clock, "%Y%m%d%H%M") + float(seconds)
        place = TraceId("", station, "", "" if channel == "?" else channel)
        polarity = _MOTIONS.get(motion.upper())
        rows.append((place.pick_id, phase, time, polarity, place.instrument, event))
    columns = ["trace_id", "phase", "time", "polarity", "instrument", "event_id"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame if frame["event_id"].notna().any() else frame.drop(columns="event_id")


READERS = {
    "csv": _read_csv,
    "parquet": read_parquet,
    "quakeml": read_catalog,
    "pyocto": _read_csv,
    "gamma": _read_csv,
    "hypodd": _read_hypodd,
    "nlloc": _read_nlloc,
}
