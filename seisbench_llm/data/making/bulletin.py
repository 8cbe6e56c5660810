"""Picks and events of a data set to be made: read, checked, and grouped into records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from obspy.core.event import Catalog

from ...export.csv_formats import pair
from ...export.detect import detect_format
from ...export.origins import catalog_to_events
from ...export.read import READERS, read_events
from ...export.tables import EVENT_TYPES, empty, picks_to_dataframe
from ...trace_ids import codes_of
from ..metadata import phase_of


@dataclass
class LeftOut:
    """
    Picks that are in no record, each with its cause.

    :param rows: Trace id, phase, time, event and cause.
    """

    rows: list[dict] = field(default_factory=list)

    def add(self, picks: Iterable, cause: str) -> None:
        """Add picks, which are rows of a table of picks."""
        for pick in picks:
            names = ("trace_id", "phase", "time", "event_id")
            row = {name: getattr(pick, name, None) for name in names}
            self.rows.append({**row, "cause": cause})

    def table(self) -> pd.DataFrame:
        """One row per pick, by time."""
        columns = ["trace_id", "phase", "time", "event_id", "cause"]
        return pd.DataFrame(self.rows, columns=columns).sort_values("time", kind="stable")

    def causes(self) -> dict[str, int]:
        """Kind of cause -> number of picks. What follows a colon is a detail."""
        kinds = [row["cause"].partition(":")[0] for row in self.rows]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


@dataclass(frozen=True)
class Group:
    """
    Picks of one event at one station.

    :param station: NET.STA.
    :param event: Event of the picks, None for picks without one.
    :param picks: Rows of the table of picks, by time.
    """

    station: str
    event: str | None
    picks: tuple


def read_bulletin(
    picks: str | Path, events: str | Path | None = None, format: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Read picks and events.

    :param picks: File of picks in any format that :py:func:`seisbench_llm.export.read_picks` reads.
    :param events: File of the events, for formats without them.
    :param format: Format of ``picks``. By default its name and content tell it.
    :return: Picks and events of docs/reference/tables.md. Of a catalogue, picks have a column
        ``status`` (manual, automatic or rejected), and events ``magnitude_type``.
    :raises ValueError: If a file cannot be read. The message has its name.
    :raises FileNotFoundError: If a file does not exist.
    """
    path = Path(picks)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        name = detect_format(path, format)
        content = READERS[name](path)
        table = picks_to_dataframe(content)
    except ImportError:
        raise
    except Exception as error:
        # The readers raise exceptions of any kind on a broken file.
        raise ValueError(f"{path} cannot be read as a file of picks: {error}") from error
    located = empty(EVENT_TYPES)
    if isinstance(content, Catalog):
        table["status"] = [_status(pick) for event in content for pick in event.picks]
        located = catalog_to_events(content)
        located["magnitude_type"] = [_magnitude_type(e) for e in content if e.origins]
    if events is not None:
        located = read_events(events)
    if "event_id" not in table:
        table["event_id"] = None
    return table, located


def _status(pick) -> str | None:
    return "rejected" if pick.evaluation_status == "rejected" else pick.evaluation_mode


def _magnitude_type(event) -> str | None:
    magnitude = event.preferred_magnitude() or next(iter(event.magnitudes), None)
    return None if magnitude is None else magnitude.magnitude_type


def group_picks(
    picks: pd.DataFrame, networks_of: Callable[[str], set[str]], left_out: LeftOut
) -> list[Group]:
    """
    Picks of one event at one station. Without an event, P and the S that follows it.

    :param picks: Table of :py:func:`read_bulletin`.
    :param networks_of: Networks that have a station of a code, for picks without a network.
    :param left_out: Gets the picks that cannot be used.
    :return: Groups by time.
    """
    usable = _usable(picks, networks_of, left_out)
    groups: dict[tuple, list] = defaultdict(list)
    alone = usable[usable["event_id"].isna()].reset_index(drop=True)
    rows = list(alone.itertuples())
    # Pn, PmP and the like are paired as P and S.
    waves = alone.assign(phase=[phase_of(column_of(phase)) for phase in alone["phase"]])
    for two in pair(waves):
        members = [rows[row] for row in two if row is not None]
        first = members[0]
        groups[first.station, None, first.time, first.phase] = members
    for pick in usable[usable["event_id"].notna()].itertuples():
        groups[pick.station, pick.event_id].append(pick)
    made = [
        Group(key[0], key[1], tuple(sorted(members, key=lambda pick: pick.time)))
        for key, members in groups.items()
    ]
    return sorted(made, key=lambda group: (group.picks[0].time, group.station))


def _usable(picks: pd.DataFrame, networks_of, left_out: LeftOut) -> pd.DataFrame:
    kept, stations = [], []
    again = picks.duplicated(["trace_id", "phase", "time", "event_id"])
    for pick, double in zip(picks.itertuples(), again, strict=True):
        place = codes_of(pick.trace_id)
        networks = {place.network} if place.network else networks_of(place.station)
        if getattr(pick, "status", None) == "rejected":
            left_out.add([pick], "its bulletin rejects it")
        elif double:
            left_out.add([pick], "it is there twice")
        elif phase_of(column_of(pick.phase)) is None:
            left_out.add([pick], f"its phase is neither P nor S: {pick.phase}")
        elif not networks:
            left_out.add([pick], "there are no waveforms of its station")
        elif len(networks) > 1:
            several = " and ".join(sorted(networks))
            left_out.add([pick], f"several networks have its station: {several}")
        else:
            kept.append(pick.Index)
            stations.append(f"{min(networks)}.{place.station}")
    return picks.loc[kept].assign(station=stations)


def column_of(phase: str | None, event: int = 1) -> str:
    """
    Metadata column of the onsets of a phase.

    >>> column_of("P"), column_of("Pg", 2)
    ('trace_p_arrival_sample', 'trace_Pg2_arrival_sample')

    :param event: Number of the event in the record.
    """
    name = str(phase or "?").strip()
    name = name.lower() if name in ("P", "S") else name
    return f"trace_{name}{event if event > 1 else ''}_arrival_sample"
