"""
Are local magnitudes from amplitudes at S picks those of the catalogue?

    python -m benchmarks.quality.magnitudes --data DATA

Ridgecrest
    Refined picks in a continuous record of four boreholes, their gain as in PAL's example;
    magnitudes of the Southern California Seismic Network (ML).
Mexico
    Accelerometers of OpenEEW in gal, magnitudes of 4.6 to 7.4 of the catalogue, most of them no ML.
    The standard error that stations share (``COMMON``) was chosen on this set.
Ridgecrest, corrected
    The same as Ridgecrest with station corrections of log10 2: below the surface there is no
    reflection that doubles the amplitude. This is theory, no fit, and what the package does if it
    knows that sensors are deep.

Distances are the catalogue's. An event's ML is the median of its stations.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
from obspy.core.inventory import InstrumentSensitivity
from obspy.core.inventory.response import Response
from seisbench.util import Pick

from benchmarks.common.records import load_set
from seisbench_llm.amplitudes import local_magnitude, measure
from seisbench_llm.amplitudes.event import LEAST_SNR
from seisbench_llm.amplitudes.magnitude import (
    BOREHOLE_M,
    STATION_ERROR,
    borehole_correction,
    event_magnitude,
)
from seisbench_llm.trace_ids import TraceId

RESULTS = Path(__file__).parents[1] / "results" / "magnitudes.json"
# Counts per m/s of the boreholes (PAL's example), and gal per m/s^2.
BOREHOLE_GAIN, GAL = 781398000.0, 100.0


class Gains:
    """Responses of one gain, in place of stations."""

    def __init__(self, gain: float, units: str):
        self.known = Response(
            instrument_sensitivity=InstrumentSensitivity(
                value=gain, frequency=1.0, input_units=units, output_units="COUNTS"
            )
        )

    def response(self, trace_id: str, time: obspy.UTCDateTime) -> Response:
        """The same for all."""
        return self.known


def pick_of(trace_id: str, phase: str, time: obspy.UTCDateTime) -> Pick:
    """A pick of SeisBench."""
    return Pick(trace_id, time, time, time, 1.0, phase)


def magnitudes_of(stream, picks, stations, distances) -> list[float]:
    """
    ML at each S pick; nan where there is none.

    :param distances: Hypocentral, in km, of each pick.
    """
    table = measure(stream, picks, stations)
    table = table[(table["phase"] == "S") & ~(table["snr"] < LEAST_SNR)]
    values = np.full(len(picks), np.nan)
    index = table["pick"].to_numpy()
    values[index] = local_magnitude(table["wood_anderson_nm"], np.asarray(distances)[index])
    return list(values)


def ridgecrest(data: Path) -> pd.DataFrame:
    """Columns event, catalogue and ml, a row per S pick."""
    folder = data / "continuous" / "ridgecrest_pb"
    stream = obspy.read(str(folder / "*.mseed"))
    names = {trace.stats.station: TraceId.of(trace).pick_id for trace in stream}
    rows = pd.read_csv(folder / "picks.csv")
    rows = rows[rows["status"] == "refined"].reset_index(drop=True)
    picks = [
        pick_of(names[r.station], r.phase, obspy.UTCDateTime(r.time)) for r in rows.itertuples()
    ]
    catalogue = pd.read_csv(folder / "catalog_scsn.csv").drop_duplicates("time").set_index("time")
    depths = rows["event_time"].map(catalogue["depth_km"]).fillna(8.0)
    distances = np.hypot(rows["distance_km"], depths)
    ml = magnitudes_of(stream, picks, Gains(BOREHOLE_GAIN, "M/S"), distances)
    return pd.DataFrame({"event": rows["event_time"], "catalogue": rows["magnitude"], "ml": ml})


def mexico(data: Path) -> pd.DataFrame:
    """The same."""
    rows = []
    for record in load_set(data, "openeew_mexico"):
        if not record.picks["S"] or not len(record.stream):
            continue
        name = TraceId.of(record.stream[0]).pick_id
        picks = [
            pick_of(name, phase, record.picks[phase][0]) for phase in "PS" if record.picks[phase]
        ]
        distances = [np.hypot(record.truths["distance"], 15.0)] * len(picks)
        ml = magnitudes_of(record.stream, picks, Gains(GAL, "M/S**2"), distances)
        rows += [(record.event, record.truths["magnitude"], value) for value in ml]
    return pd.DataFrame(rows, columns=["event", "catalogue", "ml"])


def summary(table: pd.DataFrame) -> dict:
    """Figures of one set."""
    table = table.dropna()
    events = pd.DataFrame(
        [
            (*event_magnitude(group["ml"]), group["catalogue"].iloc[0])
            for _, group in table.groupby("event")
        ],
        columns=["ml", "error", "catalogue"],
    )
    difference = events["ml"] - events["catalogue"]
    within = table["ml"] - table.groupby("event")["ml"].transform("median")
    many = table.groupby("event")["ml"].transform("count") > 2
    values = {
        "bias": difference.median(),
        "mean absolute error": difference.abs().mean(),
        "stations within one error": (
            (table["ml"] - table["catalogue"]).abs() <= STATION_ERROR
        ).mean(),
        "spread of stations": 1.4826 * within[many].abs().median(),
        "within one error": (difference.abs() <= events["error"]).mean(),
        "within one error, without bias": (
            (difference - difference.median()).abs() <= events["error"]
        ).mean(),
    }
    counts = {"events": len(events), "stations": len(table)}
    return counts | {name: round(float(value), 3) for name, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    boreholes = ridgecrest(args.data)
    corrected = boreholes["ml"] + borehole_correction(BOREHOLE_M)
    results = {
        "openeew_mexico": summary(mexico(args.data)),
        "ridgecrest": summary(boreholes),
        "ridgecrest_corrected": summary(boreholes.assign(ml=corrected)),
    }
    print(json.dumps(results, indent=1))
    args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
