"""The command ``compare``."""

import json

from seisbench_llm import cli
from seisbench_llm.export import read_events
from seisbench_llm.export.convert import write_events
from tests.helpers.command_line import code_of, run
from tests.monitor.test_compare import catalog_of


def test_compare(tmp_path):
    ours, theirs = tmp_path / "ours.xml", tmp_path / "theirs.xml"
    catalog_of((10.5, 50.0, 10.0, 8, 2.1), (500, 50, 10, 5, 1.0)).write(ours, format="QUAKEML")
    catalog_of((10, 50.1, 10, 6, 2.0)).write(theirs, format="QUAKEML")
    figure = tmp_path / "compared.png"
    result = run(cli.app, ["compare", str(ours), str(theirs), "--plot", str(figure)])
    assert result.exit_code == 0, result.output
    assert "1 events in both, 0 only in theirs, 1 only in ours" in result.stdout
    assert "median +0.50, size 0.50, 90 % below 0.50 s (1 events)" in result.stdout
    assert "completeness of ours: not known" in result.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    found = json.loads(run(cli.app, ["compare", str(ours), str(theirs), "--json"]).stdout)
    assert found["matched"] == 1 and found["depth_km"]["median"] == 2.0
    apart = run(cli.app, ["compare", str(ours), str(theirs), "--km", "5", "--json"]).stdout
    assert json.loads(apart)["missed"] == 1


def test_a_table_of_events_is_a_catalogue(tmp_path):
    catalog = catalog_of((10.5, 50.0, 10.0, 8, 2.1), (500, 50, 10, None, None))
    theirs = tmp_path / "theirs.xml"
    catalog.write(theirs, format="QUAKEML")
    for name in ("ours.csv", "ours.parquet"):
        write_events(read_events(theirs), tmp_path / name)
        shown = run(cli.app, ["compare", str(tmp_path / name), str(theirs), "--json"]).stdout
        found = json.loads(shown)
        assert (found["matched"], found["new"], found["missed"]) == (2, 0, 0)
        assert found["depth_km"]["count"] == found["magnitude"]["count"] == 1
        assert found["time"]["p90_size"] == found["distance_km"]["p90_size"] == 0


def test_other_files_are_an_error_of_one_line(tmp_path, monkeypatch, capsys):
    words, nothing = tmp_path / "words.txt", tmp_path / "nothing.xml"
    words.write_text("nothing of the kind\n")
    assert code_of(["compare", words, words], monkeypatch) == 2
    assert "words.txt cannot be read as a catalogue" in capsys.readouterr().err
    assert code_of(["compare", nothing, words], monkeypatch) == 2
    assert "There is no file" in capsys.readouterr().err
    words.write_text("")
    assert code_of(["compare", words, words], monkeypatch) == 2
    assert "words.txt cannot be read as a catalogue: it is empty" in capsys.readouterr().err
    places = tmp_path / "places.csv"
    places.write_text("event_id,time,latitude,longitude,depth_km\n7,2021-01-01,400,13,5\n")
    assert code_of(["compare", places, places], monkeypatch) == 2
    message = capsys.readouterr().err
    assert "places.csv" in message and "Event 7 has an impossible latitude: 400" in message
