"""Results in the formats that other programs read."""

from __future__ import annotations

from collections.abc import Iterable

import obspy
import pandas as pd
from obspy.core.event import (
    Catalog,
    Comment,
    CreationInfo,
    Event,
    Pick,
    ResourceIdentifier,
    WaveformStreamID,
)

COLUMNS = ("trace_id", "phase", "time", "probability", "start_time", "end_time", "polarity")


def picks_to_dataframe(picks: Iterable) -> pd.DataFrame:
    """
    One row per pick, times in UTC.

    Unlike ``PickList.to_dataframe`` of SeisBench, the columns are there without picks, too.

    :param picks: Picks of SeisBench.
    """
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
    for column in ("time", "start_time", "end_time"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame


def picks_to_catalog(picks: Iterable, method: str) -> Catalog:
    """
    An ObsPy catalogue with all picks, which have not been associated with earthquakes.

    QuakeML knows picks only as parts of an event; they share a single one, without an origin and
    with a comment that says so.

    :param picks: Picks of SeisBench.
    :param method: What made the picks, for example ``compact_picking/1``.
    :return: A catalogue that writes as QuakeML 1.2.
    """
    converted = [_convert(pick, method) for pick in picks]
    event = Event(
        picks=converted,
        comments=[Comment(text=f"{len(converted)} picks not associated with any event")],
        creation_info=CreationInfo(author="seisbench_llm", creation_time=obspy.UTCDateTime()),
    )
    return Catalog([event])


def _convert(pick, method: str) -> Pick:
    network, station, location, *instrument = pick.trace_id.split(".")
    return Pick(
        time=pick.peak_time,
        waveform_id=WaveformStreamID(
            network_code=network,
            station_code=station,
            location_code=location,
            channel_code=instrument[0] if instrument else None,
        ),
        phase_hint=pick.phase,
        polarity={"U": "positive", "D": "negative", "N": "undecidable"}.get(pick.polarity),
        evaluation_mode="automatic",
        method_id=ResourceIdentifier(f"smi:local/seisbench_llm/{method}"),
        comments=[Comment(text=f"probability {pick.peak_value:.3f}")],
    )
