import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import obspy
import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

from seisbench_llm import archive
from seisbench_llm.archive import Picker, StationDay, merge, status
from seisbench_llm.archive import store as archive_store
from seisbench_llm.archive.cluster import Cluster, write_failure
from seisbench_llm.archive.files import SDS
from seisbench_llm.cli.archive import archive_app
from tests.helpers.archive_stub import (
    DAYS,
    EXPECTED,
    FIRST,
    Spikes,
    merged,
    run_stub,
    spiky_stream,
    times,
    write_sds,
)
from tests.helpers.models import tiny_model

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")
STATIONS = "XX.ONE..BH", "XX.TWO..BH"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("sds")
    write_sds(spiky_stream(), root)
    return root


@pytest.fixture
def sds(original, tmp_path):
    """An archive of two stations and three days of its own for each test."""
    return shutil.copytree(original, tmp_path / "sds")


@pytest.fixture(scope="module")
def undisturbed(original, scheduler, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    run_stub(original, out, scheduler=scheduler)
    return out


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


def test_every_pick_once_and_on_its_day(undisturbed):
    assert times(merged(undisturbed)) == EXPECTED
    for file in undisturbed.glob("picks/*/*.parquet"):
        table = pd.read_parquet(file, partitioning=None)
        assert len(table) and set(table.time.dt.strftime("day=%Y-%m-%d")) == {file.parent.name}
    assert not list(undisturbed.rglob(".part-*"))


def test_manifest_and_status(undisturbed):
    manifest = json.loads(
        (undisturbed / "manifest/day=2020-01-01/XX.ONE..BH.done.json").read_text()
    )
    assert manifest["coverage"] == 1 and manifest["channels"] == {"BHZ": 1}
    assert manifest["n_picks"] == 4 and manifest["gaps"] == []
    assert manifest["model"]["sha256"] == "0" * 64 and "obspy" in manifest["versions"]
    result = status(undisturbed)
    assert result.counts == {"done": 6, "empty": 0, "failed": 0, "pending": 0}
    assert set(result.stations) == set(STATIONS) and not result.running
    assert result.per_hour > 0


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
@pytest.mark.timeout(600)
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
    with stub_process(original, out, STUB_DIE=str(mark)) as process:
        assert process.wait(timeout=240) == 0
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


def garble(file):
    file.write_bytes(np.random.default_rng(0).bytes(8192))


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
    others = [pick for pick in EXPECTED if pick[1] == "XX.TWO." or pick[0].date != bad_day()]
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
    start, end = (obspy.UTCDateTime(skipped[name]) for name in ("start", "end"))
    assert abs(start - (FIRST + 86400 + 40_000)) < 0.1 and 0.05 <= end - start < 0.06
    assert store.manifest("2020-01-01", "XX.TWO..BH", "done")["coverage"] > 0.999
    # Behind the clock's step, all of them are 0.1 s early.
    table = times(merged(tmp_path / "out"))
    assert len(table) == len(EXPECTED)
    assert max(abs(a[0] - b[0]) for a, b in zip(table, EXPECTED, strict=True)) < 0.11


def bad_day():
    return (FIRST + 86400).date


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


def test_other_configuration_is_refused(undisturbed, original, sds, scheduler):
    with pytest.raises(archive_store.ConfigurationError, match=r"arguments.P_threshold was None"):
        run_stub(original, undisturbed, scheduler=scheduler, arguments={"P_threshold": 0.5})
    with pytest.raises(ValueError, match="archive was .* and is"):
        run_stub(sds, undisturbed, scheduler=scheduler)
    with pytest.raises(ValueError, match="model.weights was 'stub' and is 'other'"):
        archive.run(
            str(original), undisturbed, FIRST.date, bad_day(), ["XX.*"], "other",
            processor="tests.helpers.archive_stub:Spikes", scheduler=scheduler,
        )  # fmt: skip


def test_worker_with_other_weights_ends_the_run(original, scheduler, tmp_path, monkeypatch):
    made = []

    def initialise(self, weights, inherited=Spikes.__init__, **arguments):
        inherited(self, weights, **arguments)
        made.append(self)
        self.identity["sha256"] = str(len(made))

    monkeypatch.setattr(Spikes, "__init__", initialise)
    with pytest.raises(ValueError, match="has other weights"):
        run_stub(original, tmp_path / "out", scheduler=scheduler)


@pytest.mark.parametrize("renamed", archive_store.RENAMED)
def test_run_of_an_older_version_goes_on(renamed, original, undisturbed, scheduler, tmp_path):
    """Runs that were begun when modules had other names, and by a command that gave defaults."""
    out = shutil.copytree(undisturbed, tmp_path / "out")
    store = archive_store.Store(out)
    config = json.loads((out / "config.json").read_text())
    old = {**config, "processor": renamed, "arguments": {"P_threshold": 0.3}}
    (out / "config.json").write_text(json.dumps(old))
    new = {**config, "processor": archive_store.RENAMED[renamed]}
    store.check_config(new, {"P_threshold": 0.3}.get)
    with pytest.raises(archive_store.ConfigurationError, match="P_threshold was 0.3 and is 0.4"):
        store.check_config(new, {"P_threshold": 0.4}.get)
    with pytest.raises(archive_store.ConfigurationError, match="processor was"):
        run_stub(original, out, scheduler=scheduler)


def test_files_of_others_are_passed_over_and_named(undisturbed, original, scheduler, warnings_of,
                                                   tmp_path):  # fmt: skip
    out = shutil.copytree(undisturbed, tmp_path / "out")
    day = out / "manifest/day=2020-01-01"
    for name in (".nfs000000012", ".DS_Store", "notes.txt", "XX.ONE..BH.odd.json"):
        (day / name).touch()
        (out / "manifest" / name).touch()
    (day / b"caf\xe9".decode(errors="surrogateescape")).touch()
    assert status(out).counts == {"done": 6, "empty": 0, "failed": 0, "pending": 0}
    assert run_stub(original, out, scheduler=scheduler).new == 0
    assert merge(out, tmp_path / "all.csv").rows == len(EXPECTED)
    for name in (".nfs000000012", ".DS_Store", "notes.txt", "caf\\udce9"):
        assert f"{name}' is passed over" in warnings_of()


@pytest.mark.parametrize("name", ["config.json", "plan.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"{}"])
def test_damaged_files_of_a_run_are_named(name, content, undisturbed, original, tmp_path):
    out = shutil.copytree(undisturbed, tmp_path / "out")
    (out / name).write_bytes(content)
    with pytest.raises((OSError, ValueError), match=f"{name} is damaged|another configuration"):
        run_stub(original, out) if name == "config.json" else status(out)


def test_a_second_cluster_says_nothing(recwarn):
    for _ in range(2):
        with Cluster(workers=1).connect(1) as first, Cluster(workers=1).connect(1) as second:
            assert first.nthreads() and second.nthreads()
    assert not [str(w.message) for w in recwarn if "Port" in str(w.message)]


def test_workers_that_die_again_and_again_are_a_failure(tmp_path):
    from distributed.scheduler import KilledWorker

    killed = KilledWorker("x", SimpleNamespace(address="tcp://x"), 3)
    store = archive_store.Store(tmp_path)
    station_day = StationDay("XX", "ONE", "", "BH?", "2020-01-01")
    assert write_failure(store, station_day, killed) == "failed"
    assert store.states() == {("2020-01-01", "XX.ONE..BH"): ("failed", 0)}
    assert "more memory" in store.manifest("2020-01-01", "XX.ONE..BH", "failed")["message"]
    with pytest.raises(ZeroDivisionError):
        write_failure(store, station_day, ZeroDivisionError())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_merge(undisturbed, tmp_path, suffix):
    result = merge(undisturbed, tmp_path / f"all{suffix}")
    assert (result.rows, result.pending, result.failed) == (len(EXPECTED), 0, 0)
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    table = read(tmp_path / f"all{suffix}")
    assert times(table) == EXPECTED
    assert set(table.instrument) == {"BH"} and list(tmp_path.iterdir()) == [
        tmp_path / f"all{suffix}"
    ]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_merge_on_a_full_disk_leaves_what_was_there(undisturbed, tmp_path, suffix, monkeypatch):
    to = tmp_path / f"all{suffix}"
    to.write_text("before")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive_store.os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            merge(undisturbed, to)
    assert to.read_text() == "before" and list(tmp_path.iterdir()) == [to]


def test_merge_without_picks(tmp_path):
    with pytest.raises(FileNotFoundError, match="archive run"):
        merge(tmp_path, tmp_path / "all.csv")
    archive_store.Store(tmp_path).write_plan({}, ["XX.ONE..BH"], FIRST.date, bad_day())
    for suffix, read in ((".csv", pd.read_csv), (".parquet", pd.read_parquet)):
        assert merge(tmp_path, tmp_path / f"all{suffix}").pending == 1
        table = read(tmp_path / f"all{suffix}")
        assert {"trace_id", "time", "instrument"} <= set(table) and not len(table)
    with pytest.raises(ValueError, match="no table 'magnitudes'; it has picks"):
        merge(tmp_path, tmp_path / "other.csv", "magnitudes")
    assert not (tmp_path / "other.csv").exists()
    with pytest.raises(ValueError, match="must end with"):
        merge(tmp_path, tmp_path / "all.txt")


def test_folder(scheduler, undisturbed, tmp_path):
    root = tmp_path / "folder"
    root.mkdir()
    for i, trace in enumerate(spiky_stream()):
        cuts = [FIRST - 1, FIRST + 50_000, FIRST + 130_000, FIRST + DAYS * 86400]
        for start, end in itertools.pairwise(cuts):
            part = trace.slice(start, end - 0.03, nearest_sample=False)
            part.write(root / f"{i}_{start.timestamp:.0f}.mseed", format="MSEED")
    garble(root / "nonsense.mseed")
    misnamed = root / b"caf\xe9.mseed".decode(errors="surrogateescape")
    shutil.copy(root / "nonsense.mseed", misnamed)
    # Below the data, where its own files are none of the archive's.
    out = root / "out"
    result = run_stub(root, out, scheduler=scheduler)
    assert contents(out)[0] == contents(undisturbed)[0]
    assert list(result.unreadable) == [str(root.resolve() / "nonsense.mseed"), ascii(str(misnamed))]
    assert "not UTF-8" in result.unreadable[ascii(str(misnamed))]
    misnamed.unlink()

    (out / "index.parquet").write_bytes(b"PAR1 damaged PAR1")
    assert run_stub(root, out, scheduler=scheduler).new == 0
    index = pd.read_parquet(out / "index.parquet")
    assert len(index) == 7 and not index.file.str.startswith("out").any()
    (root / "nonsense.mseed").unlink()
    assert run_stub(root, out, scheduler=scheduler).unreadable == {}


def test_command_line(sds, scheduler, tmp_path):
    tiny_model().save(tmp_path / "tiny")
    invoke = CliRunner().invoke
    out = str(tmp_path / "out")
    arguments = ["run", "--archive", str(sds), "--start", "2020-01-01", "--end", "2020-01-02"]
    arguments += ["--stations", "XX.*", "--out", out, "--scheduler", scheduler]
    arguments += ["--weights", str(tmp_path / "tiny"), "--p-threshold", "0.9"]
    garble(file_of(sds, "ONE", 1))
    file = file_of(sds, "TWO", 1)
    obspy.read(file, endtime=FIRST + 86700).write(file, format="MSEED")
    for day in (0, 2):
        file_of(sds, "TWO", day).unlink()
    result = invoke(archive_app, [*arguments, "--json"])
    assert result.exit_code == 3, result.output
    printed = json.loads(result.stdout)
    assert (printed["planned"], printed["done"], printed["failed"]) == (2, 1, 1)
    assert "it/s" not in result.output and "station-days" not in result.output
    assert invoke(archive_app, [*arguments, "--quiet"]).output == ""
    result = invoke(archive_app, ["status", out])
    assert result.exit_code == 0 and "1 done, 0 empty, 1 failed, 0 pending" in result.output
    assert "XX.ONE..BH 2020-01-01 SourceError" in result.output
    result = invoke(archive_app, ["merge", out, "--out", str(tmp_path / "all.csv")])
    assert result.exit_code == 0 and "1 failed" in result.output
    for command in ("run", "status", "merge"):
        assert "Example: seisbench-llm archive" in invoke(archive_app, [command, "--help"]).output


@pytest.mark.parametrize(
    "change, message",
    [
        ({"start": "2020-01-02T12:00"}, "no whole day"),
        ({"start": "abc"}, "'abc' is no day. Give one such as"),
        ({"end": ""}, "'' is no day"),
        ({"memory": "1kB"}, "memory=1kB is less than the 500 MB"),
        ({"memory": "much"}, "memory=much is no size"),
        ({"start": "2020-01-04", "end": "2020-01-04"}, "is not after the start"),
        ({"archive": "ftp://x"}, "is no archive"),
        ({"archive": "/no/such/folder"}, "is no folder"),
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


def test_wrong_task_is_refused(tmp_path):
    tiny_model("magnitude").save(tmp_path / "magnitude")
    with pytest.raises(ValueError, match="are for magnitude, not for picking"):
        Picker(str(tmp_path / "magnitude"))


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
