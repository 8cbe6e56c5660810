"""A catalogue of the picks of years: associated block by block, and continued after a stop."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import seisbench

from ..amplitudes import local_magnitude, read_corrections
from ..archive.store import Store, write_json
from ..export.files import import_pyarrow
from ..monitor import VelocityModel
from ..monitor.association import MIN_STATIONS, Associator, import_pyocto
from ..monitor.location import import_geod
from ..stations import Stations
from .blocks import FOLDER, BlockStore, plan_blocks
from .daily import open_picks
from .output import FORMATS, write_catalogue
from .windows import Windows

# Names of stations in a warning.
_MOST_NAMES = 10


@dataclass(frozen=True)
class CatalogueSummary:
    """
    A catalogue that was written.

    :param picks: Number of picks.
    :param skipped: Cause -> number of picks that were skipped.
    :param associated: Number of picks that belong to an event.
    :param events: Number of events.
    :param left_out: Number of events of quality D that were left out.
    :param blocks: Number of blocks, most often days.
    :param new: Number of blocks that this call associated.
    :param seconds: Duration of the call.
    :param files: Names of the files.
    """

    picks: int
    skipped: dict[str, int]
    associated: int
    events: int
    left_out: int
    blocks: int
    new: int
    seconds: float
    files: list[str]


def associate(
    picks: str | Path | pd.DataFrame,
    out: str | Path,
    stations,
    *,
    velocity_model=None,
    vp: float = 6.0,
    vp_vs: float = 1.73,
    margin_km: float = 50.0,
    association: Mapping | None = None,
    keep_poor: bool = False,
    magnitude_scale: str = "iaspei",
    station_corrections: str | Path | None = None,
    formats: Sequence[str] = ("csv", "quakeml"),
    block: float = 86_400.0,
    overwrite: bool = False,
    progress: bool = False,
) -> CatalogueSummary:
    """
    Associate and locate the picks of any time, and write a catalogue.

    Magnitudes are those of the monitor, from the estimates and amplitudes of picks that have them.

    Picks are associated block by block. Finished blocks are kept in ``out``. After a stop of any
    kind, the same call continues, and the catalogue is that of an undisturbed call. It does not
    depend on the length of the blocks. If picks were added, only blocks near them are associated
    again.

    :param picks: Folder of an archive run, a file of picks, or a table, see
        :py:func:`seisbench_llm.catalogue.open_picks`.
    :param out: Folder of the catalogue.
    :param stations: Stations, see :py:meth:`seisbench_llm.stations.Stations.read`.
    :param velocity_model: Layers for the locations, see
        :py:meth:`seisbench_llm.monitor.VelocityModel.read`.
    :param vp: P velocity of the homogeneous medium for the association, in km/s.
    :param vp_vs: Ratio of the P and S velocities, also for layers without vs.
    :param margin_km: Distance beyond the stations up to which events are searched.
    :param association: Arguments of ``pyocto.OctoAssociator``, such as ``n_picks``.
    :param keep_poor: Whether to keep events of quality D. Else they are only counted.
    :param magnitude_scale: Scale of ML, one of :py:data:`seisbench_llm.amplitudes.SCALES`. Events
        have ML if their picks have Wood-Anderson amplitudes.
    :param station_corrections: CSV with id (NET.STA) and correction, added to stations' ML.
    :param formats: Some of ``csv``, ``parquet`` and ``quakeml``.
    :param block: Length of a block in s.
    :param overwrite: Whether to begin anew if ``out`` holds a catalogue of another configuration.
    :param progress: Whether to show progress on standard error.
    :raises ConfigurationError: If ``out`` holds a catalogue of another configuration.
    :raises ValueError: If an argument is impossible, or fewer than three stations with picks have
        coordinates.
    """
    began = time.perf_counter()
    import_pyarrow()
    import_geod()
    import_pyocto()
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ValueError(f"Unknown format '{unknown[0]}'. Known formats: {', '.join(FORMATS)}.")
    if not 0 < block < float("inf"):
        raise ValueError(f"block={block!r} is not possible: it must be above 0.")
    local_magnitude(1.0, 1.0, magnitude_scale)
    magnitudes = {"scale": magnitude_scale, "corrections": read_corrections(station_corrections)}
    daily = open_picks(picks)
    known, layers = Stations.read(stations), VelocityModel.read(velocity_model, vp_vs)
    magnitudes["stations"] = known
    settings = {"vp": vp, "vp_vs": vp_vs, "margin_km": margin_km, **(association or {})}
    config = {
        "picks": str(Path(daily.name).resolve()),
        "stations": known.digest(),
        "layers": {
            name: [float(value) for value in getattr(layers, name)] for name in ("tops", "vp", "vs")
        },
        "association": settings,
        "keep_poor": keep_poor,
        "pyocto": version("pyocto"),
    }
    folder = Store(out)
    with folder.lock():
        if overwrite:
            _clear(folder.path)
        folder.check_config(config)
        write_json(folder.path / "config.json", config)
        windows = Windows(daily, known)
        skipped = _tell_skipped(windows)
        if len(windows.places) < MIN_STATIONS:
            raise ValueError(
                f"{daily.name} has picks of {len(windows.places)} stations with coordinates. "
                f"Association needs {MIN_STATIONS}."
            )
        associator = Associator(windows.places, layers=layers, **settings)
        blocks = plan_blocks(windows, associator.slices, block)
        store = BlockStore(folder.path, windows, associator, keep_poor)
        store.prepare()
        pending = [one for one in blocks if not store.finished(one)]
        with _progress(len(blocks), len(blocks) - len(pending), progress) as finished:
            for one in pending:
                store.associate(one)
                finished()
        store.remove_others(blocks)
        files = write_catalogue(
            folder.path, store, blocks, windows, formats, layers.name, **magnitudes
        )
        about = [store.about(one) for one in blocks]
    return CatalogueSummary(
        picks=windows.rows[-1],
        skipped=skipped,
        associated=sum(entry["associated"] for entry in about),
        events=sum(entry["events"] for entry in about),
        left_out=sum(entry["left_out"] for entry in about),
        blocks=len(blocks),
        new=len(pending),
        seconds=round(time.perf_counter() - began, 1),
        files=files,
    )


def _clear(folder: Path) -> None:
    """Remove the configuration and the blocks of a catalogue."""
    (folder / "config.json").unlink(missing_ok=True)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def _tell_skipped(windows: Windows) -> dict[str, int]:
    """Warn once per cause of picks that are skipped, and return their numbers."""
    for cause, counts in sorted(windows.skipped.items()):
        names = sorted(counts)
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        seisbench.logger.warning(
            f"{sum(counts.values())} picks are skipped, {cause}: "
            f"{', '.join(names[:_MOST_NAMES])}{more}."
        )
    return {cause: sum(counts.values()) for cause, counts in sorted(windows.skipped.items())}


@contextmanager
def _progress(total: int, finished: int, shown: bool) -> Iterator[Callable[[], object]]:
    from tqdm import tqdm

    with tqdm(
        total=total, initial=finished, unit=" blocks", disable=not shown, file=sys.stderr
    ) as bar:
        yield bar.update
