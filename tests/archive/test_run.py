import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import obspy
import pandas as pd
import psutil
import pytest

from seisbench_llm import archive
from seisbench_llm.archive import status
from seisbench_llm.archive import store as archive_store
from seisbench_llm.archive.files import SDS
from tests.helpers.archive_stub import (
    EXPECTED,
    FIRST,
    SECOND_DAY,
    Spikes,
    contents,
    file_of,
    garble,
    merged,
    run_stub,
    times,
)

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_finished_run_does_nothing(undisturbed, original, scheduler):
    before = {p: p.stat().st_mtime_ns for p in undisturbed.glob("*/*/*")}
    assert run_stub(original, undisturbed, scheduler=scheduler).new == 0
    assert {p: p.stat().st_mtime_ns for p in undisturbed.glob("*/*/*")} == before


@contextmanager
def stub_process(sds, out, **environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.archive_stub", str(sds), str(out)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


# Starts four processes that import much, which takes minutes where cores are taken.
@pytest.mark.timeout(1200)
def test_killed_client_and_killed_worker(original, undisturbed, tmp_path):
    out = tmp_path / "out"
    with stub_process(original, out, STUB_DELAY="0.6") as process:
        deadline = time.monotonic() + 240
        while len(list(out.glob("manifest/*/*.json"))) < 2:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        # Or it might finish meanwhile.
        workers = psutil.Process(process.pid).children(recursive=True)
        for worker in workers:
            worker.suspend()
        with pytest.raises(OSError, match="Another run is writing"):
            run_stub(original, out, workers=1)
        assert status(out).running
    for worker in workers:
        worker.resume()
    finished = status(out).counts["done"]
    assert 2 <= finished < 6 and workers
    assert not psutil.wait_procs(workers, timeout=60)[1]

    mark = tmp_path / "died"
    # Dask's own limit, which no worker keeps to.
    limit = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "0.1s"}
    with stub_process(original, out, STUB_DIE=str(mark), **limit) as process:
        assert process.wait(timeout=600) == 0
    assert mark.exists()
    assert contents(out) == contents(undisturbed)


def test_killed_between_any_two_files(original, undisturbed, scheduler, tmp_path, monkeypatch):
    for writes in range(3, 6):
        out, left = tmp_path / str(writes), iter(range(writes))

        def replace(*files, left=left, rename=os.replace):
            if next(left, None) is None:
                raise OSError("power cut")
            rename(*files)

        with monkeypatch.context() as patch:
            patch.setattr(archive_store.os, "replace", replace)
            with pytest.raises(OSError, match="power cut"):
                run_stub(original, out, scheduler=scheduler)
        run_stub(original, out, scheduler=scheduler)
        assert contents(out) == contents(undisturbed)


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1000])


def change_rate(file):
    stream = obspy.read(file)
    half = stream[0].stats.starttime + 43200
    stream = stream.slice(endtime=half) + stream.slice(half + 1)
    stream[1].stats.sampling_rate = 40
    stream.write(file, format="MSEED")


def slow_down(file):
    stream = obspy.read(file)
    stream[0].stats.sampling_rate = 1
    stream.trim(endtime=stream[0].stats.starttime + 80000).write(file, format="MSEED")


@pytest.mark.parametrize(
    "damage, message",
    [
        (truncate, "truncated"),
        (garble, "cannot be read"),
        (change_rate, "40 Hz, the rest of the day 20 Hz"),
        (slow_down, "1 Hz; at least 10 Hz"),
    ],
)
def test_bad_file_costs_its_day(damage, message, original, sds, undisturbed, scheduler, tmp_path):
    bad = file_of(sds, "ONE", 1)
    damage(bad)
    out = tmp_path / "out"
    result = run_stub(sds, out, scheduler=scheduler)
    assert (result.done, result.failed) == (5, 1)
    (failure,) = status(out).failures
    assert (failure["station"], failure["day"]) == ("XX.ONE..BH", "2020-01-01")
    assert failure["file"] == str(bad) and message in failure["message"]
    others = [pick for pick in EXPECTED if pick[1] == "XX.TWO." or pick[0].date != SECOND_DAY]
    assert times(merged(out)) == others

    assert run_stub(sds, out, scheduler=scheduler).new == 0
    shutil.copy(file_of(original, "ONE", 1), bad)
    result = run_stub(sds, out, scheduler=scheduler, retry_failed=True)
    assert (result.new, result.failed) == (1, 0)
    assert contents(out)[0] == contents(undisturbed)[0]


def contradict(file):
    """Two samples of overlap that differ; a clock that is set back by them."""
    trace = obspy.read(file)[0]
    middle = trace.stats.starttime + 40_000
    first, second = trace.slice(endtime=middle), trace.slice(middle + trace.stats.delta)
    second.stats.starttime -= 2 * trace.stats.delta
    obspy.Stream([first, second]).write(file, format="MSEED")


def drift(file):
    """A digitiser that tells its rate anew in each hour."""
    trace = obspy.read(file)[0]
    middle = trace.stats.starttime + 40_000
    first, second = trace.slice(endtime=middle), trace.slice(middle + trace.stats.delta)
    first.stats.sampling_rate, second.stats.sampling_rate = 20.000001, 19.999999
    obspy.Stream([first, second]).write(file, format="MSEED")


def test_coverage_tells_what_was_used(sds, scheduler, tmp_path):
    contradict(file_of(sds, "ONE", 1))
    drift(file_of(sds, "TWO", 1))
    result = run_stub(sds, tmp_path / "out", scheduler=scheduler)
    assert (result.done, result.failed) == (6, 0)
    store = archive_store.Store(tmp_path / "out")
    manifest = store.manifest("2020-01-01", "XX.ONE..BH", "done")
    assert manifest["n_gaps"] == 2 and 1e-6 < 1 - manifest["coverage"] < 4e-6
    assert manifest["channels"]["BHZ"] < 1
    (skipped,) = manifest["skipped"]
    assert skipped["trace_id"] == "XX.ONE..BHZ" and "contradict each other" in skipped["cause"]
    assert manifest["n_skipped"] == 1
    assert manifest["skipped_causes"] == {skipped["cause"]: 1}
    start, end = (obspy.UTCDateTime(skipped[name]) for name in ("start", "end"))
    assert abs(start - (FIRST + 86400 + 40_000)) < 0.1 and 0.05 <= end - start < 0.06
    assert store.manifest("2020-01-01", "XX.TWO..BH", "done")["coverage"] > 0.999
    # Behind the clock's step, all of them are 0.1 s early.
    table = times(merged(tmp_path / "out"))
    assert len(table) == len(EXPECTED)
    assert max(abs(a[0] - b[0]) for a, b in zip(table, EXPECTED, strict=True)) < 0.11


def test_neighbours_of_a_bad_file_say_so(sds, scheduler, tmp_path):
    garble(file_of(sds, "ONE", 1))
    run_stub(sds, tmp_path / "out", scheduler=scheduler)
    manifest = tmp_path / "out/manifest/day=2019-12-31/XX.ONE..BH.done.json"
    assert "Neighbouring day left out" in json.loads(manifest.read_text())["warnings"][0]


def test_day_without_data_is_empty(sds, scheduler, tmp_path):
    file_of(sds, "TWO", 1).unlink()
    result = run_stub(sds, tmp_path / "out", scheduler=scheduler)
    assert (result.done, result.empty) == (5, 1)
    manifest = tmp_path / "out/manifest/day=2020-01-01/XX.TWO..BH.empty.json"
    manifest = json.loads(manifest.read_text())
    assert manifest["coverage"] == 0 and manifest["n_gaps"] == 1


def test_archive_that_vanishes_ends_the_run(sds, scheduler, tmp_path, monkeypatch):
    listed = SDS.channels

    def vanish(self, *args):
        found = listed(self, *args)
        shutil.rmtree(self.root)
        return found

    monkeypatch.setattr(SDS, "channels", vanish)
    with pytest.raises(OSError, match="not mounted"):
        run_stub(sds, tmp_path / "out", scheduler=scheduler)
    assert not list((tmp_path / "out").glob("manifest/*/*"))


def test_worker_with_other_weights_ends_the_run(original, scheduler, tmp_path, monkeypatch):
    made = []

    def initialise(self, weights, inherited=Spikes.__init__, **arguments):
        inherited(self, weights, **arguments)
        made.append(self)
        self.identity["sha256"] = str(len(made))

    monkeypatch.setattr(Spikes, "__init__", initialise)
    with pytest.raises(ValueError, match="has other weights"):
        run_stub(original, tmp_path / "out", scheduler=scheduler)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"start": "2020-01-02T12:00"}, "not a whole day"),
        ({"start": "abc"}, "'abc' is not a day. Pass one such as"),
        ({"end": ""}, "'' is not a day"),
        ({"memory": "1kB"}, "memory=1kB is less than the 500 MB"),
        ({"memory": "much"}, "memory=much is not a size"),
        ({"start": "2020-01-04", "end": "2020-01-04"}, "is not after the start"),
        ({"archive": "ftp://x"}, "is not an archive"),
        ({"archive": "/no/such/folder"}, "is not a folder"),
        ({"workers": 1, "scheduler": "tcp://x"}, "either workers or scheduler"),
    ],
)
def test_impossible_arguments(change, message, original, tmp_path):
    arguments = {"archive": str(original), "out": tmp_path, "stations": ["XX.*"]}
    arguments |= {
        "start": "2020-01-01",
        "end": "2020-01-02",
        "processor": "tests.helpers.archive_stub:Spikes",
    }
    with pytest.raises((ValueError, OSError), match=message):
        archive.run(**{**arguments, **change})


def test_components_are_rotated_by_the_stations_of_the_run(original, scheduler, tmp_path):
    """One of two verticals points down, so that its spikes are none."""
    down = pd.DataFrame(
        {
            "id": ["XX.ONE..BHZ", "XX.TWO..BHZ"],
            "latitude": 50.0,
            "longitude": 10.0,
            "azimuth": 0.0,
            "dip": [90.0, -90.0],
        }
    )
    out, up = tmp_path / "out", down.assign(dip=-90.0)
    run_stub(original, out, scheduler=scheduler, inventory=down)
    assert times(merged(out)) == [entry for entry in EXPECTED if entry[1] == "XX.TWO."]
    with pytest.raises(archive_store.ConfigurationError, match="other stations"):
        run_stub(original, out, scheduler=scheduler, inventory=up)
    up.to_csv(tmp_path / "up.csv", index=False)
    run_stub(original, tmp_path / "up", scheduler=scheduler, inventory=tmp_path / "up.csv")
    assert times(merged(tmp_path / "up")) == EXPECTED
    result = run_stub(original, tmp_path / "up", scheduler=scheduler, inventory=up)
    assert result.new == 0
    with pytest.raises(archive_store.ConfigurationError, match="inventory was '.*' and is None"):
        run_stub(original, tmp_path / "up", scheduler=scheduler)
