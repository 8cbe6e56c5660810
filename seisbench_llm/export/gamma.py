"""Tables of GaMMA: the events that it found, the picks with the event of each, assignments."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .names import event_ids

# Row of a pick, and its event, in tables of assignments: GaMMA's, those of its first versions, and
# the arrivals of this package.
_ROWS = ("pick_index", "pick_idx", "pick")
_EVENTS = ("event_index", "event_idx", "event_id")

# One of them is in every table of GaMMA's events, also of its first versions.
_OF_GAMMA = {"gamma_score", "sigma_time", "depth(m)"}

# GaMMA's magnitude if it was told not to use amplitudes.
_NO_MAGNITUDE = 999

# GaMMA's names -> our names. sigma_time is the root mean square of the residuals of time.
_EVENT_NAMES = {"sigma_time": "rms", "number_picks": "picks", "num_picks": "picks"}

# Its examples write -1 for everything that a pick does not have.
_UNKNOWN = -1
_FILLED = ("prob", "probability", "amp", "amplitude", "gamma_score")


def gamma_events(frame: pd.DataFrame) -> pd.DataFrame:
    """
    A table of GaMMA's events with depths in km and unknown magnitudes empty. Others stay the same.

    :param frame: ``pandas.DataFrame(events)`` of ``gamma.utils.association`` with longitude and
        latitude, or what GaMMA's examples write of it.
    """
    if not _OF_GAMMA & set(frame):
        return frame
    names = {name: ours for name, ours in _EVENT_NAMES.items() if ours not in frame}
    frame = frame.rename(columns=names)
    if "depth_km" not in frame and "depth(m)" in frame:
        frame = frame.assign(depth_km=frame["depth(m)"] / 1000).drop(columns="depth(m)")
    elif "depth_km" not in frame and "z(km)" in frame:
        frame = frame.assign(depth_km=frame["z(km)"])
    if "magnitude" in frame:
        frame["magnitude"] = frame["magnitude"].mask(frame["magnitude"] == _NO_MAGNITUDE)
    return frame


def gamma_picks(frame: pd.DataFrame) -> pd.DataFrame:
    """Picks as GaMMA's examples write them, with empty entries instead of -1."""
    if "gamma_score" not in frame:
        return frame
    numbers = [name for name in _FILLED if name in frame]
    return frame.assign(**{name: frame[name].mask(frame[name] == _UNKNOWN) for name in numbers})


def is_assignments(columns) -> bool:
    """Whether a table with these columns tells the events of picks by their rows."""
    named = set(columns)
    lacks_picks = not named & {"time", "timestamp", "phase_time"}
    return lacks_picks and bool(named & set(_ROWS)) and bool(named & set(_EVENTS))


def read_assignments(path: str | Path) -> pd.DataFrame:
    """
    Read the assignments that ``gamma.utils.association`` returns, or arrivals, from a CSV.

    :raises FileNotFoundError: If there is no such file.
    :raises ValueError: If it is no table of assignments.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        table = pd.read_csv(path, sep=None, engine="python", dtype={"event_id": str})
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a table of assignments: {error}") from error
    if not is_assignments(table):
        raise ValueError(
            f"{path} is no table of assignments: it needs the columns {_ROWS[0]} and {_EVENTS[0]}."
        )
    return table


def with_assignments(picks: pd.DataFrame, assignments: pd.DataFrame) -> pd.DataFrame:
    """
    Picks with the event of each, ``event_id``, and GaMMA's ``gamma_score`` if it is there.

    :param picks: Table of the picks that were given to GaMMA, in the same order.
    :param assignments: Columns ``pick_index`` (row of the pick, from 0) and ``event_index``, and
        perhaps ``gamma_score``: ``pandas.DataFrame(assignments, columns=[...])`` of what
        ``gamma.utils.association`` returns. Arrivals with ``pick`` and ``event_id`` are taken, too.
    :raises ValueError: If a column is missing, a row does not exist, or a pick has two events.
    """
    row, event = (next((n for n in names if n in assignments), None) for names in (_ROWS, _EVENTS))
    if row is None or event is None:
        raise ValueError(
            f"The table of assignments needs the columns {_ROWS[0]} and {_EVENTS[0]}; it has "
            f"{', '.join(map(str, assignments))}."
        )
    rows = pd.to_numeric(assignments[row])
    wrong = ~rows.isin(range(len(picks)))
    if wrong.any():
        raise ValueError(
            f"The assignments have the pick {rows[wrong].iloc[0]}, but there are {len(picks)} "
            f"picks, counted from 0. Are they of other picks?"
        )
    if rows.duplicated().any():
        twice = rows[rows.duplicated()].iloc[0]
        raise ValueError(f"The assignments have two events of the pick {twice}.")
    known = assignments.set_axis(rows.astype(int))
    picks = picks.reset_index(drop=True)
    picks = picks.assign(event_id=event_ids(known[event].reindex(picks.index)))
    return picks.assign(gamma_score=known["gamma_score"]) if "gamma_score" in known else picks
