"""
Do the 68 % regions of located events hold 68 % of the true epicentres, with few stations, too?

    python -m benchmarks.quality.locations --data DATA

Events of known place are located from the picks of 3, 4, 6 and 12 of their stations, drawn at
random, each with all of its P and S:

synthetic networks
    Stations at random, travel times in media that the locator does not know (layers, vp/vs and
    each station's near surface are drawn anew for each network), errors of picks and, now and then,
    a wrong pick.
Ridgecrest
    Refined picks at four boreholes, places of the catalogue of the Southern California Seismic
    Network. With the synthetic networks, it is what ``ErrorModel`` was chosen on.
Iceland
    Automatic picks and places of QuakeMigrate, a swarm in a dyke at twelve stations. Once with the
    default medium, and once with one of that region. It is not fully independent: the prior of
    depth and the choice of its picks were changed after its first figures had been seen.

New Zealand
    Analysts' picks and places on the Alpine Fault (EQcorrscan's test data), located by SEISAN with
    all of the picks. Nothing was chosen on it.

A share that is right lies within its limits (95 %, by drawing events anew). A common factor of all
errors, to be estimated with each event, was tried: regions and errors became worse on networks with
other seeds, and in New Zealand some shares became better and some worse.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from seisbench_llm.monitor.hypocentre import locate, make_locator
from seisbench_llm.monitor.location import import_geod
from seisbench_llm.monitor.posterior import ErrorModel
from seisbench_llm.monitor.quality import quality_class
from seisbench_llm.monitor.velocity import VelocityModel
from seisbench_llm.stations import Station

RESULTS = Path(__file__).parents[1] / "results" / "locations.json"
COUNTS = (3, 4, 6, 12)
# Uncertainty in s of picks that do not tell one: of the packaged picker on clear records.
PICK = 0.1

# In m: of QuakeMigrate's example (Volcanotectonic_Iceland), of PAL's example of Ridgecrest, and of
# the STATION0.HYP of EQcorrscan's test data.
_METRES = """
    DYJN 1381 DYJS 1372 DYSA 688 FJAS 798 FLUR 838 HRIM 849 KVER 829 LIND 726 NOHR 826 RIFR 657
    SOSU 805 TOHR 715 B916 1859 B917 1192 B918 1042 B921 694 EORO 233 FRAN 129 GCSZ 210 LABE 1590
    MTFO 1216 WHYM 906 WV01 88 WV02 96 WV03 97 WV04 105 WZ02 194 WZ04 73 WZ10 89 WZ11 34 WZ14 1499
    WZ16 267 WZ20 1194 WZ21 52
"""
ELEVATIONS = dict(
    zip(_METRES.split()[::2], [float(metres) for metres in _METRES.split()[1::2]], strict=True)
)

# Askja, Iceland: Greenfield, White and Roecker (2016), doi:10.1002/2016JB013163, as in
# QuakeMigrate's example.
ASKJA = VelocityModel.read(
    pd.DataFrame(
        [
            *((-2.0, 3.18, 1.85), (-1.0, 3.23, 1.87), (0.0, 3.47, 2.01), (0.5, 3.63, 2.09)),
            *((1.0, 3.80, 2.19), (1.5, 3.96, 2.28), (2.0, 4.80, 2.76), (2.5, 5.07, 2.91)),
            *((3.0, 5.29, 3.03), (3.5, 5.86, 3.35), (4.0, 6.01, 3.43), (4.5, 6.18, 3.53)),
            *((5.0, 6.36, 3.62), (6.0, 6.49, 3.69), (8.0, 6.57, 3.71), (10.0, 6.67, 3.74)),
            *((16.0, 6.76, 3.80), (20.0, 6.89, 3.87)),
        ],
        columns=["depth", "vp", "vs"],
    )
)

# The Alpine Fault: of the same STATION0.HYP.
ALPINE = VelocityModel(
    (-9.0, 5.0, 35.0, 48.0),
    (5.5, 6.0, 6.8, 8.0),
    tuple(v / 1.7 for v in (5.5, 6.0, 6.8, 8.0)),
    "Alpine Fault",
)
# Set -> the medium of its region.
OWN = {"iceland": ASKJA, "new zealand": ALPINE}


@dataclass(frozen=True)
class Known:
    """
    An event of known place.

    :param picks: Station code, phase, time in s and uncertainty in s of each pick.
    """

    name: str
    latitude: float
    longitude: float
    depth: float
    stations: dict[str, Station]
    picks: list[tuple[str, str, float, float]]


def synthetic(rng: np.random.Generator, count: int, events: int) -> list[Known]:
    """
    Events of one network, in a medium of its own.

    :param count: Number of stations, at 3 to 40 km from the middle; events within 20 km of it.
    """
    geod = import_geod()
    origin = rng.uniform(-180, 180), rng.uniform(-60, 60)
    height = rng.uniform(0, 1500)
    stations, delays = {}, {}
    for index in range(count):
        away = 40 * np.sqrt(rng.uniform(0.005, 1))
        x, y, _ = geod.fwd(*origin, rng.uniform(0, 360), away * 1e3)
        name = f"S{index}"
        stations[name] = Station(y, x, max(height + rng.normal(0, 200), 0.0))
        delay = rng.normal(0, 0.06)
        delays[name] = {"P": delay, "S": 1.7 * delay + rng.normal(0, 0.06)}
    tops = np.cumsum([-9.0, *rng.uniform([9.5, 1, 3, 6, 8], [11, 3, 7, 10, 16])])
    vp = np.array([4.5, 5.3, 5.8, 6.2, 6.5, 8.0]) * (1 + rng.normal(0, 0.04))
    vp = np.sort(vp * (1 + rng.normal(0, 0.04, len(vp))))
    ratio = rng.normal(1.73, 0.03)
    medium = VelocityModel(tuple(tops), tuple(vp), tuple(vp / ratio), "truth")
    known = []
    for number in range(events):
        x, y, _ = geod.fwd(*origin, rng.uniform(0, 360), 20e3 * np.sqrt(rng.uniform()))
        depth, picks = rng.gamma(3.0, 3.0), []
        for name, station in stations.items():
            distance = geod.inv(x, y, station.longitude, station.latitude)[2] / 1e3
            for phase, rate, typical in (("P", 0.95, 0.05), ("S", 0.85, 0.10)):
                if rng.uniform() > rate:
                    continue
                time = medium.times(phase, station.elevation / 1e3, [depth], [distance])[0, 0]
                uncertainty = typical * np.exp(rng.normal(0, 0.4))
                error = rng.normal(0, uncertainty)
                if rng.uniform() < 0.03:
                    error += rng.normal(0, 1.0)
                picks.append((name, phase, time + delays[name][phase] + error, uncertainty))
        known.append(Known(f"{origin} {number}", y, x, depth, stations, picks))
    return known


def ridgecrest(data: Path) -> list[Known]:
    """Events of the Southern California catalogue with refined picks."""
    folder = data / "continuous" / "ridgecrest_pb"
    table = pd.read_csv(folder / "stations.csv")
    stations = {
        row.station: Station(row.latitude, row.longitude, ELEVATIONS[row.station])
        for row in table.itertuples()
    }
    catalogue = pd.read_csv(folder / "catalog_scsn.csv")
    catalogue["time"] = pd.to_datetime(catalogue["time"], utc=True, format="ISO8601")
    picks = pd.read_csv(folder / "picks.csv")
    picks = picks[picks["status"] == "refined"]
    times = pd.to_datetime(picks["event_time"], utc=True, format="ISO8601")
    picks = picks.assign(event=times)
    known = []
    for when, group in picks.groupby("event"):
        near = catalogue.iloc[(catalogue["time"] - when).abs().argmin()]
        if abs((near["time"] - when).total_seconds()) > 0.1:
            continue
        rows = [
            (p.station, p.phase, pd.Timestamp(p.time).timestamp() - when.timestamp(), np.nan)
            for p in group.itertuples()
        ]
        known.append(
            Known(str(when), near["latitude"], near["longitude"], near["depth_km"], stations, rows)
        )
    return known


def iceland(data: Path) -> list[Known]:
    """Events of QuakeMigrate's swarm."""
    records = pd.read_csv(data / "quakemigrate_iceland" / "metadata.csv")
    stations = {
        row.station_code: Station(
            row.station_latitude_deg, row.station_longitude_deg, ELEVATIONS[row.station_code]
        )
        for row in records.drop_duplicates("station_code").itertuples()
    }
    picks = pd.read_csv(data / "continuous" / "quakemigrate_iceland" / "picks.csv")
    groups = dict(list(picks.groupby("event_id")))
    known = []
    for event in records.drop_duplicates("source_id").itertuples():
        start = pd.Timestamp(event.source_origin_time).timestamp()
        rows = [
            (p.station, p.phase, pd.Timestamp(p.time).timestamp() - start, p.pick_error_s)
            for p in groups[event.source_id].itertuples()
        ]
        place = event.source_latitude_deg, event.source_longitude_deg, event.source_depth_km
        known.append(Known(str(event.source_id), *place, stations, rows))
    return known


def new_zealand(data: Path) -> list[Known]:
    """Events of analysts on the Alpine Fault."""
    records = pd.read_csv(data / "eqcorrscan_nz" / "metadata.csv")
    records = records[records["station_code"].isin(ELEVATIONS) & records["source_depth_km"].notna()]
    known = []
    for name, group in records.groupby("source_id"):
        origin, stations, rows = pd.Timestamp(group["source_origin_time"].iloc[0]), {}, []
        for one in group.itertuples():
            code = one.station_code
            place = one.station_latitude_deg, one.station_longitude_deg
            stations[code] = Station(*place, ELEVATIONS[code])
            start = (pd.Timestamp(one.trace_start_time) - origin).total_seconds()
            for phase, sample in (
                ("P", one.trace_p_arrival_sample),
                ("S", one.trace_s_arrival_sample),
            ):
                if np.isfinite(sample):
                    rows.append((code, phase, start + sample / one.trace_sampling_rate_hz, np.nan))
        first = group.iloc[0]
        place = first["source_latitude_deg"], first["source_longitude_deg"]
        known.append(Known(str(name), *place, first["source_depth_km"], stations, rows))
    return known


def subsets(
    known: list[Known], count: int, draws: int, rng: np.random.Generator
) -> Iterator[tuple[Known, list]]:
    """Picks of ``count`` stations of each event, drawn ``draws`` times, if there are enough."""
    for event in known:
        codes = sorted({pick[0] for pick in event.picks})
        if len(codes) < count:
            continue
        drawn = {tuple(sorted(rng.choice(codes, count, replace=False))) for _ in range(draws)}
        for chosen in sorted(drawn):
            picks = [pick for pick in event.picks if pick[0] in chosen]
            if len(picks) >= max(6, 3 * count // 2):
                yield event, picks


def figure(event: Known, picks: list, located: dict) -> dict:
    """How far off one location is, and whether its region and its interval hold the truth."""
    geod = import_geod()
    azimuth, _, metres = geod.inv(
        located["longitude"], located["latitude"], event.longitude, event.latitude
    )
    angle = np.radians(azimuth - located["ellipse_azimuth"])
    along, across = metres / 1e3 * np.array([np.cos(angle), np.sin(angle)])
    square = (along / located["ellipse_major_km"]) ** 2
    square += (across / located["ellipse_minor_km"]) ** 2
    counts = {"picks": len(picks), "stations": len({pick[0] for pick in picks})}
    return {
        "event": event.name,
        "inside": square <= 1,
        "km": metres / 1e3,
        "major": located["ellipse_major_km"],
        "depth_inside": located["depth_low_km"] <= event.depth <= located["depth_high_km"],
        "depth_error": located["depth_km"] - event.depth,
        "resolved": located["depth_resolved"],
        "at_edge": located["at_edge"],
        "quality": quality_class({**located, **counts}),
    }


def measure(
    known: list[Known],
    count: int,
    draws: int,
    rng: np.random.Generator,
    model: VelocityModel,
    errors: ErrorModel | None = None,
) -> pd.DataFrame:
    """A row per event and draw of stations."""
    rows = []
    locators: dict[int, object] = {}
    for event, picks in subsets(known, count, draws, rng):
        key = id(event.stations)
        if key not in locators:
            locators[key] = make_locator(model, list(event.stations.values()), errors)
        codes, phases, times, uncertainties = zip(*picks, strict=True)
        places = [event.stations[code] for code in codes]
        located, _ = locate(locators[key], places, phases, times, uncertainties)
        rows.append(figure(event, picks, located))
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> dict:
    """Figures of one set and one number of stations."""
    rng = np.random.default_rng(0)
    groups = [group["inside"].to_numpy() for _, group in table.groupby("event")]
    drawn = [
        np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]).mean()
        for _ in range(1000)
    ]
    resolved = table[table["resolved"]]
    shares = table["quality"].value_counts(normalize=True)
    values = {
        "locations": len(table),
        "events": table["event"].nunique(),
        "inside": table["inside"].mean(),
        "limits": [round(float(v), 3) for v in np.quantile(drawn, [0.025, 0.975])],
        "error_km": table["km"].median(),
        "error_km_90": table["km"].quantile(0.9),
        "major_km": table["major"].median(),
        "depth_inside": table["depth_inside"].mean(),
        "without_depth": 1 - table["resolved"].mean(),
        "depth_error_km": resolved["depth_error"].abs().median(),
        "depth_bias_km": resolved["depth_error"].median(),
        "at_edge": table["at_edge"].mean(),
        "quality": {name: round(float(shares.get(name, 0.0)), 3) for name in "ABCD"},
    }
    return {k: round(float(v), 3) if isinstance(v, float) else v for k, v in values.items()}


REAL = {"ridgecrest": ridgecrest, "iceland": iceland, "new zealand": new_zealand}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=40, help="of stations per event")
    parser.add_argument("--networks", type=int, default=200, help="synthetic ones per count")
    parser.add_argument("--sets", nargs="+", default=["synthetic", *REAL])
    parser.add_argument("--errors", nargs="*", default=[], help="NAME=VALUE of ErrorModel")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    errors = ErrorModel(**{k: float(v) for k, v in (e.split("=") for e in args.errors)})
    crust = VelocityModel.crust()
    results = json.loads(args.out.read_text()) if args.out.is_file() else {}
    results["errors"] = errors.__dict__
    for name in args.sets:
        media = {name: crust}
        if name in OWN:
            media[f"{name}, its own medium"] = OWN[name]
        for title, model in media.items():
            results[title] = {}
            for count in COUNTS:
                rng = np.random.default_rng(count)
                if name == "synthetic":
                    tables = [
                        measure(synthetic(rng, count, 5), count, 1, rng, model, errors)
                        for _ in range(args.networks)
                    ]
                    table = pd.concat(tables, ignore_index=True)
                    # Those of one network share their medium.
                    table["event"] = table["event"].str.rpartition(" ")[0]
                else:
                    table = measure(REAL[name](args.data), count, args.draws, rng, model, errors)
                if len(table):
                    results[title][str(count)] = found = summary(table)
                    print(title, count, json.dumps(found), flush=True)
                    args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
