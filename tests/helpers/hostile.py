"""Readers of files, a whole file for each, and what may be wrong with it."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import torch
import yaml
from obspy.core.inventory import Channel, Inventory, Network, Site, Station
from seisbench.util import Pick

from seisbench_llm.amplitudes.magnitude import read_corrections
from seisbench_llm.archive.files import read_file
from seisbench_llm.archive.store import Store, read_table, write_json
from seisbench_llm.cli.evaluate import _split_of_run
from seisbench_llm.cli.settings import read_settings
from seisbench_llm.data import Synthetic
from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.export import (
    export,
    picks_to_dataframe,
    read_events,
    read_picks,
    write_events,
)
from seisbench_llm.live.state import read_arrays, write_arrays
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.monitor.velocity import VelocityModel
from seisbench_llm.stations import Stations, read_stations
from seisbench_llm.training.module import trained_model
from seisbench_llm.training.run_folder import RunFolder
from seisbench_llm.waveform_files import read_files
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

# What the command line turns into one line and exit code 2.
ERRORS = (OSError, ValueError, ImportError)

T0 = obspy.UTCDateTime(2020, 1, 1)


@dataclass(frozen=True)
class Reader:
    """
    A reader of files.

    :param suffix: End of the file's name.
    :param write: Writes a whole file.
    :param read: Reads it, raises one of ``ERRORS``.
    :param flips: Number of files with a flipped bit to try.
    :param bombs: What of ``BOMBS`` in ``bombs.py`` it could take for a file.
    """

    suffix: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    flips: int = 6
    bombs: tuple[str, ...] = ()


def make(name: str, folder: Path) -> Path:
    """A whole file for a reader, in a folder of its own."""
    folder.mkdir(parents=True)
    file = folder / f"whole{READERS[name].suffix}"
    if READERS[name].suffix.startswith("/"):
        file = folder / READERS[name].suffix[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
    READERS[name].write(file)
    return file


def outcome(reader: Reader, file: Path) -> bool:
    """
    Whether a file is refused, as it has to be: by an error of ours, a line that names the file.

    Any other error is passed on.
    """
    try:
        reader.read(file)
    except ERRORS as error:
        text = str(error)
        assert file.name in text or file.parent.name in text, f"{file.name} is not named: {text}"
        assert len(text) < 3000, text
        return True
    return False


def damaged(content: bytes, flips: int, seed: int = 0) -> Iterator[bytes]:
    """A file's content cut off, replaced, or with a bit flipped."""
    rng = np.random.default_rng(seed)
    yield from (content[: int(share * len(content))] for share in (0, 0.01, 0.3, 0.7))
    yield content[:-1]
    yield bytes(len(content))
    yield rng.bytes(500)
    yield b"[" * 100_000
    yield b'{"a": ["\xff"'
    for place in rng.integers(0, len(content), flips):
        flipped = bytearray(content)
        flipped[place] ^= 1 << rng.integers(8)
        yield bytes(flipped)


@contextlib.contextmanager
def limited_memory(more: int) -> Iterator[None]:
    """Let this process take so many bytes more, and no more, where the system can."""
    try:
        import resource
    except ImportError:
        yield
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + more if pages else before[0]
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# Whole files.


def _inventory() -> Inventory:
    site = Site("here")
    channel = Channel("HHZ", "00", 1.0, 2.0, 3.0, 0.0)
    stations = [Station(f"ST{i}", i, i, 0.0, site=site, channels=[channel]) for i in range(3)]
    return Inventory([Network("XX", stations)])


def _picks() -> list[Pick]:
    times = [T0 + 10 * i for i in range(5)]
    return [Pick(f"XX.ST{i}.", t, t, t, 0.5, "PS"[i % 2]) for i, t in enumerate(times)]


def _write_picks(file: Path) -> None:
    events = None
    picks: object = _picks()
    if file.suffix in (".pha", ".evlist"):
        picks, events = picks_to_dataframe(_picks()).assign(event_id="1"), _events()
    export(picks, file, events=events)


def _events() -> pd.DataFrame:
    event = {"event_id": "1", "time": pd.Timestamp(T0.datetime, tz="UTC")}
    return pd.DataFrame([{**event, "latitude": 1.0, "longitude": 2.0, "depth_km": 3.0}])


def _write_weight(file: Path) -> None:
    """A weight whose record has no SHA-256: whatever is in the file is read."""
    path = file.with_name("whole")
    tiny_model().save(path, half=None if file.suffix == ".pt" else False)
    description = path.with_suffix(".json")
    content = {**json.loads(description.read_text()), "sha256": None}
    description.write_text(json.dumps(content))


def _write_checkpoint(file: Path) -> None:
    model = tiny_model()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    options = {"built_args": model.get_model_args(), "default_args": {}}
    torch.save({"state_dict": state, "hyper_parameters": options}, file)


def _write_split(file: Path) -> None:
    table = pd.DataFrame({"dataset": "d", "trace_name": ["a", "b"], "split": ["train", "dev"]})
    table.to_csv(file, index=False)


def _read_split(file: Path) -> None:
    _split_of_run(file.parent, "d", pd.DataFrame({"trace_name": ["a", "b"]}))


def _read_dataset(file: Path) -> None:
    dataset = open_dataset(file.parent)
    for i in range(len(dataset)):
        dataset.get_waveforms(i)


def _write_index(file: Path) -> None:
    rows = {"file": ["a"], "size": [1], "mtime": [2], "id": ["XX.A..HHZ"], "start": [0.0]}
    pd.DataFrame(rows).to_parquet(file)


READERS = {
    "miniSEED": Reader(
        ".mseed",
        lambda file: make_stream(2000).write(str(file), format="MSEED"),
        lambda file: read_files([file]),
        bombs=("gz", "bz2", "zip", "tar"),
    ),
    "SAC": Reader(
        ".sac",
        lambda file: make_stream(2000)[0].write(str(file), format="SAC"),
        lambda file: read_files([file]),
    ),
    "compressed": Reader(
        ".mseed.gz",
        lambda file: file.write_bytes(gzip.compress(_mseed())),
        lambda file: read_files([file]),
    ),
    "archive": Reader(".mseed", lambda file: file.write_bytes(_mseed()), read_file),
    "StationXML": Reader(
        ".xml",
        lambda file: _inventory().write(str(file), format="STATIONXML"),
        lambda file: Stations.read(read_stations(file)),
        bombs=("gz", "entities"),
    ),
    "stations.csv": Reader(
        ".csv",
        lambda file: file.write_text("id,latitude,longitude,elevation\nXX.A,1,2,3\nXX.B,4,5,6\n"),
        lambda file: Stations.read(read_stations(file)),
    ),
    **{
        f"picks {suffix}": Reader(suffix, _write_picks, read_picks, bombs=bombs)
        for suffix, bombs in {
            ".csv": (),
            ".parquet": ("rows",),
            ".xml": ("gz", "entities"),
            ".obs": (),
            ".pha": (),
            ".scml": ("gz", "entities"),
            ".evlist": (),
            ".pyocto.csv": (),
            ".gamma.csv": (),
            ".phasenet.csv": (),
            ".eqt.csv": (),
        }.items()
    },
    "events": Reader(".csv", lambda file: write_events(_events(), file), read_events),
    "velocity model": Reader(
        ".csv",
        lambda file: file.write_text("depth_km,vp,vs\n-3,4.5,2.6\n5,6.0,3.5\n30,8.0,4.6\n"),
        VelocityModel.read,
    ),
    "station corrections": Reader(
        ".csv",
        lambda file: file.write_text("id,correction\nXX.A,0.1\nXX.B,-0.2\n"),
        read_corrections,
    ),
    "catalogue.yaml": Reader(
        ".yaml",
        lambda file: file.write_text(
            yaml.safe_dump({"picks": "a", "stations": "b", "output": {"folder": "c"}})
        ),
        read_settings,
        bombs=("aliases", "deep"),
    ),
    "weight .json": Reader(
        "/whole.json", _write_weight, lambda f: SeisMoLLM.load(f.with_suffix("")), bombs=("deep",)
    ),
    "weight .safetensors": Reader(
        ".safetensors", _write_weight, lambda f: SeisMoLLM.load(f.with_suffix(""))
    ),
    "weight .pt": Reader(
        ".pt", _write_weight, lambda f: SeisMoLLM.load(f.with_suffix("")), bombs=("deflated",)
    ),
    "checkpoint": Reader(".ckpt", _write_checkpoint, trained_model, bombs=("deflated",)),
    "configuration": Reader(
        "/config.yaml",
        lambda file: file.write_text(yaml.safe_dump({"model": {}, "data": {}, "trainer": {}})),
        lambda file: RunFolder(file.parent).read_config(),
        bombs=("aliases", "deep"),
    ),
    "metrics.json": Reader(
        "/metrics.json",
        lambda file: file.write_text('{"steps": 3}'),
        lambda file: RunFolder(file.parent).read_metrics(),
        bombs=("deep",),
    ),
    "split": Reader("/split_0.csv.gz", _write_split, _read_split, bombs=("gz of itself",)),
    "plan.json": Reader(
        "/plan.json",
        lambda file: write_json(file, {"stations": ["XX.A..HH"], "start": "2020-01-01", "end": ""}),
        lambda file: Store(file.parent).plan(),
        bombs=("deep",),
    ),
    "manifest": Reader(
        "/manifest/day=2020-01-01/XX.A..HH.done.json",
        lambda file: write_json(file, {"state": "done"}),
        lambda file: Store(file.parents[2]).manifest("2020-01-01", "XX.A..HH", "done"),
    ),
    "index.parquet": Reader(".parquet", _write_index, read_table, bombs=("rows",)),
    "state of live": Reader(
        ".npz",
        lambda file: write_arrays(file, {"a": np.arange(100), "b": [1, {"c": "text"}]}),
        read_arrays,
        bombs=("npz",),
    ),
    "waveforms.hdf5": Reader(
        "/waveforms.hdf5",
        lambda file: Synthetic(2, seconds=12).write(file.parent),
        _read_dataset,
        bombs=("hdf5",),
    ),
    "metadata.csv": Reader(
        "/metadata.csv", lambda file: Synthetic(2, seconds=12).write(file.parent), _read_dataset
    ),
}


def _mseed() -> bytes:
    buffer = io.BytesIO()
    make_stream(2000).write(buffer, format="MSEED")
    return buffer.getvalue()
