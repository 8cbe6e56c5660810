"""seisbench_llm/export/quakeml.py."""

from __future__ import annotations

import re
from collections.abc import Iterable

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

from ..trace_ids import split_id
from .tables import _POLARITIES, picks_to_dataframe


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
