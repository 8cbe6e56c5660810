"""Picks, made and drawn at random."""

import datetime

import obspy
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from obspy.core.event import Origin
from seisbench.util import Pick, PickList

from seisbench_llm.export.quakeml import picks_to_catalog

T0 = obspy.UTCDateTime(2024, 3, 1, 0, 1)

# Picks of an accelerometer and a seismometer.
TWO = [
    Pick("XX.ABC.00.HN", T0 + 4.65, T0 + 4.8, T0 + 4.71, 0.8127, "P", polarity="D"),
    Pick("XX.DEF.", T0 + 7, T0 + 8, T0 + 7.1235, 0.5, "S"),
]
# As classify does: the name is NET.STA.LOC for a seismometer.
TWO[1].instrument = "HH"

CODE = st.text("ABCNXZ0189-_", min_size=1, max_size=5)

ANY_TIME = st.one_of(
    st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2099, 12, 31)),
    st.sampled_from(
        [
            datetime.datetime(2024, 2, 29, 23, 59, 59, 999999),
            datetime.datetime(2016, 12, 31, 23, 59, 59, 999960),
            datetime.datetime(1970, 1, 1),
        ]
    ),
)


@st.composite
def one_pick(draw, station=CODE, network=CODE):
    time = obspy.UTCDateTime(draw(ANY_TIME))
    location = draw(st.sampled_from(["", "00", ".HN"])).lstrip(".")
    location = f".{location}" if location.startswith("H") else location
    return Pick(
        f"{draw(network)}.{draw(station)}.{location}",
        time - 0.05,
        time + 0.05,
        time,
        draw(st.floats(0.01, 1)),
        draw(st.sampled_from("PS")),
        polarity=draw(st.sampled_from([None, "U", "D", "N"])),
    )


# Lists of picks for Hypothesis.
PICKS = st.lists(one_pick(), max_size=6).map(PickList)

FAST = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def pick_at(time, trace_id="XX.STA.00", phase="P", probability=0.8):
    time = obspy.UTCDateTime(time)
    return Pick(trace_id, time - 0.1, time + 0.1, time, probability, phase)


def located(trace_id="XX.STA.00", weight=None, **origin):
    catalog = picks_to_catalog([pick_at(0, trace_id), pick_at(3, trace_id, "S")], "x/1")
    values = {"time": obspy.UTCDateTime(-1), "latitude": 1, "longitude": 2, "depth": 0}
    catalog[0].origins = [Origin(**{**values, **origin})]
    return catalog
