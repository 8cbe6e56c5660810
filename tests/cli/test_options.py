"""Options that commands share, with models that only note what they are asked."""

import obspy
import pytest
import torch
import typer
from typer.testing import CliRunner

from seisbench_llm.archive.picker import Picker
from seisbench_llm.cli import archive, live, monitor, pick
from seisbench_llm.live import Live
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.tasks import TASKS
from tests.helpers.models import save_family, tiny_model
from tests.helpers.streams import make_stream

ASKED = ["--device", "cuda:1", "--precision", "bfloat16", "--overlap", "0.75"]
ASKED += ["--min-separation", "2.5", "--batch-size", "7"]
WANTED = {"precision": "bfloat16", "overlap": 0.75, "min_separation": 2.5, "batch_size": 7}


class AskedError(Exception):
    """Ends a command with what it asked for."""


@pytest.fixture
def files(tmp_path, monkeypatch):
    make_stream(6000).write(tmp_path / "waves.mseed", format="MSEED")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    places = []
    monkeypatch.setattr(SeisMoLLM, "to", lambda self, place: places.append(str(place)) or self)
    return tmp_path, places


def run(command, arguments):
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refuse(self, stream, picks=None, **kwargs):
    raise AskedError(kwargs)


def asked_of(result):
    assert isinstance(result.exception, AskedError), result.output
    return {key: value for key, value in result.exception.args[0].items() if key in WANTED}


def test_pick(files, monkeypatch):
    folder, places = files
    tiny_model().save(folder / "tiny")
    monkeypatch.setattr(SeisMoLLM, "annotate", refuse)
    result = run(pick.pick, [folder / "waves.mseed", "--weights", folder / "tiny", *ASKED])
    assert asked_of(result) == WANTED and places == ["cuda:1"]
    result = run(pick.pick, [folder / "waves.mseed", "--weights", folder / "tiny"])
    assert asked_of(result) == {} and places[1:] == ["cuda"]


def test_monitor(files, monkeypatch):
    folder, places = files
    family = save_family(folder, TASKS)
    monkeypatch.setattr(SeisMoLLM, "classify", refuse)
    result = run(monitor.monitor, [folder / "waves.mseed", "--weights", family, *ASKED])
    assert asked_of(result) == WANTED and places == ["cuda:1"] * 5


def test_live(files, monkeypatch):
    folder, places = files
    tiny_model().save(folder / "tiny")

    def note(self, model, on_pick, settings, weight, batch_size, stations, **kwargs):
        raise AskedError({**kwargs, "batch_size": batch_size})

    monkeypatch.setattr(Live, "__init__", note)
    arguments = ["--replay", folder / "waves.mseed", "--weights", folder / "tiny", *ASKED]
    assert asked_of(run(live.live, arguments)) == WANTED and places == ["cuda:1"]


def test_archive(files, monkeypatch):
    pytest.importorskip("distributed")
    folder, places = files
    tiny_model().save(folder / "tiny")

    def note(arguments, **kwargs):
        raise AskedError({**arguments, **kwargs})

    monkeypatch.setattr("seisbench_llm.archive.run", note)
    arguments = ["--archive", folder, "--start", "2020-01-01", "--end", "2020-01-02"]
    arguments += ["--out", folder / "out", "--weights", folder / "tiny", *ASKED]
    result = run(archive.run, arguments)
    assert asked_of(result) == WANTED
    assert result.exception.args[0]["device"] == "cuda:1"
    picker = Picker(str(folder / "tiny"), device="cuda:0", precision="bfloat16")
    assert places == ["cuda:0"] and picker.arguments.precision == "bfloat16"


def test_a_device_is_no_part_of_the_configuration_of_a_run(tmp_path):
    from seisbench_llm.archive.run import _config, _settings
    from seisbench_llm.archive.store import Store

    store, configs = Store(tmp_path), []
    for device in ("cpu", "cuda:0"):
        further = {"tasks": {}, "amplitudes": False}
        settings = _settings(store, "sds", "tiny", {"P_threshold": 0.5}, "a:B", device, further)
        assert ("device" in settings["options"]) == (device != "cpu")
        configs.append(_config({**settings, "identity": {}}))
    assert configs[0] == configs[1] and configs[0]["arguments"] == {"P_threshold": 0.5}


def test_a_device_that_is_not_there_is_said_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    make_stream(600).write(tmp_path / "waves.mseed", format="MSEED")
    result = run(pick.pick, [tmp_path / "waves.mseed", "--device", "cuda"])
    assert isinstance(result.exception, ValueError)
    assert "There is no device cuda" in str(result.exception)
    assert len(obspy.read(tmp_path / "waves.mseed")) == 3
