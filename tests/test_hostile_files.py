"""
Files that are damaged, odd or hostile, whatever reads them: one error of ours that names the file,
or an answer; nothing executes, and neither memory nor time depends on what a file claims.

tests/faults/fuzz_readers.py does the same with many random changes.
"""

import subprocess
import sys
import time

import matplotlib.figure
import pytest
from seisbench.util import Pick

from seisbench_llm import cli, obspy_files
from seisbench_llm.archive.station_days import StationDay
from seisbench_llm.archive.store import Store
from seisbench_llm.cli.pick import PartFigures
from seisbench_llm.export import picks_to_dataframe
from seisbench_llm.live.output import QuakeMLFiles
from seisbench_llm.live.picks import LivePick
from tests.helpers.bombs import BOMBS, ENOUGH, EVIL
from tests.helpers.hostile import (
    READERS,
    T0,
    damaged,
    limited_memory,
    make,
    outcome,
)
from tests.helpers.streams import make_stream


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Name of a reader -> a file that it reads."""
    folder = tmp_path_factory.mktemp("whole")
    return {name: make(name, folder / name) for name in READERS}


@pytest.mark.parametrize("name", READERS)
def test_a_whole_file_is_read(name, whole):
    READERS[name].read(whole[name])


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_named(name, whole):
    """Empty, cut off, with bits flipped, of another kind."""
    file = whole[name]
    content, refused = file.read_bytes(), 0
    try:
        for changed in damaged(content, READERS[name].flips):
            file.write_bytes(changed)
            refused += outcome(READERS[name], file)
    finally:
        file.write_bytes(content)
    assert refused >= 3


@pytest.mark.parametrize("name,bomb", [(n, b) for n in READERS for b in READERS[n].bombs])
def test_bombs_are_refused(name, bomb, whole, monkeypatch):
    monkeypatch.setattr(obspy_files, "MOST_BYTES", ENOUGH)
    file = whole[name]
    content = file.read_bytes()
    began = time.monotonic()
    try:
        target = BOMBS[bomb](file)
        with limited_memory(2**31):
            assert outcome(READERS[name], target), f"{bomb} was taken for a file"
    finally:
        file.write_bytes(content)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", EVIL)
def test_nothing_is_executed(name, kind, whole, tmp_path):
    file, mark = whole[name], tmp_path / "executed"
    content = file.read_bytes()
    try:
        file.write_bytes(EVIL[kind](mark))
        outcome(READERS[name], file)
    finally:
        file.write_bytes(content)
    assert not mark.exists()


def test_a_pickle_would_be_executed_elsewhere(tmp_path):
    """The bait works: ObsPy alone runs it."""
    mark = tmp_path / "executed"
    (tmp_path / "a.mseed").write_bytes(EVIL["pickle of a stream"](mark))
    script = f"import obspy; obspy.read({str(tmp_path / 'a.mseed')!r})"
    subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    assert mark.exists()


BAD = b"\x00\xff no file of any kind [[[ {{{"
BAD_FILES = (
    *("BAD.mseed", "BAD.sac", "BAD.xml", "BAD.csv", "BAD.json", "BAD.safetensors", "BAD.pth"),
    *("BAD.yaml", "run/plan.json", "run/config.yaml", "run/checkpoints/best.ckpt"),
    *("data/metadata.csv", "data/waveforms.hdf5"),
)


@pytest.mark.parametrize(
    "command",
    [
        ["pick", "BAD.mseed"],
        ["pick", "BAD.sac", "GOOD.mseed"],
        ["pick", "GOOD.mseed", "--out", "out", "--stations", "BAD.xml"],
        ["pick", "GOOD.mseed", "--out", "out", "--stations", "BAD.csv"],
        ["pick", "GOOD.mseed", "--weights", "./BAD"],
        ["monitor", "BAD.mseed"],
        ["monitor", "GOOD.mseed", "--inventory", "BAD.xml"],
        ["live", "--replay", "BAD.mseed"],
        ["archive", "status", "run"],
        ["archive", "merge", "run", "--out", "all.csv"],
        ["weights", "show", "./BAD"],
        ["weights", "onnx", "./BAD", "--out", "BAD.onnx"],
        ["weights", "convert", "BAD.pth", "--task", "dpk", "--out", "converted"],
        ["export", "run", "--out", "exported"],
        ["evaluate", "--weights", "compact_polarity", "--data", "data"],
        ["fit", "--config", "BAD.yaml"],
    ],
    ids=" ".join,
)
def test_commands_end_with_two_and_one_line(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in BAD_FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(BAD)
    make_stream(2000).write("GOOD.mseed", format="MSEED")
    before = {file for file in tmp_path.rglob("*") if file.is_file()}
    monkeypatch.setattr(sys, "argv", ["seisbench-llm", *command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    lines = [line for line in errors.splitlines() if line.startswith("seisbench-llm: ")]
    assert len(lines) == 1 and "Traceback" not in errors
    named = next(word for word in command if "BAD" in word or word in ("run", "data"))
    assert named.removeprefix("./") in lines[0]
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("code", ["../..", "/tmp", "A/B", "..", "\x00", "*", "~", "%2F"])
def test_names_of_files_are_no_paths(code, tmp_path):
    """Codes that a file may hold, in the names of files that are written."""
    out = tmp_path / "a" / "b" / "out"
    out.mkdir(parents=True)
    store, day = Store(out), StationDay("XX", code, code, "HH?", "2020-01-01")
    table = picks_to_dataframe([Pick("XX.A.", T0, T0, T0, 1, "P")])
    store.write(day, {"picks": table}, {"state": "done"})
    assert store.states() == {("2020-01-01", day.id): ("done", 0.0)}
    assert store.manifest("2020-01-01", day.id, "done") == {"state": "done"}
    assert [len(table) for table in store.tables("picks")] == [1]

    figures = PartFigures(out)
    figures._save(matplotlib.figure.Figure(), f"picks_{code}.{code}.png")
    assert [(out / name).is_file() for name in figures.names] == [True]

    # A dot within a code is refused before.
    name = f"XX.{code}.{code}" if "." not in code else "XX./.~/"
    live = LivePick(f"{name}/P/2020-01-01T00:00", "confirmed", name, "P", T0, 0.5, "w", 0, 0)
    QuakeMLFiles(out / "quakeml")(live)
    assert len(list((out / "quakeml").glob("*/*.xml"))) == 1

    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == 4 and all(file.is_relative_to(out) for file in files)
