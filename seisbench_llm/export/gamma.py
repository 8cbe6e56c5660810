"""Tables of GaMMA: the events that it found, and the picks with the event of each."""

from __future__ import annotations

import pandas as pd

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
