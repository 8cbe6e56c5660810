"""What each format keeps of picks and events. docs/how-to/formats.md says the same, a test that."""

from __future__ import annotations

import pandas as pd

from ..trace_ids import codes_of
from .tables import EVENT_TYPES

# Fields of a pick. Those of the trace id are apart, because few formats keep all of them. The
# component is the last letter of the channel. The span is the start and end time.
PICK_FIELDS = (
    *("network", "station", "location", "instrument", "component", "phase", "time"),
    *("probability", "time_uncertainty", "polarity", "span", "amplitude", "event_id", "further"),
)

_PHASE = ("station", "phase", "time")
_IDS = ("network", "location", *_PHASE)

PICKS_KEPT: dict[str, tuple[str, ...]] = {
    "csv": PICK_FIELDS,
    "parquet": PICK_FIELDS,
    "quakeml": (
        *(*_IDS, "instrument", "component"),
        *("probability", "time_uncertainty", "polarity", "event_id"),
    ),
    "scml": (
        *(*_IDS, "instrument", "component"),
        *("probability", "time_uncertainty", "polarity", "event_id"),
    ),
    "pyocto": (
        *(*_IDS, "instrument", "component"),
        *("probability", "amplitude", "event_id", "further"),
    ),
    "gamma": (*_IDS, "probability", "amplitude"),
    "phasenet": (*_IDS, "instrument", "probability", "amplitude"),
    "eqtransformer": ("network", *_PHASE, "instrument", "probability"),
    "hypodd": (*_PHASE, "probability", "event_id"),
    "growclust": (),
    "nlloc": (*_PHASE, "instrument", "component", "time_uncertainty", "polarity", "event_id"),
}

_PLACE = ("event_id", "time", "latitude", "longitude", "depth_km", "depth_resolved", "magnitude")
_CATALOGUE = tuple(name for name in EVENT_TYPES if name not in ("method", "at_edge"))

# Formats whose events are a file of their own, such as csv, keep none.
EVENTS_KEPT: dict[str, tuple[str, ...]] = {
    "quakeml": _CATALOGUE,
    "scml": _CATALOGUE,
    "hypodd": (*_PLACE, "depth_uncertainty_km", "rms"),
    "growclust": (*_PLACE, "uncertainty_km", "depth_uncertainty_km", "rms"),
}


def pick_fields(frame: pd.DataFrame) -> dict[str, list]:
    """
    The fields of a table of picks that have a value, each with its values.

    :param frame: Table of :py:func:`seisbench_llm.export.picks_to_dataframe`.
    """
    places = [codes_of(name) for name in frame["trace_id"]]
    values = {
        "network": [place.network for place in places],
        "station": [place.station for place in places],
        "location": [place.location for place in places],
        "instrument": [code or "" for code in frame["instrument"]],
        "component": [place.component if len(place.channel) > 2 else "" for place in places],
        "span": [
            "" if first == last == time else (first, last)
            for first, last, time in zip(
                frame["start_time"], frame["end_time"], frame["time"], strict=True
            )
        ],
    }
    known = {"trace_id", "start_time", "end_time", *PICK_FIELDS}
    further = [name for name in frame if name not in known]
    values["further"] = [
        "" if all(pd.isna(value) for value in row) else row
        for row in zip(*(frame[name] for name in further), strict=True)
    ]
    for name in PICK_FIELDS:
        if name not in values and name in frame:
            values[name] = ["" if pd.isna(value) else value for value in frame[name]]
    return {
        name: values[name]
        for name in PICK_FIELDS
        if any(value != "" for value in values.get(name, []))
    }


def lost_fields(frame: pd.DataFrame, name: str) -> list[str]:
    """
    Fields of a table of picks that have a value and that a format does not keep.

    :param name: Name of the format.
    """
    return [field for field in pick_fields(frame) if field not in PICKS_KEPT[name]]
