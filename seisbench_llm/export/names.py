"""Trace ids and names of events in tables and catalogues of other programs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd
from obspy.core.event import Catalog, Event, ResourceIdentifier

from ..trace_ids import TraceId

CODES = ("network", "station", "location", "channel")

# ObsPy's identifier of an event without a name: another one at each reading.
_RANDOM = re.compile(r"smi:local/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def join_codes(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of picks with a trace id instead of network, station, location and channel."""
    if "trace_id" in frame or not {"network", "station"} <= set(frame):
        return frame
    codes = [frame.get(name, pd.Series("", frame.index)) for name in CODES]
    ids = [
        str(TraceId(*("" if pd.isna(code) else str(code) for code in row)))
        for row in zip(*codes, strict=True)
    ]
    return frame.drop(columns=[name for name in CODES if name in frame]).assign(trace_id=ids)


def event_ids(values: pd.Series) -> pd.Series:
    """Ids of events as text. Empty values, nan and -1 (of PyOcto and GaMMA) become None."""
    return pd.Series([_event_id(value) for value in values], index=values.index, dtype=object)


def _event_id(value) -> str | None:
    if value is None or pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if str(value) in ("", "-1") else str(value)


def event_names(events: Sequence[Event]) -> list[str]:
    """
    A name for each event: the last part of its resource identifier.

    Where two events share this part, such as those of two agencies, all names are the whole
    identifiers. Events that share these, too, are numbered.
    """
    ids = [event.resource_id.id for event in events]
    names = [one.rstrip("/").rpartition("/")[2] for one in ids]
    if all(names) and len(set(names)) == len(names):
        return names
    return _numbered(ids)


def name_events(catalog: Catalog) -> Catalog:
    """
    Name events by their origin times if ObsPy gave them random names, as for Nordic.

    :return: The same catalogue.
    """
    events = [e for e in catalog if e.origins and _RANDOM.fullmatch(e.resource_id.id)]
    times = [(event.preferred_origin() or event.origins[0]).time for event in events]
    names = ["" if time is None else time.strftime("%Y%m%dT%H%M%S%f") for time in times]
    for event, name in zip(events, _numbered(names), strict=True):
        event.resource_id = ResourceIdentifier(f"smi:local/{name}")
    return catalog


def _numbered(names: Sequence[str]) -> list[str]:
    """Names with _2, _3, ... at those that occur again."""
    counts: Counter = Counter()
    numbered = []
    for name in names:
        counts[name] += 1
        numbered.append(f"{name}_{counts[name]}" if counts[name] > 1 else name)
    return numbered
