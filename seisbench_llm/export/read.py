"""Reading of the files of picks that this package writes."""

from __future__ import annotations

from pathlib import Path

import obspy
import pandas as pd
import seisbench
from obspy.core.event import Catalog

from ..obspy_files import read_catalog
from ..trace_ids import TraceId, location_of
from .at_picks import NUMBERS
from .csv_formats import (
    PHASENET_COLUMNS,
    read_eqtransformer,
    read_phasenet,
    read_table,
    separator_of,
)
from .detect import OBSPY, detect_format
from .files import read_parquet
from .gamma import gamma_picks
from .growclust import read_growclust
from .names import CODES, join_codes, name_events
from .origins import catalog_to_events
from .quakeml import UNASSOCIATED
from .scml import read_scml
from .tables import EVENT_NAMES, EVENT_TYPES, empty, events_to_dataframe, picks_to_dataframe
from .times import TIME

# Codes are text: location 00 is not zero, and network NA is not a missing value.
_TEXT = (
    "trace_id",
    *CODES,
    "id",
    "phase",
    "type",
    "polarity",
    "event_id",
    "instrument",
    "amplitude_trace_id",
)
_NUMBERS = ("probability", "prob", "time_uncertainty", "amp", "amplitude", *NUMBERS)

# First motions of NonLinLoc.
_MOTIONS = {"C": "U", "U": "U", "+": "U", "D": "D", "-": "D"}


def read_picks(path: str | Path, format: str | None = None) -> pd.DataFrame:
    """
    Read picks in any format of :py:func:`~seisbench_llm.export.export`, or of ObsPy.

    docs/how-to/formats.md says what each format leaves out. Probabilities and polarities that a
    format does not contain are missing, start and end times are those of the picks, and networks
    are empty.

    :param path: The file. It may also be any catalogue that ObsPy reads, such as Nordic.
    :param format: Name of the format. By default the name and the content of the file tell it, see
        :py:func:`~seisbench_llm.export.detect.detect_format`.
    :return: Table as from :py:func:`~seisbench_llm.export.picks_to_dataframe`.
    :raises ValueError: If the file cannot be read. The message has its name.
    :raises FileNotFoundError: If the file does not exist.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        picks = picks_to_dataframe(READERS[detect_format(path, format)](path))
    except ImportError:
        raise
    except Exception as error:
        # The readers raise exceptions of any kind on a broken file.
        raise ValueError(f"{path} cannot be read as a file of picks: {error}") from error
    # Single precision may exceed 1 by its rounding.
    odd = picks["probability"][(picks["probability"] < 0) | (picks["probability"] > 1 + 1e-6)]
    if len(odd):
        seisbench.logger.warning(
            f"{path}: {len(odd)} picks have a probability that is not from 0 to 1, the first: "
            f"{odd.iloc[0]:g}."
        )
    return picks


def read_events(path: str | Path, format: str | None = None) -> pd.DataFrame:
    """
    Read a table of events: CSV or Parquet of a monitor, of PyOcto or of GaMMA, a catalogue, or a
    list of GrowClust.

    :param path: The file. A catalogue may be any that ObsPy reads.
    :param format: Name of the format. By default the name and the content of the file tell it.
    :return: Columns of docs/reference/tables.md. What the file does not hold is empty. Formats
        without events, such as ``nlloc``, have no rows.
    :raises ValueError: If it is no such file, with its name.
    :raises FileNotFoundError: If there is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        name = detect_format(path, format)
        if name == "growclust":
            return read_growclust(path)
        if name in ("quakeml", "scml", "hypodd", OBSPY):
            return catalog_to_events((_read_obspy if name == OBSPY else read_catalog)(path))
        if name not in ("csv", "parquet", "pyocto", "gamma"):
            return empty(EVENT_TYPES)
        return _complete_events(_read_event_table(path))
    except ImportError:
        raise
    except Exception as error:
        # The readers raise whatever comes to them on a broken file.
        raise ValueError(f"{path} is no file of events that can be read: {error}") from error


def _read_event_table(path: Path) -> pd.DataFrame:
    if path.suffix.lower() == ".parquet":
        return events_to_dataframe(_named(read_parquet(path)))
    texts = [name for name, kind in EVENT_TYPES.items() if kind == "object"]
    types = dict.fromkeys(texts, str)
    # A comma at the ends of lines does not make the first column the index.
    frame = read_table(path, dtype=types)
    return events_to_dataframe(_named(frame))


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Events of a catalogue without names, such as an agency's, are numbered from 1."""
    if set(frame) & {"event_id", "event", *(n for n, o in EVENT_NAMES.items() if o == "event_id")}:
        return frame
    return frame.assign(event_id=[str(number) for number in range(1, len(frame) + 1)])


def _complete_events(frame: pd.DataFrame) -> pd.DataFrame:
    for name, kind in EVENT_TYPES.items():
        if name not in frame or kind == TIME:
            continue
        if kind == "object":
            texts = [None if pd.isna(value) else value for value in frame[name]]
            frame[name] = pd.Series(texts, dtype=object, index=frame.index)
        else:
            frame[name] = frame[name].astype(kind)
    return frame


def _read_obspy(path: Path) -> Catalog:
    return name_events(read_catalog(path))


def _read_csv(path: Path) -> pd.DataFrame:
    frame = read_table(
        path,
        dtype=dict.fromkeys(_TEXT, str),
        keep_default_na=False,
        na_values={name: [""] for name in (*_NUMBERS, "amplitude_trace_id")},
    )
    if {"station", "trace_id"} <= set(frame):
        # PyOcto's station name is the beginning of the trace id.
        if (frame["station"] == frame["trace_id"].map(location_of)).all():
            frame = frame.drop(columns="station")
    return join_codes(frame)


def _read_gamma(path: Path) -> pd.DataFrame:
    """Picks for GaMMA, or those of its examples, which have the event of each."""
    header = set(pd.read_csv(path, sep=separator_of(path), nrows=0))
    reader = read_phasenet if set(PHASENET_COLUMNS) <= header else _read_csv
    return gamma_picks(reader(path))


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
        error = float(words[10]) if words[9] == "GAU" else None
        # A code of three letters has the component, too.
        trace_id = str(place) if len(place.channel) > 2 else place.pick_id
        rows.append((trace_id, phase, time, polarity, place.instrument, error, event))
    columns = [*("trace_id", "phase", "time", "polarity", "instrument")]
    columns += ["time_uncertainty", "event_id"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame if frame["event_id"].notna().any() else frame.drop(columns="event_id")


def _read_no_picks(path: Path) -> pd.DataFrame:
    """An event list of GrowClust has no picks. It is read to see that it is one."""
    read_growclust(path)
    return picks_to_dataframe([])


# Format -> reader of its picks. Tables of events are read by read_events.
READERS = {
    "csv": _read_csv,
    "parquet": read_parquet,
    "quakeml": read_catalog,
    "scml": read_scml,
    "pyocto": _read_csv,
    "gamma": _read_gamma,
    "phasenet": read_phasenet,
    "eqtransformer": read_eqtransformer,
    "hypodd": _read_hypodd,
    "growclust": _read_no_picks,
    "nlloc": _read_nlloc,
    OBSPY: _read_obspy,
}
