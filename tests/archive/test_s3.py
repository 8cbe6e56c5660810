"""Archives in buckets, of a server in this process that stands for S3."""

import os
import shutil

import obspy
import pytest

from seisbench_llm.archive import SourceError, StationDay, StoreError, open_source, status
from seisbench_llm.archive import s3 as s3_module
from seisbench_llm.archive.files import SDS
from tests.helpers.archive_stub import (
    DAYS,
    EXPECTED,
    FIRST,
    contents,
    file_of,
    garble,
    merged,
    run_stub,
    times,
)
from tests.helpers.s3_server import serve

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")
fs = pytest.importorskip("pyarrow.fs", reason="this PyArrow has no file systems")
if not hasattr(fs, "S3FileSystem"):
    pytest.skip("this PyArrow was built without S3", allow_module_level=True)

ADDRESS = "s3://bucket/some/sds"
END = FIRST + DAYS * 86400
DAY = ("XX", "ONE", "", "BH?", FIRST + 86400, FIRST + 2 * 86400, 100.0)


@pytest.fixture
def server(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    (tmp_path / "buckets" / "bucket" / "some").mkdir(parents=True)
    with serve(tmp_path / "buckets") as (server, address):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield server


@pytest.fixture
def objects(server, original):
    """The objects of a bucket, as files."""
    return shutil.copytree(original, server.root / ADDRESS.removeprefix("s3://"))


def fetched(server):
    return [key for method, key, _ in server.requests if method == "GET" and ".D/" in key]


def test_a_run_is_that_of_the_same_folder(server, objects, undisturbed, scheduler, tmp_path):
    keep, outs = tmp_path / "keep", [tmp_path / "out", tmp_path / "again"]
    run_stub(ADDRESS, outs[0], scheduler=scheduler, keep=keep)
    assert contents(outs[0]) == contents(undisturbed)
    assert times(merged(outs[0])) == EXPECTED
    # Every object once, though each day is read with its neighbours.
    kept = {p.relative_to(keep): p.read_bytes() for p in keep.glob("*/XX/*/*/*")}
    assert kept == {p.relative_to(objects): p.read_bytes() for p in objects.glob("*/XX/*/*/*")}
    assert {key for _, key, headers in server.requests if headers["Authorization"]} == set()
    server.requests.clear()
    # What was kept is not fetched again, is an archive itself, and is not part of the settings.
    run_stub(ADDRESS, outs[1], scheduler=scheduler, keep=keep)
    assert contents(outs[1]) == contents(undisturbed) and fetched(server) == []
    assert run_stub(ADDRESS, outs[0], scheduler=scheduler).new == 0
    assert SDS(keep).channels(FIRST, END, []) == SDS(objects).channels(FIRST, END, [])


def test_a_run_that_was_stopped_goes_on(server, objects, undisturbed, scheduler, tmp_path):
    out, keep = tmp_path / "out", tmp_path / "keep"
    server.denied = "bucket/some/sds/2020/XX/TWO/BHZ.D/"
    with pytest.raises(SourceError, match=r"s3://bucket/some/sds/2020/XX/TWO/BHZ.D cannot"):
        run_stub(ADDRESS, out, scheduler=scheduler, keep=keep)
    server.denied, server.broken = None, file_of(objects, "TWO", 1).name
    result = run_stub(ADDRESS, out, scheduler=scheduler, keep=keep)
    assert (result.done, result.failed) == (3, 3)
    for entry in status(out).failures:
        assert f"s3://bucket/some/sds/2020/XX/TWO/BHZ.D/{server.broken}" in entry["message"]
        assert entry["message"].endswith("--retry-failed.")
    assert not list(keep.rglob(server.broken)) and not list(keep.rglob(".part-*"))
    server.broken, before = None, len(fetched(server))
    result = run_stub(ADDRESS, out, scheduler=scheduler, keep=keep, retry_failed=True)
    # Of the days of TWO, the first had been fetched.
    again = {key.rpartition("/")[2] for key in fetched(server)[before:]}
    assert result.failed == 0 and again == {file_of(objects, "TWO", day).name for day in (1, 2)}
    assert contents(out) == contents(undisturbed)


def test_nothing_is_kept_unless_asked_for(server, objects, tmp_path):
    stream = open_source(ADDRESS).get_waveforms(*DAY)
    assert [t.stats.npts for t in stream] == [2000, 1728000, 2001]
    assert stream[1].stats.file.startswith(f"{ADDRESS}/2020/XX/ONE/BHZ.D/")
    assert {path.name for path in tmp_path.iterdir()} == {"buckets"}


def test_what_is_not_there_is_no_data(server, objects):
    file_of(objects, "ONE", 1).unlink()
    stream = open_source(ADDRESS).get_waveforms(*DAY)
    assert not [t for t in stream if t.stats.npts > 2001]
    assert not open_source(ADDRESS).get_waveforms("XX", "SIX", *DAY[2:])
    assert open_source(f"{ADDRESS}/deeper").channels(FIRST, END, ["XX.*"]) == set()


def test_a_busy_service_is_asked_again(server, objects):
    server.busy = 2
    assert len(open_source(ADDRESS).channels(FIRST, END, ["XX.*"])) == 2
    assert server.busy == 0


def test_a_damaged_object_is_named(server, objects, tmp_path):
    file = file_of(objects, "ONE", 1)
    garble(file)
    kept = tmp_path / "keep" / file.relative_to(objects)
    with pytest.raises(SourceError, match=f"copy of {ADDRESS}/2020/XX/ONE/BHZ.D/") as caught:
        open_source(ADDRESS, keep=tmp_path / "keep").get_waveforms(*DAY)
    assert str(caught.value).startswith(str(kept)) and caught.value.file == str(kept)


def test_an_object_that_goes_away_is_named(server, objects):
    source = open_source(ADDRESS)
    source.get_waveforms(*DAY)
    file_of(objects, "ONE", 1).unlink()
    with pytest.raises(SourceError, match=f"{ADDRESS}/2020/XX/ONE/BHZ.D/.*1 cannot be fetched"):
        source.get_waveforms(*DAY)


def test_what_cannot_be_reached_is_named(server, objects, monkeypatch):
    with pytest.raises(SourceError, match="There is no bucket s3://other"):
        open_source("s3://other").channels(FIRST, END, ["XX.*"])
    server.denied = "bucket"
    with pytest.raises(SourceError, match=r"s3://bucket cannot be fetched.*set AWS_PROFILE"):
        open_source(ADDRESS).channels(FIRST, END, ["XX.*"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"s3://bucket cannot be fetched.*connect"):
        open_source(ADDRESS).channels(FIRST, END, ["XX.*"])


def test_credentials_of_the_environment_are_used(server, objects, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    open_source(ADDRESS).channels(FIRST, END, ["XX.*"])
    signed = {headers["Authorization"] for _, _, headers in server.requests}
    assert all("somebody" in text and "/eu-central-1/s3/" in text for text in signed)


def test_a_folder_that_cannot_be_written_ends_the_run(server, objects, tmp_path):
    keep = tmp_path / "keep"
    source = open_source(ADDRESS, keep=keep)
    (keep / "2020").touch()
    with pytest.raises(StoreError, match=f"cannot be kept in {keep}"):
        source.get_waveforms(*DAY)


# One object of each data centre, named as on its pages, and codes that are to be read from it.
CENTRES = [
    (
        "scedc-pds/continuous_waveforms/2020/2020_001/CIGMR__LHN___2020001.ms",
        ("CI", "GMR", "", "LHN"),
    ),
    (
        "scedc-pds/continuous_waveforms/2020/2020_001/AZABCDEHHZ10_2020001.ms",
        ("AZ", "ABCDE", "10", "HHZ"),
    ),
    (
        "ncedc-pds/continuous_waveforms/BG/2020/2020.001/AL4.BG.DPZ..D.2020.001",
        ("BG", "AL4", "", "DPZ"),
    ),
    (
        "geonet-open-data/waveforms/miniseed/2020/2020.001/WEL.NZ/2020.001.WEL.10-HHZ.NZ.D",
        ("NZ", "WEL", "10", "HHZ"),
    ),
]


@pytest.mark.parametrize("key, codes", CENTRES)
def test_buckets_of_data_centres(server, tmp_path, key, codes):
    depth = 3 if key.startswith("geonet") else 2
    address = "s3://" + "/".join(key.split("/")[:depth])
    file = server.root / key
    file.parent.mkdir(parents=True)
    network, station, location, channel = codes
    header = {"network": network, "station": station, "location": location, "channel": channel}
    trace = obspy.Trace(obspy.read()[0].data.astype("int32"), header)
    trace.stats.starttime = obspy.UTCDateTime(2020, 1, 1, 5)
    trace.write(str(file), format="MSEED")
    source = open_source(address, keep=tmp_path / "keep")
    first = FIRST - 86400
    place = f"{network}.{station}.{location or '--'}.{channel[:2]}?"
    for pattern in (place, f"{network}.*", f"*.{station[:2]}*"):
        assert source.channels(first, END, [pattern]) == {codes}
    assert source.channels(first, END, [f"{network}.{station[:-1]}"]) == set()
    assert source.channels(first, FIRST, [place]) == set()
    day = StationDay(network, station, location, channel[:2] + "?", "2020-01-01")
    (got,) = source.get_waveforms(*day[:4], day.start, day.end, 100.0)
    assert got.id == trace.id and (got.data == trace.data).all()
    assert got.stats.file == f"s3://{key}"
    # Under the names of SDS.
    assert SDS(tmp_path / "keep").channels(first, END, []) == {codes}


def test_a_name_that_leads_elsewhere_is_refused(server, objects, tmp_path, monkeypatch):
    found = (("XX", "..", "", "BHZ"), "bucket/some/sds/x")
    monkeypatch.setattr(s3_module.S3, "_objects", lambda *args: iter([found]))
    with pytest.raises(SourceError, match=r"the code '\.\.', which is none of SEED"):
        open_source(ADDRESS, keep=tmp_path / "keep").get_waveforms(*DAY)
