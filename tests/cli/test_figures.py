"""The command ``figures``."""

import obspy
import pandas as pd
import pytest

from seisbench_llm.cli import app
from seisbench_llm.export import picks_to_dataframe
from seisbench_llm.export.convert import convert_picks
from seisbench_llm.export.files import write_csv
from tests.helpers.archive_stub import write_sds
from tests.helpers.command_line import code_of, run
from tests.helpers.models import tiny_model
from tests.helpers.monitor import NETWORK, START, picks_of
from tests.helpers.streams import make_stream

SECONDS = (20.0, 40.0, 3600.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A catalogue of three events, with waveforms of two of them as files and as SDS."""
    root = tmp_path_factory.mktemp("catalogue")
    tables = []
    for number, seconds in enumerate(SECONDS):
        table = picks_to_dataframe(picks_of(50.0, 10.0, 8.0, START + seconds))
        tables.append(table.assign(event_id=f"event{number}"))
    events = pd.DataFrame(
        {
            "event_id": [f"event{number}" for number in range(3)],
            "time": [pd.Timestamp((START + s).datetime, tz="UTC") for s in SECONDS],
            "latitude": 50.0,
            "longitude": 10.0,
            "depth_km": 8.0,
            "magnitude": [1.0, 3.0, 2.0],
            "picks": 16,
            "method": "network",
        }
    )
    write_csv(events, root / "events.csv")
    write_csv(pd.concat(tables), root / "picks.csv")
    write_csv(NETWORK, root / "stations.csv")
    stream = obspy.Stream()
    for name in ("S0", "S1", "S2"):
        stream += make_stream(12000, station=name)
    stream.write(root / "day.mseed", format="MSEED")
    write_sds(stream, root / "sds")
    return root


def draw(folder, out, *options):
    return run(app, ["figures", str(folder), "--out", str(out), *map(str, options)])


def test_a_catalogue_alone(folder, tmp_path):
    done = draw(folder, tmp_path)
    assert done.exit_code == 0, done.output
    names = {"map.png", "magnitudes.png", "depths.png", "wadati.png"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
    assert "depths.png, magnitudes.png, map.png, wadati.png" in done.stdout


@pytest.mark.parametrize("waveforms", ["day.mseed", "sds"])
def test_sections_of_the_largest_events(folder, tmp_path, waveforms):
    options = [folder / waveforms, "--stations", folder / "stations.csv", "--no-curves"]
    done = draw(folder, tmp_path, *options, "--to", "2020-01-01T00:30", "--most", 1)
    assert done.exit_code == 0, done.output
    assert {f.name for f in tmp_path.glob("event*")} == {"event_20200101T000040_event1.png"}
    assert "Record sections of 1 of 2 events, the largest" in done.stderr
    done = draw(folder, tmp_path / "all", *options)
    assert {f.name for f in (tmp_path / "all").glob("event*")} == {
        "event_20200101T000020_event0.png",
        "event_20200101T000040_event1.png",
    }
    assert "No record section of event2: There are no waveforms" in done.stderr


def test_curves_are_those_of_the_weights(folder, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("seisbench_llm.plotting.plot_event", _noting(given))
    tiny_model().save(tmp_path / "tiny")
    options = [folder / "day.mseed", "--stations", folder / "stations.csv"]
    done = draw(folder, tmp_path, *options, "--event", "event0", "--weights", tmp_path / "tiny")
    assert done.exit_code == 0, done.output
    (stream, picks, row, _, curves, _) = given[0]
    assert row.event_id == "event0" and len(given) == 1
    assert {trace.stats.station for trace in stream} == {"S0", "S1", "S2"}
    assert {trace.stats.channel[-2:] for trace in curves} >= {"_P", "_S"}
    # Also those of other events, which are drawn pale.
    assert set(picks["event_id"]) == {"event0", "event1", "event2"}


def _noting(given):
    from seisbench_llm.plotting import plot_event

    def noted(*arguments):
        given.append(arguments)
        return plot_event(*arguments)

    return noted


def test_quakeml_and_what_a_catalogue_lacks(folder, tmp_path):
    convert_picks(folder / "picks.csv", tmp_path / "catalog.xml", events=folder / "events.csv")
    done = draw(tmp_path / "catalog.xml", tmp_path / "xml")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "xml").iterdir())) == 4
    bare = pd.read_csv(folder / "events.csv").drop(columns=["magnitude", "depth_km"])
    (tmp_path / "bare").mkdir()
    write_csv(bare.assign(depth_km=None), tmp_path / "bare" / "events.csv")
    done = draw(tmp_path / "bare", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"map.png"}
    assert "No magnitudes.png: No event has a magnitude" in done.stderr
    done = draw(folder / "events.csv", tmp_path / "table")
    assert done.exit_code == 0, done.output
    names = {file.name for file in (tmp_path / "table").iterdir()}
    assert names == {"map.png", "magnitudes.png", "depths.png"}
    assert "No wadati.png: No event has P and S" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--event", "event9"], "has no event event9"),
        (["--from", "2021-01-01"], "has no events, or none in that time"),
        (["--from", "noon"], "--from 'noon' is not a time"),
        (["{folder}/day.mseed"], "use --stations"),
    ],
)
def test_errors_of_one_line(folder, tmp_path, monkeypatch, capsys, options, told):
    options = [option.format(folder=folder) for option in options]
    assert code_of(["figures", folder, *options, "--out", tmp_path], monkeypatch) == 2
    assert told in capsys.readouterr().err
    assert code_of(["figures", tmp_path], monkeypatch) == 2
    assert "There is no events.csv" in capsys.readouterr().err
