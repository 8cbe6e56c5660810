"""
QuakeML 1.2 elements from picks: resource identifiers, waveform codes, polarities, comments.

Exported tables, the monitor's catalogue and live picks all use this module.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version

import numpy as np
import obspy
import pandas as pd
from obspy.core.event import (
    Arrival,
    Catalog,
    Comment,
    CreationInfo,
    Event,
    Origin,
    Pick,
    QuantityError,
    ResourceIdentifier,
    WaveformStreamID,
)

from ..trace_ids import TraceId
from .origins import magnitudes_of, number, origin_fields, origin_texts, utc
from .tables import POLARITIES, events_to_dataframe, picks_to_dataframe

# Standard deviation in s of picks without a better value: the width of the label curves in
# training, not a measured error.
PICK_UNCERTAINTY = 0.1


def identifier(*parts) -> str:
    """A short name that is the same for the same parts on any machine."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def resource_id(*parts: str) -> ResourceIdentifier:
    """
    A QuakeML resource identifier, ``smi:local/seisbench_llm/PART/...``.

    Characters that the standard (section 3.1) does not allow become ``_``.
    """
    clean = [re.sub(r"[^\w\-.*()~']", "_", part, flags=re.ASCII) for part in parts]
    return ResourceIdentifier("/".join(["smi:local", "seisbench_llm", *clean]))


def method_id(name: str) -> ResourceIdentifier:
    """
    Resource identifier of the weight that made a result.

    :param name: Name and version, for example ``compact_picking/1``.
    """
    return resource_id(*name.split("/"))


def creation_info(time: obspy.UTCDateTime | None = None) -> CreationInfo:
    """
    This package as author, with its version.

    :param time: Time of creation. Without it, the same result gives the same file.
    """
    return CreationInfo(author="seisbench_llm", version=_version(), creation_time=time)


@cache
def _version() -> str:
    return version("seisbench_llm")


_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def waveform_id(trace_id: str, instrument: str | None = None) -> WaveformStreamID:
    """
    Network, station, location and, if known, channel.

    :param trace_id: NET.STA.LOC or NET.STA.LOC.CHANNEL. Here HH is also a channel.
    :param instrument: Band and instrument code, for an id without a channel.
    :raises ValueError: If the id has another form.
    """
    # Codes come from files, and XML does not allow control characters.
    place = TraceId.parse(_CONTROL.sub("?", trace_id))
    return WaveformStreamID(
        network_code=place.network,
        station_code=place.station,
        location_code=place.location,
        channel_code=place.channel or instrument or None,
    )


def quantity_error(value: float | None) -> QuantityError:
    """A standard deviation, empty if unknown."""
    value = finite(value)
    return QuantityError() if value is None else QuantityError(uncertainty=value)


def finite(value: float | None) -> float | None:
    """A number, or None for nan, infinity and None."""
    return None if value is None or not np.isfinite(value) else float(value)


def estimate_text(name: str, value: float, error: float | None, digits: int, unit: str = "") -> str:
    """
    An estimate as the text of a comment, such as ``distance 23.4 +- 3.0 km``.

    :param error: Standard deviation. It is left out if unknown.
    :param digits: Number of decimals.
    """
    parts = [name, f"{value:.{digits}f}"]
    if finite(error) is not None:
        parts.append(f"+- {error:.{digits}f}")
    return " ".join([*parts, unit]).rstrip()


def build_pick(
    trace_id: str,
    phase: str,
    time: obspy.UTCDateTime,
    method: str,
    *,
    name: str | None = None,
    instrument: str | None = None,
    probability: float | None = None,
    polarity: str | None = None,
    uncertainty: float | None = None,
    comments: Sequence[str] = (),
    **fields,
) -> Pick:
    """
    Build a QuakeML pick.

    :param trace_id: NET.STA.LOC, with or without a channel.
    :param method: Name and version of the weight.
    :param name: Unique name of the pick for its identifier. By default it is a digest of trace id,
        phase, time and method.
    :param instrument: Band and instrument code. It becomes the channel code.
    :param probability: Value of the peak. It becomes the first comment.
    :param polarity: U, D or N.
    :param uncertainty: Standard deviation of the time in s.
    :param comments: Further comments.
    :param fields: Further attributes, such as ``evaluation_status``.
    :raises ValueError: If the trace id is none.
    """
    name = name or identifier(trace_id, phase, time.ns, method)
    texts = [] if finite(probability) is None else [f"probability {probability:.6f}"]
    attributes = {
        "resource_id": resource_id("pick", name),
        "time": time,
        "time_errors": quantity_error(uncertainty),
        "waveform_id": waveform_id(trace_id, instrument),
        "phase_hint": phase,
        "polarity": POLARITIES.get(polarity),
        "evaluation_mode": "automatic",
        "method_id": method_id(method),
        "comments": build_comments(name, [*texts, *comments]),
        "creation_info": creation_info(),
    }
    return Pick(**{**attributes, **fields})


def build_comments(owner: str, texts: Sequence[str]) -> list[Comment]:
    """
    Comments with identifiers.

    :param owner: Name of the element to which they belong.
    """
    return [
        Comment(text=text, resource_id=resource_id("comment", owner, str(number)))
        for number, text in enumerate(texts)
    ]


# Part of the resource identifiers of events that only hold unassociated picks.
UNASSOCIATED = "unassociated"


def unassociated_event(picks: Sequence[Pick], **fields) -> Event:
    """
    An event without an origin. A comment says that its picks are not associated with an earthquake.

    QuakeML 1.2 has no other place for such picks.

    :param fields: Further attributes of the event.
    """
    name = identifier("no origin", *(pick.resource_id.id for pick in picks))
    text = f"{len(picks)} picks not associated with any event"
    attributes = {
        "resource_id": resource_id(UNASSOCIATED, name),
        "picks": list(picks),
        "comments": build_comments(f"event_{name}", [text]),
        "creation_info": creation_info(),
    }
    return Event(**{**attributes, **fields})


def picks_to_catalog(
    picks: Iterable | pd.DataFrame,
    method: str,
    events: pd.DataFrame | None = None,
    uncertainty: float | None = PICK_UNCERTAINTY,
) -> Catalog:
    """
    Build an ObsPy catalogue of picks, or of events with their picks.

    In QuakeML, picks are parts of events. Without ``events``, all picks are in one event without an
    origin, and a comment says so. With ``events``, unassociated picks are left out, because
    NonLinLoc would locate them as an event, and NORDIC and KML cannot hold such an event. Call this
    function without ``events`` for those picks alone.

    :param picks: Picks of SeisBench, or a table of picks. With ``events``, the column ``event_id``
        is the event of each pick, empty or -1 for unassociated picks.
    :param method: Name and version of the weight, such as ``compact_picking/1``.
    :param events: Table with the columns event_id, time, latitude, longitude (degrees), depth_km
        and, if known, magnitude; see docs/reference/tables.md.
    :param uncertainty: Standard deviation in s of the times of picks without a
        ``time_uncertainty``, None if unknown.
    :return: A catalogue that can be written as QuakeML 1.2.
    :raises ValueError: If a trace id is invalid, or if picks and events do not fit together.
    """
    frame = picks_to_dataframe(picks)
    creation = creation_info(obspy.UTCDateTime())
    if events is not None:
        events = events_to_dataframe(events)
        return Catalog(_events(frame, events, method, uncertainty, creation))
    built = _picks(frame, method, uncertainty)
    return Catalog([unassociated_event(built, creation_info=creation)])


def _events(frame, events, method, uncertainty, creation) -> list[Event]:
    if "event_id" not in frame:
        raise ValueError("The table of picks has no column 'event_id' with the event of each pick.")
    strange = set(frame["event_id"].dropna()) - set(events["event_id"])
    if strange:
        raise ValueError(f"Picks belong to events that do not exist: {sorted(strange)[:5]}.")
    groups = dict(list(frame.groupby("event_id")))
    return [
        _event(row, groups.get(row.event_id, frame[:0]), method, uncertainty, creation)
        for row in events.itertuples()
    ]


def _event(row, members: pd.DataFrame, method, uncertainty, creation) -> Event:
    picks = _picks(members, method, uncertainty)
    arrivals = [
        Arrival(pick_id=pick.resource_id, phase=pick.phase_hint, time_weight=weight)
        for pick, weight in zip(picks, members["probability"].fillna(1.0), strict=True)
    ]
    columns = row._asdict()
    if pd.isna(row.time):
        raise ValueError(f"Event {row.event_id} has no time.")
    origin = Origin(
        resource_id=resource_id("origin", row.event_id),
        time=utc(row.time),
        latitude=number(columns, "latitude"),
        longitude=number(columns, "longitude"),
        arrivals=arrivals,
        comments=build_comments(f"origin_{row.event_id}", origin_texts(columns)),
        **origin_fields(columns),
    )
    event = Event(
        resource_id=resource_id("event", row.event_id),
        picks=picks,
        origins=[origin],
        preferred_origin_id=origin.resource_id.id,
        creation_info=creation,
    )
    event.magnitudes = magnitudes_of(columns, origin)
    if event.magnitudes:
        event.preferred_magnitude_id = event.magnitudes[0].resource_id
    return event


def _picks(frame: pd.DataFrame, method: str, uncertainty: float | None) -> list[Pick]:
    """Picks of a table. Identical rows get different identifiers."""
    picks, counts = [], Counter()
    for row in frame.itertuples():
        time = utc(row.time)
        key = (row.trace_id, row.phase, time.ns, method)
        counts[key] += 1
        again = [counts[key]] if counts[key] > 1 else []
        picks.append(
            build_pick(
                row.trace_id,
                row.phase,
                time,
                method,
                name=identifier(*key, *again),
                instrument=row.instrument,
                probability=row.probability,
                polarity=row.polarity,
                uncertainty=uncertainty if np.isnan(own := row.time_uncertainty) else own,
            )
        )
    return picks
