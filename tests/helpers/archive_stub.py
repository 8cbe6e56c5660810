"""A processor without a model, a small archive with known answers, and a run to be killed."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
from seisbench.util import Pick

from seisbench_llm import archive
from seisbench_llm.export.tables import picks_to_dataframe

STUB = "tests.helpers.archive_stub:Spikes"
FIRST = obspy.UTCDateTime(2019, 12, 31)
DAYS = 3
SECOND_DAY = (FIRST + 86400).date
# Seconds after FIRST: at, before and after midnights, at the very start and end, and inside.
SPIKES = (0, 30_000.25, 86_399.95, 86_400, 86_400.05, 100_000, 172_799.95, 172_800.5, 259_199.95)


class Spikes:
    """Picks samples of 1000; what else it does, environment variables of the worker say."""

    step, bridge, padding, lowest_rate = 15.04, 60.0, 100.0, 10.0

    def __init__(self, weights, **arguments):
        self.identity = {"weights": weights, "sha256": "0" * 64, "version": "1"}

    def __call__(self, stream):
        time.sleep(float(os.environ.get("STUB_DELAY", "0")))
        station, _, day = os.environ.get("STUB_MEMORY", "").partition(":")
        middle = (
            stream[0].stats.starttime + (stream[0].stats.endtime - stream[0].stats.starttime) / 2
        )
        if station and stream[0].id.startswith(f"{station}.") and str(middle.date) == day:
            # Until Dask ends this process.
            held = [bytes(b"\1" * 2**25) for _ in range(100) if not time.sleep(0.05)]
            raise RuntimeError(f"{len(held)} times 32 MB were there")
        mark = os.environ.get("STUB_DIE")
        if mark and not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        picks = []
        for trace in stream.select(component="Z"):
            for index in np.flatnonzero(trace.data > 500):
                time_ = trace.stats.starttime + index * trace.stats.delta
                place, height = trace.id.rpartition(".")[0], float(trace.data[index])
                picks.append(Pick(place, time_, time_, time_, peak_value=height, phase="P"))
        return {"picks": picks_to_dataframe(picks)}


def write_sds(stream, root):
    """Write a stream as SDS, cut at midnights."""
    for trace in stream:
        stats, day = trace.stats, obspy.UTCDateTime(trace.stats.starttime.date)
        while day <= stats.endtime:
            part = trace.slice(day, day + 86400 - stats.delta / 2, nearest_sample=False)
            name = f"{trace.id}.D.{day.year}.{day.julday:03d}"
            folder = f"{day.year}/{stats.network}/{stats.station}/{stats.channel}.D"
            file = Path(root) / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if part.stats.npts:
                with open(file, "ab") as output:
                    part.write(output, format="MSEED")
            day += 86400


def spiky_stream(stations=("ONE", "TWO"), days=DAYS):
    """Small integers with spikes; every later station has its spikes a second later."""
    stream = obspy.Stream()
    for shift, station in enumerate(stations):
        data = (np.arange(days * 86400 * 20) % 7).astype("int32")
        for seconds in SPIKES:
            if seconds + shift < days * 86400:
                data[round((seconds + shift) * 20)] = 1000
        header = {"network": "XX", "station": station, "channel": "BHZ", "sampling_rate": 20.0}
        stream.append(obspy.Trace(data, {**header, "starttime": FIRST}))
    return stream


def run_stub(root, out, **kwargs):
    """Run the stub over all days of an archive."""
    end = FIRST + DAYS * 86400
    return archive.run(
        str(root), out, FIRST.date, end.date, ["XX.*"], "stub", processor=STUB, **kwargs
    )


EXPECTED = sorted(
    (FIRST + seconds + shift, name)
    for shift, name in enumerate(("XX.ONE.", "XX.TWO."))
    for seconds in SPIKES
    if seconds + shift < DAYS * 86400
)


def merged(out):
    archive.merge(out, out / "merged.parquet")
    return pd.read_parquet(out / "merged.parquet")


def times(table):
    return [
        (obspy.UTCDateTime(t), name) for t, name in zip(table.time, table.trace_id, strict=True)
    ]


def contents(out):
    """All tables, byte by byte, and all manifests but for what depends on the clock and place."""
    tables = {p.relative_to(out): p.read_bytes() for p in out.glob("picks/*/*.parquet")}
    manifests = {p.relative_to(out): json.loads(p.read_text()) for p in out.glob("manifest/*/XX*")}
    for manifest in manifests.values():
        del manifest["seconds"]
    assert tables and manifests
    return tables, manifests


def file_of(sds, station, day):
    return next(sds.glob(f"*/XX/{station}/*/*.{(FIRST + 86400 * day).strftime('%Y.%j')}"))


def garble(file):
    file.write_bytes(np.random.default_rng(0).bytes(8192))


if __name__ == "__main__":
    run_stub(sys.argv[1], sys.argv[2], workers=1)
