"""
Are the answers on real records the same before and after a change?

    python -m benchmarks.quality.same_answers dump before.json --data DATA
    python -m benchmarks.quality.same_answers dump after.json --data DATA
    python -m benchmarks.quality.same_answers compare before.json after.json --purpose CHANGES

``dump`` runs the package that Python finds, by its public names only, on some records of each set
and on continuous data: annotations, picks, the four estimates at P, ``seisbench-llm pick``, the
monitor's tables and catalogue, an archive run of two stations and two days, and a live replay.
``compare`` wants times, ids and words to be equal, and numbers to differ by no more than a
tolerance. It prints how many values were compared, and exits with 1 if any differ that are not
meant to: CHANGES maps a pattern of SECTION/NAME: COLUMN to the reason.

The committed result compares 0.1 with 0.2, both with the weights of 0.1, whose folder
``seisbench_llm/pretrained`` was copied over that of a checkout of 0.2.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench.data as sbd
import torch
from seisbench.util import Pick

from seisbench_llm import SeisMoLLM
from seisbench_llm.archive import merge, run
from seisbench_llm.monitor import SeismicMonitor

RELATIVE, ABSOLUTE = 1e-4, 1e-6
TASKS = ("polarity", "magnitude", "distance", "back_azimuth")
# Columns that hold the time of the run or of the machine.
NOT_COMPARED = {"latency", "data_latency", "id"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("dump", help="Write the answers of the package as JSON.")
    one.add_argument("file", type=Path)
    one.add_argument("--data", type=Path, required=True, help="Folder of the record sets.")
    one.add_argument("--per-set", type=int, default=5, help="Records of each set.")
    two = commands.add_parser("compare", help="Compare two files of dump.")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    two.add_argument("--relative", type=float, default=RELATIVE, help="Of numbers.")
    two.add_argument("--absolute", type=float, default=ABSOLUTE, help="Of numbers.")
    two.add_argument("--shown", type=int, default=5, help="Differences printed of each section.")
    two.add_argument("--purpose", type=Path, help="JSON: what is meant to differ, and why.")
    two.add_argument("--out", type=Path, help="File for the counts.")
    arguments = parser.parse_args()
    if arguments.command == "dump":
        torch.set_num_threads(1)
        answers = dump(arguments.data, arguments.per_set)
        arguments.file.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
        print({section: len(rows) for section, rows in answers.items()})
    else:
        before, after = (json.loads(f.read_text()) for f in (arguments.before, arguments.after))
        purpose = json.loads(arguments.purpose.read_text()) if arguments.purpose else None
        tolerances = arguments.relative, arguments.absolute
        sys.exit(compare(before, after, *tolerances, arguments.shown, purpose, arguments.out))


def dump(data: Path, per_set: int) -> dict[str, dict[str, dict]]:
    """Section -> name of a row, which holds its time and id -> column -> value."""
    answers: dict[str, dict] = {}
    records = list(chosen_records(data, per_set))
    picker = SeisMoLLM.from_pretrained("compact_picking")
    answers["annotations"], answers["picks"] = {}, {}
    for name, stream, _ in records:
        answers["annotations"].update(annotations_of(name, picker.annotate(stream)))
        answers["picks"].update(picks_of(name, picker.classify(stream).picks))
    for task in TASKS:
        model = SeisMoLLM.from_pretrained(f"compact_{task}")
        answers[task] = {}
        for name, stream, onset in records:
            if onset is not None:
                answers[task].update(estimates_of(name, model.classify(stream, picks=[onset])))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        answers["command pick"] = command_pick(data, scratch)
        answers.update(monitored(data))
        answers["archive"] = archived(data, scratch)
        answers["live"] = live(data, scratch)
    return answers


def chosen_records(data: Path, per_set: int):
    """Name, stream and P of records spread over each set."""
    for folder in sorted(file.parent for file in data.glob("*/metadata.csv")):
        records = sbd.WaveformDataset(folder, component_order="ZNE", cache=None)
        for i in np.linspace(0, len(records) - 1, per_set).round().astype(int):
            row = records.metadata.iloc[i]
            available = row.get("trace_components_available")
            available = available if isinstance(available, str) else "ZNE"
            header = {
                "network": "XX",
                "station": "STA",
                "sampling_rate": row.trace_sampling_rate_hz,
            }
            stream = obspy.Stream(
                obspy.Trace(samples.copy(), {**header, "channel": f"HH{component}"})
                for component, samples in zip(
                    "ZNE", records.get_waveforms(i)[:, : int(row.trace_npts)], strict=True
                )
                if component in available
            )
            sample, onset = row.get("trace_p_arrival_sample"), None
            if sample is not None and not math.isnan(sample):
                time = obspy.UTCDateTime(0) + sample / row.trace_sampling_rate_hz
                onset = Pick("XX.STA.", time, time, time, 1.0, "P")
            yield f"{folder.name}/{i}", stream, onset


def annotations_of(name: str, annotations: obspy.Stream) -> dict[str, dict]:
    rows = {}
    for trace in annotations:
        start = trace.stats.starttime
        rows[f"{name} {trace.id} {start}"] = {
            "samples": trace.stats.npts,
            "rate": trace.stats.sampling_rate,
            "mean": float(np.nanmean(trace.data)),
            "maximum": float(np.nanmax(trace.data)),
            "at": int(np.nanargmax(trace.data)),
            "every 101st": [float(value) for value in np.nan_to_num(trace.data[::101], nan=-1)],
        }
    return rows


def picks_of(name: str, picks) -> dict[str, dict]:
    return {
        f"{name} {pick.trace_id} {pick.phase} {pick.peak_time}": {
            "start": str(pick.start_time),
            "end": str(pick.end_time),
            "probability": pick.peak_value,
        }
        for pick in picks
    }


def estimates_of(name: str, output) -> dict[str, dict]:
    rows = {
        f"{name} {estimate.trace_id} {estimate.time}": {
            "value": estimate.value,
            "spread": estimate.spread,
        }
        for estimate in output.estimates
    }
    for pick in output.picks:
        rows[f"{name} pick {pick.peak_time}"] = {"polarity": getattr(pick, "polarity", None)}
    return rows


def ridgecrest(data: Path, minutes: float) -> obspy.Stream:
    """Aftershocks at two stations, in the integers of the instruments."""
    stream = obspy.read(str(data / "continuous" / "ridgecrest_pb" / "*.mseed"))
    stations = sorted({trace.stats.station for trace in stream})[:2]
    stream = sum((stream.select(station=station) for station in stations), obspy.Stream())
    start = max(trace.stats.starttime for trace in stream)
    return stream.slice(start, start + 60 * minutes)


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "seisbench_llm", *arguments],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr[-2000:]}")
    return done.stdout


def json_lines(text: str, *names: str) -> dict[str, dict]:
    """Rows by the values of these columns."""
    lines = [json.loads(line) for line in text.splitlines() if line]
    return {
        " ".join(str(line[name]) for name in names): {
            column: value for column, value in line.items() if column not in NOT_COMPARED
        }
        for line in lines
    }


def command_pick(data: Path, scratch: Path) -> dict[str, dict]:
    """Files of ten minutes, all at once, by the command line."""
    folder = scratch / "files"
    folder.mkdir()
    for trace in ridgecrest(data, 10):
        trace.write(str(folder / f"{trace.id}.mseed"), format="MSEED")
    return json_lines(command("pick", str(folder), "--json"), "trace_id", "phase", "time")


def live(data: Path, scratch: Path) -> dict[str, dict]:
    """A replay of five minutes, as fast as possible, by the command line."""
    file = scratch / "live.mseed"
    ridgecrest(data, 5).write(str(file), format="MSEED")
    text = command("live", "--replay", str(file), "--speed", "0", "--quiet")
    return json_lines(text, "status", "trace_id", "phase", "time")


def monitored(data: Path) -> dict[str, dict[str, dict]]:
    """Picks, tables and catalogue of a swarm at twelve stations."""
    records = pd.read_csv(data / "quakemigrate_iceland" / "metadata.csv")
    first = records.drop_duplicates("station_code")
    stations = pd.DataFrame(
        {
            "id": first["station_network_code"] + "." + first["station_code"],
            "latitude": first["station_latitude_deg"],
            "longitude": first["station_longitude_deg"],
        }
    )
    stream = obspy.read(str(data / "continuous" / "quakemigrate_iceland" / "*.mseed"))
    result = SeismicMonitor.from_pretrained("compact").classify(stream, stations)
    names = [f"{p.trace_id} {p.phase} {p.peak_time}" for p in result.picks]
    arrivals = result.arrivals.assign(name=[names[i] for i in result.arrivals["pick"]])
    return {
        "monitor picks": picks_of("", result.picks),
        "monitor table": rows_of(result.table, "trace_id", "p_time"),
        "monitor events": rows_of(result.events, "event_id"),
        "monitor arrivals": rows_of(arrivals.drop(columns="pick"), "event_id", "name"),
        "monitor catalogue": catalogued(result.to_catalog()),
    }


def catalogued(catalog: obspy.Catalog) -> dict[str, dict]:
    rows = {}
    for event in catalog:
        name = str(event.resource_id)
        rows[name] = {
            "picks": len(event.picks),
            "comments": [comment.text for comment in event.comments],
            "magnitudes": [magnitude.mag for magnitude in event.magnitudes],
        }
        for origin in event.origins:
            rows[str(origin.resource_id)] = {
                "time": str(origin.time),
                **{part: origin[part] for part in ("latitude", "longitude", "depth")},
                "arrivals": len(origin.arrivals),
            }
        for pick in event.picks:
            rows[str(pick.resource_id)] = {
                "time": str(pick.time),
                "phase": pick.phase_hint,
                "waveform": pick.waveform_id.get_seed_string(),
                "polarity": pick.polarity,
                "comments": [comment.text for comment in pick.comments],
            }
    return rows


def archived(data: Path, scratch: Path) -> dict[str, dict]:
    """Half an hour at each of two stations, on both sides of a midnight."""
    stream = obspy.read(str(data / "continuous" / "iquique_cx" / "*_12h.mseed"))
    start = min(trace.stats.starttime for trace in stream)
    stream = stream.slice(start + 3600, start + 3600 + 1800)
    day = obspy.UTCDateTime(2020, 1, 2)
    for trace in stream:
        trace.stats.starttime += day - 900 - (start + 3600)
        before = trace.slice(endtime=day - trace.stats.delta / 2, nearest_sample=False)
        after = trace.slice(day - trace.stats.delta / 2, nearest_sample=False)
        for part in (before, after):
            stats = part.stats
            file = scratch / "sds" / str(stats.starttime.year) / stats.network / stats.station
            file = file / f"{stats.channel}.D"
            file.mkdir(parents=True, exist_ok=True)
            end = f"D.{stats.starttime.year}.{stats.starttime.julday:03d}"
            part.write(str(file / f"{part.id}.{end}"), format="MSEED")
    out = scratch / "archive"
    stations = sorted({f"{t.stats.network}.{t.stats.station}" for t in stream})
    result = run(f"sds://{scratch / 'sds'}", out, "2020-01-01", "2020-01-03", stations, workers=1)
    merge(out, scratch / "archive.parquet")
    rows = rows_of(pd.read_parquet(scratch / "archive.parquet"), "trace_id", "phase", "time")
    # A dictionary in version 0.1.
    result = result if isinstance(result, dict) else vars(result)
    counts = {name: result[name] for name in ("planned", "done", "empty", "failed")}
    return {"station-days": counts, **rows}


def rows_of(table: pd.DataFrame, *names: str) -> dict[str, dict]:
    """Rows of a table by the values of these columns."""
    rows = json.loads(table.to_json(orient="records", date_format="iso", date_unit="us"))
    return {
        " ".join(str(row[name]) for name in names): {
            column: value for column, value in row.items() if column not in NOT_COMPARED
        }
        for row in rows
    }


def compare(
    before: dict,
    after: dict,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
    shown: int = 5,
    purpose: dict[str, str] | None = None,
    out: Path | None = None,
) -> int:
    """
    Print how two dumps differ.

    :param purpose: Pattern of ``SECTION/NAME: COLUMN`` -> why it is meant to differ.
    :param out: File for the counts.
    :return: 1 if anything differs that is not meant to.
    """
    sections, meant, failed = {}, Counter(), False
    for section in sorted(before.keys() | after.keys()):
        counts, faults = differences(
            before.get(section, {}), after.get(section, {}), relative, absolute
        )
        unmeant = []
        for name, column, text in faults:
            reason = reason_of(f"{section}/{name}: {column}", purpose or {})
            if reason is None:
                unmeant.append(f"{name}: {text}"[:300])
            else:
                meant[reason] += 1
        failed |= bool(unmeant)
        sections[section] = {**counts, "differences": len(faults), "not on purpose": len(unmeant)}
        print(
            section,
            ", ".join(f"{value:.3g} {name}" for name, value in sections[section].items()),
            sep=": ",
        )
        for fault in unmeant[:shown]:
            print(f"  {fault}")
    for reason, count in meant.most_common():
        print(f"{count} on purpose: {reason}")
    if out is not None:
        content = {"sections": sections, "on purpose": dict(meant.most_common())}
        out.write_text(json.dumps(content, indent=1) + "\n")
    return int(failed)


def reason_of(place: str, purpose: dict[str, str]) -> str | None:
    """The reason of the first pattern that a place fits."""
    return next((why for pattern, why in purpose.items() if fnmatchcase(place, pattern)), None)


def differences(
    old: dict, new: dict, relative: float, absolute: float
) -> tuple[dict[str, float], list[tuple[str, str, str]]]:
    """Numbers of rows and values compared; name, column and text of each difference."""
    faults = [(name, "only before", "only before") for name in old if name not in new]
    faults += [(name, "only after", "only after") for name in new if name not in old]
    common = sorted(old.keys() & new.keys())
    values, largest = 0, 0.0
    for name in common:
        for column in sorted(old[name].keys() | new[name].keys()):
            if column not in new[name] or column not in old[name]:
                where = "before" if column in old[name] else "after"
                faults.append((name, column, f"column '{column}' only {where}"))
                continue
            pair = old[name][column], new[name][column]
            count, difference, equal = differ(*pair, relative, absolute)
            values += count
            largest = max(largest, difference)
            if not equal:
                faults.append((name, column, f"{column}: {pair[0]} -> {pair[1]}"))
    return {"rows": len(common), "values": values, "largest difference": largest}, faults


def differ(one, two, relative: float, absolute: float) -> tuple[int, float, bool]:
    """Number of values, their largest difference, and whether they are equal."""
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        parts = [differ(*pair, relative, absolute) for pair in zip(one, two, strict=True)]
        return (
            sum(part[0] for part in parts),
            max((part[1] for part in parts), default=0.0),
            all(part[2] for part in parts),
        )
    if isinstance(one, float) and isinstance(two, int | float):
        if math.isnan(one) or math.isnan(two):
            return 1, 0.0, math.isnan(one) and math.isnan(two)
        return 1, abs(one - two), math.isclose(one, two, rel_tol=relative, abs_tol=absolute)
    return 1, 0.0, one == two


if __name__ == "__main__":
    main()
