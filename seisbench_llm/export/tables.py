"""Results in the formats that other programs read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import obspy
import pandas as pd
from obspy.core.event import (
    Arrival,
    Catalog,
    Comment,
    CreationInfo,
    Event,
    Magnitude,
    Origin,
    Pick,
    ResourceIdentifier,
    WaveformStreamID,
)

COLUMNS = ("trace_id", "phase", "time", "probability", "start_time", "end_time", "polarity")
TIMES = ("time", "start_time", "end_time")
_POLARITIES = {"U": "positive", "D": "negative", "N": "undecidable"}


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
    letters = {long: short for short, long in _POLARITIES.items()}
    time = pick.time.datetime
    trace_id = pick.waveform_id.get_seed_string().rstrip(".") if pick.waveform_id else ""
    trace_id += "." * (2 - trace_id.count("."))
    return trace_id, pick.phase_hint, time, None, time, time, letters.get(pick.polarity)


def picks_to_catalog(
    picks: Iterable | pd.DataFrame, method: str, events: pd.DataFrame | None = None
) -> Catalog:
    """
    An ObsPy catalogue with all picks.

    QuakeML knows picks only as parts of an event. Those that have not been associated with an
    earthquake share one event, the last, without an origin and with a comment that says so.

    :param picks: Picks of SeisBench, or a table of picks. With ``events``, a column ``event`` says
        which event a pick belongs to; nothing or -1 for none.
    :param method: What made the picks, for example ``compact_picking/1``.
    :param events: Table with the columns event, time, latitude, longitude (degrees), depth (km)
        and, if known, magnitude.
    :return: A catalogue that writes as QuakeML 1.2.
    :raises ValueError: If a trace id is none, or picks and events do not fit together.
    """
    frame = picks_to_dataframe(picks)
    creation = CreationInfo(author="seisbench_llm", creation_time=obspy.UTCDateTime())
    catalog = Catalog(_events(frame, events, method, creation) if events is not None else [])
    known = set(events["event"]) if events is not None else set()
    free = frame[~frame["event"].isin(known)] if events is not None else frame
    if len(free) or not len(catalog):
        converted = [_convert(row, method) for row in free.itertuples()]
        text = f"{len(converted)} picks not associated with any event"
        catalog.append(
            Event(picks=converted, comments=[Comment(text=text)], creation_info=creation)
        )
    return catalog


def _events(frame, events, method, creation) -> list[Event]:
    needed = ("event", "time", "latitude", "longitude", "depth")
    missing = [column for column in needed if column not in events]
    if missing:
        raise ValueError(f"The table of events has no column {', '.join(missing)}.")
    if "event" not in frame:
        raise ValueError("The table of picks has no column 'event' to say which event is whose.")
    if not events["event"].is_unique:
        raise ValueError("The column 'event' of the table of events holds a value twice.")
    strange = set(frame["event"].dropna()) - set(events["event"]) - {-1}
    if strange:
        raise ValueError(f"Picks belong to events that are not there: {sorted(strange)[:5]}.")
    groups = dict(list(frame.groupby("event")))
    found = []
    for row in events.itertuples():
        own = groups.get(row.event, frame[:0])
        picks = [_convert(pick, method) for pick in own.itertuples()]
        arrivals = [
            Arrival(pick_id=pick.resource_id, phase=pick.phase_hint, time_weight=weight)
            for pick, weight in zip(picks, own["probability"].fillna(1.0), strict=True)
        ]
        origin = Origin(
            time=_utc(row.time),
            latitude=row.latitude,
            longitude=row.longitude,
            depth=row.depth * 1000,
            arrivals=arrivals,
        )
        event = Event(
            resource_id=ResourceIdentifier(f"smi:local/seisbench_llm/event/{row.event}"),
            picks=picks,
            origins=[origin],
            creation_info=creation,
        )
        event.preferred_origin_id = origin.resource_id
        magnitude = getattr(row, "magnitude", None)
        if magnitude is not None and not pd.isna(magnitude):
            event.magnitudes = [Magnitude(mag=magnitude, origin_id=origin.resource_id)]
            event.preferred_magnitude_id = event.magnitudes[0].resource_id
        found.append(event)
    return found


def _utc(time) -> obspy.UTCDateTime:
    return obspy.UTCDateTime(ns=pd.Timestamp(time).as_unit("ns").value)


def split_id(trace_id: str) -> list[str]:
    """
    Network, station, location and, if it is there, instrument or channel.

    :raises ValueError: If it is not NET.STA.LOC with or without a channel.
    """
    parts = str(trace_id).split(".")
    if len(parts) not in (3, 4):
        raise ValueError(f"The trace id '{trace_id}' is not NET.STA.LOC or NET.STA.LOC.CHANNEL.")
    return parts


def _convert(row, method: str) -> Pick:
    network, station, location, *instrument = split_id(row.trace_id)
    known = not pd.isna(row.probability)
    return Pick(
        time=_utc(row.time),
        waveform_id=WaveformStreamID(
            network_code=network,
            station_code=station,
            location_code=location,
            channel_code=instrument[0] if instrument else None,
        ),
        phase_hint=row.phase,
        polarity=_POLARITIES.get(row.polarity),
        evaluation_mode="automatic",
        method_id=ResourceIdentifier(
            # QuakeML knows only some letters in an identifier.
            "smi:local/seisbench_llm/" + re.sub(r"[^a-zA-Z0-9_.\-*()+?~'=,;#/&]", "_", method)
        ),
        comments=[Comment(text=f"probability {row.probability:.3f}")] if known else [],
    )


def export(
    picks: Iterable | pd.DataFrame | Catalog,
    path: str | Path,
    format: str | None = None,
    *,
    events: pd.DataFrame | None = None,
    method: str = "unknown",
    uncertainty: float = 0.1,
) -> Path:
    """
    Write picks in one of the formats of :py:data:`seisbench_llm.export_formats.FORMATS`.

    ========= ================ ======================================================== =========
    format    end of the name  content                                                  times to
    ========= ================ ======================================================== =========
    csv       .csv             all columns of :py:func:`picks_to_dataframe`             1 µs
    parquet   .parquet         the same; needs pyarrow                                  1 µs
    quakeml   .xml, .quakeml   picks and, with events, origins and arrivals             1 µs
    pyocto    .pyocto.csv      station, phase, time (s since 1970), probability         1 µs
    gamma     .gamma.csv       id, timestamp, type, prob and, if there, amp             1 µs
    hypodd    .pha             events and travel times; stations without network        0.1 ms
    nlloc     .obs             NonLinLoc observations; stations without network         0.1 ms
    ========= ================ ======================================================== =========

    >>> export([], "picks.csv")  # doctest: +SKIP

    :param picks: Picks of SeisBench, a table of picks, or a catalogue.
    :param path: File to write; an existing one is replaced.
    :param format: Name of the format; by default the one that the end of ``path`` stands for.
    :param events: Table of events, see :py:func:`picks_to_catalog`, for ``quakeml``, ``hypodd``
        and ``nlloc``. ``hypodd`` needs events.
    :param method: What made the picks, for ``quakeml``.
    :param uncertainty: Standard deviation of picks that have none of their own in seconds, for
        ``nlloc``. By default that of the curves which the models are trained on.
    :return: The file.
    :raises ValueError: If there is no such format, or it cannot hold the picks, with the reason.
    """
    from .export_formats import FORMATS, format_of

    path = Path(path)
    chosen = FORMATS[format_of(path, format)]
    if events is not None and isinstance(picks, Catalog):
        raise ValueError("A catalogue has events of its own; leave out the table of events.")
    if chosen.catalog:
        if not isinstance(picks, Catalog):
            picks = picks_to_catalog(picks, method, events)
    elif events is not None:
        raise ValueError(f"The format {chosen.name} has no room for events.")
    else:
        picks = picks_to_dataframe(picks)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"uncertainty": uncertainty} if chosen.name == "nlloc" else {}
    chosen.write(picks, path, **options)
    return path


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
