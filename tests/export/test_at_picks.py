"""Estimates and amplitudes as columns of picks."""

import pandas as pd

from seisbench_llm.export.at_picks import (
    COUNTS,
    PHYSICAL,
    amplitude_columns,
    amplitudes_of,
    estimates_of,
    further_types,
)
from tests.helpers.picks import T0


def test_columns_are_those_of_the_tasks_and_amplitudes_asked_for():
    of_polarity = ["polarity_probability", "polarity_spread"]
    assert list(further_types(["polarity", "picking"], False, True)) == of_polarity
    # In the order of the tasks, not of the call.
    both = further_types(["distance", "polarity"], True, False)
    assert list(both) == [*of_polarity, "distance_km", "distance_spread", *COUNTS]
    assert list(further_types([], True, True)) == [*COUNTS, *PHYSICAL]
    assert further_types([], False, False) == {}
    types = further_types(["polarity"], True, True)
    assert {name: kind for name, kind in types.items() if kind != "float64"} == {
        "amplitude_trace_id": "object",
        "clipped": "bool",
    }


def test_estimates_are_those_of_p():
    times = [pd.Timestamp((T0 + s).datetime, tz="UTC") for s in (0, 3)]
    picks = pd.DataFrame(
        {
            "trace_id": "XX.A.",
            "phase": ["P", "S"],
            "time": times,
            "probability": [0.5, 0.6],
            "magnitude": [2.5, None],
        }
    )
    (row,) = estimates_of(picks).to_dict("records")
    assert row["p_time"] == times[0] and row["p_probability"] == 0.5 and row["magnitude"] == 2.5


def test_amplitudes_become_columns_and_come_back():
    measured = pd.DataFrame(
        {
            "pick": [0, 2],
            "trace_id": ["XX.A..HHZ", "XX.A..HHN"],
            "amplitude_counts": [10.0, 20.0],
            "snr": [3.0, 4.0],
            "clipped": [False, True],
            "displacement_m": [1e-6, 2e-6],
            "velocity_m_s": [1e-5, 2e-5],
            "wood_anderson_nm": [5.0, 6.0],
        }
    )
    columns = amplitude_columns(measured, 3, True)
    assert list(columns) == [*COUNTS, *PHYSICAL] and len(columns) == 3
    # The amplitude of a clipped record is a lower limit.
    assert columns["amplitude"].dropna().tolist() == [1e-5]
    back = amplitudes_of(columns)
    assert back["pick"].tolist() == [0, 2] and back["clipped"].tolist() == [False, True]
    assert back["trace_id"].tolist() == measured["trace_id"].tolist()
    assert len(amplitudes_of(columns[["snr"]])) == 0
