"""Picks in every form that users have them in."""

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.core.event import Catalog, Event, Pick, WaveformStreamID
from seisbench.util import ClassifyOutput, PickList
from seisbench.util import Pick as SeisBenchPick

from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

TIME = obspy.UTCDateTime(2020, 1, 1, 0, 0, 30)
CENTURIES = 300 * 365.25 * 86400


def pick(phase="P", location="00", station="STA"):
    place = WaveformStreamID("XX", station, location, "HHZ")
    return Pick(time=TIME, phase_hint=phase, waveform_id=place)


def seisbench_pick(phase="P"):
    return SeisBenchPick("XX.STA.00", TIME, peak_time=TIME, phase=phase)


def table(**columns):
    row = {"trace_id": ["XX.STA.00"], "phase": ["P"], "time": [pd.Timestamp(TIME.datetime)]}
    return pd.DataFrame({**row, **columns})


@pytest.fixture(scope="module")
def values():
    model, stream = tiny_model("distance"), make_stream()
    return lambda picks: [e.value for e in model.classify(stream, picks=picks).estimates]


@pytest.mark.parametrize(
    "picks",
    [
        [pick()],
        (pick(),),
        iter([pick()]),
        pick(),
        Event(picks=[pick(), pick("S")]),
        Catalog([Event(picks=[pick()]), Event(picks=[pick("S")])]),
        PickList([seisbench_pick()]),
        seisbench_pick(),
        ClassifyOutput("SeisMoLLM", picks=PickList([seisbench_pick(), seisbench_pick("S")])),
        table(),
        table(time=[pd.Timestamp(TIME.datetime, tz="UTC")]),
        table(time=[TIME]),
        [pick(location=None)],
    ],
)
def test_forms(values, picks):
    assert values(picks) == values([pick()]) != []


def test_times_beyond_those_of_nanoseconds():
    model, stream = tiny_model("distance"), make_stream()
    for trace in stream:
        trace.stats.starttime += CENTURIES
    picks = table(time=[pd.Timestamp(np.datetime64((TIME + CENTURIES).datetime, "us"))])
    (estimate,) = model.classify(stream, picks=picks).estimates
    assert estimate.time == TIME + CENTURIES


@pytest.mark.parametrize("phase", ["P", "Pn", "Pg", "IP", "iP", "eP", "EPn", "p", "", None])
def test_phases_that_are_p(values, phase):
    assert len(values([pick(phase)])) == 1


@pytest.mark.parametrize("phase", ["S", "Sn", "IS", "pP", "sP", "Lg", "AML"])
def test_phases_that_are_not(values, phase):
    assert values([pick(phase)]) == []


def test_picks_without_p_are_said(values, caplog):
    assert values([pick("S"), pick("Lg")]) == []
    assert "None of the 2 picks is one of P, so there is no distance." in caplog.text


def test_table_without_a_phase_in_a_row(values):
    assert values(table(phase=[np.nan])) == values(table(phase=[None])) == values([pick()])


def test_unknown_location_is_filled_in():
    model, stream = tiny_model("distance"), make_stream()
    (estimate,) = model.classify(stream, picks=[pick(location=None)]).estimates
    assert estimate.trace_id == "XX.STA.00"


@pytest.mark.parametrize(
    "picks, error, message",
    [
        ([Pick(time=TIME)], ValueError, "has no waveform_id"),
        (table().drop(columns="trace_id"), ValueError, "has no column trace_id"),
        (table(time=[1577836830.0]), ValueError, "are numbers"),
        (table(time=["1577836830.0"]), ValueError, "Row 0 of .* has '1577836830.0' where"),
        (table(time=[pd.NaT]), ValueError, "Row 0 of .* has NaT where"),
        (table(time=[None]), ValueError, "where a time should be"),
        (table(trace_id=[np.nan]), ValueError, "Row 0 of .* has no trace_id"),
        ("picks.csv", TypeError, "is not possible"),
        ([3], TypeError, "is not a pick"),
    ],
)
def test_what_cannot_be_read(values, picks, error, message):
    with pytest.raises(error, match=message):
        values(picks)
