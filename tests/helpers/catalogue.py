"""Picks of known events and of noise at the stations of a network, over days."""

import numpy as np
import obspy
import pandas as pd

from seisbench_llm.export import picks_to_dataframe
from tests.helpers.monitor import NETWORK, START, make_pick, picks_of

DAY = 86400


def make_catalogue(count, days=1.0, noise=20, seed=0, at=None, stations=NETWORK):
    """
    Sources, and a table of their picks and of picks of noise.

    :param count: Number of events.
    :param noise: Picks of noise per station and day.
    :param at: Origin times in s after ``START``; at random, if None.
    :return: Rows of latitude, longitude, depth and time, and picks in order of time.
    """
    rng = np.random.default_rng(seed)
    at = rng.uniform(60, days * DAY - 200, count) if at is None else at
    sources = [
        (50 + rng.uniform(-0.2, 0.2), 10 + rng.uniform(-0.3, 0.3), rng.uniform(3, 15), START + t)
        for t in sorted(at)
    ]
    picks = []
    for source in sources:
        for pick in picks_of(*source, stations=stations):
            if rng.uniform() < 0.85:
                time = pick.peak_time + rng.normal(0, 0.05)
                picks.append(make_pick(pick.trace_id, pick.phase, time, rng.uniform(0.4, 1)))
    for name in stations["id"]:
        for time in rng.uniform(0, days * DAY, rng.poisson(noise * days)):
            phase = "PS"[rng.integers(2)]
            picks.append(make_pick(f"{name}.00", phase, START + time, rng.uniform(0.2, 0.6)))
    table = picks_to_dataframe(picks).sort_values(["time", "trace_id", "phase"], kind="stable")
    return sources, table.reset_index(drop=True)


def match(events: pd.DataFrame, sources, within=2.0):
    """Number of sources with exactly one event, and number of events without a source."""
    times = [obspy.UTCDateTime(ns=time.value) for time in events["time"]]
    near = [[abs(time - source[3]) < within for source in sources] for time in times]
    near = np.array(near).reshape(len(times), len(sources))
    return int((near.sum(0) == 1).sum()), int((~near.any(1)).sum())
