"""The command ``seisbench-llm run``, and its YAML."""

import json
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seisbench_llm import archive
from seisbench_llm.cli import app
from seisbench_llm.cli.settings import read_settings, write_settings
from tests.helpers.archive_stub import FIRST, STUB, Spikes, file_of, garble, spiky_stream, write_sds
from tests.helpers.monitor import NETWORK

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pyocto")
yaml = pytest.importorskip("yaml")

PICKS = {"picks": "a.csv", "stations": "s.csv", "output": {"folder": "out"}}


def write(path, settings):
    path.write_text(yaml.safe_dump(settings))
    return path


def test_archive_and_catalogue(tmp_path, scheduler, monkeypatch):
    asked = {}

    class Asked(Spikes):
        def __init__(self, weights, **arguments):
            asked.update(arguments)
            super().__init__(weights, **arguments)

    monkeypatch.setattr("tests.helpers.archive_stub.Spikes", Asked)
    monkeypatch.setattr("seisbench_llm.archive.run", partial(archive.run, processor=STUB))
    write_sds(spiky_stream(("S0", "S1", "S2"), days=2), tmp_path / "sds")
    NETWORK.to_csv(tmp_path / "stations.csv", index=False)
    settings = {
        "archive": {
            "source": str(tmp_path / "sds"),
            "start": FIRST.date,
            "end": (FIRST + 86400).date,
            "stations": ["XX.*"],
            "scheduler": scheduler,
            "amplitudes": True,
        },
        "stations": str(tmp_path / "stations.csv"),
        "models": {"weights": "stub", "batch_size": 7, "tasks": "polarity"},
        "thresholds": {"P": 0.9, "S": 0.9},
        "association": {"n_picks": 50, "magnitude_scale": "norway"},
        "output": {"folder": str(tmp_path / "out"), "formats": ["csv"]},
    }
    file = write(tmp_path / "catalogue.yaml", settings)
    invoke = CliRunner().invoke
    result = invoke(app, ["run", str(file), "--json"])
    assert result.exit_code == 0, result.output
    picked, catalogue = map(json.loads, result.stdout.splitlines())
    assert picked["done"] == picked["planned"] == 3
    assert catalogue["picks"] > 0 and catalogue["events"] == 0
    config = json.loads((tmp_path / "out" / "archive" / "config.json").read_text())
    assert asked["tasks"] == {"polarity": "compact_polarity"} and asked["amplitudes"] is True
    assert config["arguments"] == {"batch_size": 7, "P_threshold": 0.9, "S_threshold": 0.9}
    assert read_settings(tmp_path / "out" / "catalogue.yaml") == settings
    # The same command goes on, with another day, and tells that a station failed.
    garble(file_of(tmp_path / "sds", "S1", 1))
    settings["archive"]["end"] = (FIRST + 2 * 86400).date
    write(file, settings)
    result = invoke(app, ["run", str(file), "--json"])
    assert result.exit_code == 3, result.output
    picked, catalogue = map(json.loads, result.stdout.splitlines())
    assert (picked["new"], picked["failed"]) == (3, 1)
    assert catalogue["picks"] > 0


def test_what_is_fetched_is_kept_where_asked(tmp_path, monkeypatch):
    asked = []

    def note(out, **arguments):
        asked.append(str(arguments["keep"]))
        raise ValueError("enough")

    monkeypatch.setattr("seisbench_llm.archive.run", note)
    section = {"source": "s3://bucket", "keep": "kept", "start": "2020-01-01", "end": "2020-01-02"}
    output = {"folder": str(tmp_path / "out")}
    file = write(tmp_path / "c.yaml", {"archive": section, "stations": "s.csv", "output": output})
    options = ["--archive", "s3://bucket", "--keep", "kept", "--out", str(tmp_path / "out")]
    options += ["--start", "2020-01-01", "--end", "2020-01-02"]
    for command in (["run", str(file)], ["archive", "run", *options]):
        assert str(CliRunner().invoke(app, command).exception) == "enough"
    assert asked == ["kept", "kept"]
    write_settings(tmp_path, read_settings(file))
    copied = read_settings(tmp_path / "catalogue.yaml")["archive"]
    # Paths of a copy hold in any folder.
    assert copied == {**section, "keep": str(Path("kept").resolve())}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"thresholds": {"p": 0.3}}, r"c\.yaml has an unknown key 'thresholds\.p'.*thresholds\.P"),
        ({"threshold": {}}, r"c\.yaml has an unknown key 'threshold'. Known keys are archive,"),
        ({"thresholds": {"P": "high"}}, r"c\.yaml: 'thresholds\.P' must be a number, not 'high'"),
        ({"models": {"batch_size": True}}, r"'models\.batch_size' must be a whole number"),
        ({"association": {"keep_poor": 1}}, r"'association\.keep_poor' must be true or false"),
        ({"output": {"formats": ["csv"]}}, r"c\.yaml needs 'output\.folder'"),
        ({"output": {"folder": "x", "formats": "csv"}}, "must be a list of texts, not 'csv'"),
        ({"models": ["compact"]}, r"'models' of .*c\.yaml must have the keys weights, device"),
        ({"archive": {"source": "x"}}, r"c\.yaml needs either 'archive' or 'picks'"),
        (
            {"association": {"margin": float("nan")}},
            "'association.margin' must be a number, not nan",
        ),
        ({"thresholds": {"P": 0.5}}, r"c\.yaml has 'thresholds', but no archive to pick"),
        ({"models": {"device": "cpu"}}, r"c\.yaml has 'models', but no archive to pick"),
        ({"picks": None}, r"'picks' must be a text, not None"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_settings(write(tmp_path / "c.yaml", {**PICKS, **changes}))


def test_what_is_missing_is_named(tmp_path):
    assert read_settings(write(tmp_path / "c.yaml", PICKS)) == PICKS
    archive = {**PICKS, "archive": {"source": "sds", "start": "2020-01-01"}}
    del archive["picks"]
    with pytest.raises(ValueError, match=r"c\.yaml needs 'archive\.end'"):
        read_settings(write(tmp_path / "c.yaml", archive))
    with pytest.raises(ValueError, match=r"c\.yaml must have the keys archive, picks"):
        read_settings(write(tmp_path / "c.yaml", ["a"]))
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.yaml"):
        read_settings(tmp_path / "none.yaml")
    (tmp_path / "c.yaml").write_text("a: [")
    with pytest.raises(ValueError, match=r"c\.yaml is no YAML"):
        read_settings(tmp_path / "c.yaml")
