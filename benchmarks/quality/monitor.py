"""
Does the monitor find a known swarm, at twelve stations?

    python -m benchmarks.quality.monitor --data DATA [--weights compact]

DATA holds quakemigrate_iceland (stations and catalogue) and continuous/quakemigrate_iceland.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
from obspy.geodetics import gps2dist_azimuth

from benchmarks.quality.locations import ASKJA, ELEVATIONS
from seisbench_llm.monitor import SeismicMonitor, pair
from seisbench_llm.trace_ids import codes_of

# Largest difference of origin times, and of a pick and a catalogued one, in s.
SAME_EVENT, SAME_PICK = 2.0, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="compact")
    parser.add_argument("--vp", type=float, default=6.0)
    arguments = parser.parse_args()
    records = pd.read_csv(arguments.data / "quakemigrate_iceland" / "metadata.csv")
    folder = arguments.data / "continuous" / "quakemigrate_iceland"
    stream = obspy.read(str(folder / "*.mseed"))
    monitor = SeismicMonitor.from_pretrained(arguments.weights)
    start = time.process_time()
    result = monitor.classify(
        stream, stations(records), vp=arguments.vp, layers=ASKJA, keep_poor=True
    )
    print(
        json.dumps(
            {
                "methods": result.methods,
                "vp": arguments.vp,
                "processor_seconds": round(time.process_time() - start, 1),
                "picks": len(result.picks),
                "pairs": pairs(result, pd.read_csv(folder / "picks.csv")),
                **events(result.events[result.events["method"] == "network"], records),
            },
            indent=2,
        )
    )


def stations(records: pd.DataFrame) -> pd.DataFrame:
    """Coordinates of the stations."""
    first = records.drop_duplicates("station_code")
    return pd.DataFrame(
        {
            "id": first["station_network_code"] + "." + first["station_code"],
            "latitude": first["station_latitude_deg"],
            "longitude": first["station_longitude_deg"],
            "elevation": first["station_code"].map(ELEVATIONS),
        }
    )


def pairs(result, truth: pd.DataFrame) -> dict[str, dict[str, int]]:
    """P of catalogued pairs: whether their S is the right one, by our rule and by probability."""
    truth = truth.assign(time=pd.to_datetime(truth["time"], format="ISO8601"))
    known = truth.pivot_table(
        index=["station", "event_id"], columns="phase", values="time", aggfunc="first"
    ).dropna()
    counts = {}
    for rule, found in (("first S", pair(result.picks)), ("most probable S", probable(result))):
        counts[rule] = {"right": 0, "wrong": 0, "none": 0}
        for p, s in found:
            station = codes_of(result.picks[p].trace_id).station
            if station not in known.index:
                continue
            for p_time, s_time in known.loc[station][["P", "S"]].itertuples(index=False):
                if near(result.picks[p], p_time):
                    right = s is not None and near(result.picks[s], s_time)
                    counts[rule]["none" if s is None else "right" if right else "wrong"] += 1
                    break
    return counts


def probable(result, longest: float = 60.0) -> list[tuple[int, int | None]]:
    """The rule that was not taken: the most probable S before the next P."""
    order = sorted(range(len(result.picks)), key=lambda i: result.picks[i].peak_time)
    last, best = {}, {}
    for i in order:
        pick = result.picks[i]
        if pick.phase == "P":
            last[pick.trace_id] = i
            best[i] = None
        elif (p := last.get(pick.trace_id)) is not None:
            in_time = pick.peak_time - result.picks[p].peak_time <= longest
            if in_time and (best[p] is None or pick.peak_value > result.picks[best[p]].peak_value):
                best[p] = i
    return list(best.items())


def near(pick, moment: pd.Timestamp) -> bool:
    return abs(pick.peak_time.ns - moment.value) < SAME_PICK * 1e9


def events(found: pd.DataFrame, records: pd.DataFrame) -> dict:
    """Events that were found, with errors, one to one in the order of their time difference."""
    catalogue = records.drop_duplicates("source_id").reset_index(drop=True)
    times = pd.to_datetime(catalogue["source_origin_time"], format="ISO8601")
    differences = [
        (abs((one.time - moment).total_seconds()), i, j)
        for i, one in enumerate(found.itertuples())
        for j, moment in enumerate(times)
    ]
    matches = {}
    for difference, i, j in sorted(differences):
        if difference < SAME_EVENT and i not in matches and j not in matches.values():
            matches[i] = j
    rows = []
    for i, j in matches.items():
        one, true = found.iloc[i], catalogue.iloc[j]
        metres, _, _ = gps2dist_azimuth(
            true["source_latitude_deg"], true["source_longitude_deg"], one.latitude, one.longitude
        )
        rows.append((metres / 1e3, one.depth_km - true["source_depth_km"], one.uncertainty_km))
    km, depth, uncertainty = np.transpose(rows)
    extra = found.iloc[[i for i in range(len(found)) if i not in matches]]
    return {
        "catalogued_events": len(catalogue),
        "found_events": len(found),
        "found_and_catalogued": len(matches),
        "epicentre_error_km": {
            "median": round(np.median(km), 2),
            "p90": round(np.quantile(km, 0.9), 2),
        },
        "depth_error_km_median": round(np.nanmedian(depth), 1),
        "within_stated_uncertainty": int((km <= uncertainty).sum()),
        "not_catalogued": {
            "all": len(extra),
            "at_edge": int(extra["at_edge"].sum()),
            "gap_above_270": int((extra["azimuthal_gap"] > 270).sum()),
            "uncertainty_above_4_km": int((extra["uncertainty_km"] > 4).sum()),
        },
    }


if __name__ == "__main__":
    main()
