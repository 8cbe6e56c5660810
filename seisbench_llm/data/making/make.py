"""A data set in SeisBench's format from waveforms, picks and stations: windows around picks."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import obspy
import pandas as pd
import seisbench.data as sbd

from ...atomic import new_folder
from ...export.files import write_csv
from ...export.origins import utc
from ...stations import Stations
from ...streams.orientation import Rotation
from ..checks import FAULTS, Finding, Report, check_metadata
from ..splits import PUBLISHED_FRACTIONS, split_by_event
from ..waveform_checks import waveform_defects
from .bulletin import Group, LeftOut, group_picks, read_bulletin
from .columns import (
    is_reversed,
    onset_columns,
    path_columns,
    source_columns,
    station_columns,
    trace_columns,
)
from .records import ORDER, Record, Unusable, build_record
from .waveforms import SDSArchive, WaveformFiles, open_waveforms

SPLITS = ("samples", "event")

# Files beside the data set.
REPORT, LEFT_OUT = "report.json", "left_out.csv"


@dataclass(frozen=True)
class MakeSettings:
    """
    How a data set is made.

    :param before: Seconds before the first pick of a record.
    :param after: Seconds after its last pick.
    :param split_by: ``samples``: events whose records share samples at a station are on the same
        side of the split, too. ``event``: each event by itself, for sequences in which all records
        overlap.
    :param fractions: Fractions of train, dev and test.
    :param seed: Seed of the split.
    :param same_time_s: Largest difference in s of the origin times of double events.
    :param same_place_km: Largest distance in km of the epicentres of double events.
    """

    before: float = 30.0
    after: float = 60.0
    split_by: str = "samples"
    fractions: Sequence[float] = PUBLISHED_FRACTIONS
    seed: int = 0
    same_time_s: float = 2.0
    same_place_km: float = 10.0

    def __post_init__(self):
        if self.split_by not in SPLITS:
            raise ValueError(f"split_by is {' or '.join(SPLITS)}, not '{self.split_by}'.")
        for name in ("before", "after"):
            if not 0 <= getattr(self, name) < 86400:
                raise ValueError(
                    f"{name} must be from 0 to 86400 s, it is {getattr(self, name):g}."
                )


@dataclass(frozen=True)
class Made:
    """
    A data set that was made.

    :param folder: Its folder.
    :param picks: Number of picks in the bulletin.
    :param report: What the checks found.
    :param left_out: Cause -> number of picks that are in no record.
    :param failed: File that could not be read -> reason.
    :param sides: Side of the split -> number of records.
    """

    folder: Path
    picks: int
    report: Report
    left_out: dict[str, int]
    failed: dict[Path, str] = field(default_factory=dict)
    sides: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """The content of the file ``report.json``."""
        return {
            "picks": self.picks,
            "left_out": self.left_out,
            "split": self.sides,
            "unreadable_files": {str(file): why for file, why in self.failed.items()},
            **self.report.to_dict(),
        }


def make_dataset(
    waveforms: Sequence[str | Path],
    picks: str | Path,
    folder: str | Path,
    *,
    stations: Stations | str | Path | None = None,
    events: str | Path | None = None,
    picks_format: str | None = None,
    settings: MakeSettings | None = None,
) -> Made:
    """
    Make a data set in SeisBench's format.

    A record is of one event at one station, from ``before`` the first pick to ``after`` the last
    one, as far as there are waveforms. Picks that belong to no event get records of P with the S
    that follows it. Picks that get no record are in ``left_out.csv``, each with its cause.

    :param waveforms: Folder of an SDS archive, or files, folders or patterns.
    :param picks: File of picks, see :py:func:`seisbench_llm.export.read_picks`.
    :param folder: Folder to write. It must not exist.
    :param stations: Coordinates, directions and responses, see
        :py:meth:`seisbench_llm.stations.Stations.read`.
    :param events: File of the events, for formats of picks without them.
    :param picks_format: Format of ``picks``. By default its name and content tell it.
    :param settings: Windows and split.
    :raises ValueError: If a file cannot be read, or no pick gets a record.
    :raises FileExistsError: If the folder exists.
    """
    settings = settings or MakeSettings()
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists. Name a new folder, or remove it first.")
    table, located = read_bulletin(picks, events, picks_format)
    if not len(table):
        raise ValueError(f"{picks} has no picks.")
    known = None if stations is None else Stations.read(stations)
    source = open_waveforms(waveforms)
    left_out = LeftOut()
    groups = group_picks(table, source.networks_of, left_out)
    by_id = {row["event_id"]: row for row in located.to_dict("records")}
    maker = _Maker(source, known, by_id, groups, left_out, settings)
    with new_folder(folder) as partial:
        metadata = maker.write(partial)
        if metadata is None:
            unread = "".join(
                f" {len(source.failed)} files cannot be read, the first: {file}: {why}"
                for file, why in list(source.failed.items())[:1]
            )
            raise ValueError(f"No pick of {picks} gets a record: {_causes(left_out)}.{unread}")
        found = maker.findings + check_metadata(
            metadata, None, settings.same_time_s, settings.same_place_km
        )
        found.sort(key=lambda finding: finding.kind not in FAULTS)
        made = Made(
            folder,
            len(table),
            Report(found, len(metadata), len(metadata)),
            left_out.causes(),
            dict(source.failed),
            metadata["split"].value_counts().to_dict(),
        )
        (partial / REPORT).write_text(json.dumps(made.to_dict(), indent=1) + "\n")
        write_csv(left_out.table(), partial / LEFT_OUT)
    return made


def _causes(left_out: LeftOut) -> str:
    return "; ".join(f"{count} because {cause}" for cause, count in left_out.causes().items())


# Longest time in s from the first to the last pick of an event at a station.
_LONGEST_GROUP_S = 3600.0


def _time_of(group: Group) -> obspy.UTCDateTime:
    return utc(group.picks[0].time)


@dataclass
class _Maker:
    source: SDSArchive | WaveformFiles
    stations: Stations | None
    events: dict[str, dict]
    groups: list[Group]
    left_out: LeftOut
    settings: MakeSettings
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self):
        self.rotation = None if self.stations is None else Rotation(self.stations)
        self.at_station = defaultdict(list)
        for group in self.groups:
            self.at_station[group.station].append(group)

    def write(self, folder: Path) -> pd.DataFrame | None:
        """Write waveforms and metadata, and return the metadata, None if there is no record."""
        rows, ends = [], []
        writer = sbd.WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5")
        with writer:
            writer.data_format = {"dimension_order": "CW", "component_order": ORDER}
            for group in self.groups:
                made = self._record(group)
                if made is not None:
                    row, record = made
                    writer.add_trace(row, record.data)
                    rows.append(row)
                    ends.append(record.start + record.data.shape[1] / record.rate)
        if not rows:
            return None
        # The writer has named the traces in the rows.
        metadata = pd.DataFrame(rows)
        metadata["split"] = self._split(metadata, ends)
        metadata.to_csv(folder / "metadata.csv", index=False)
        return metadata

    def _record(self, group: Group) -> tuple[dict, Record] | None:
        start = utc(group.picks[0].time) - self.settings.before
        end = utc(group.picks[-1].time) + self.settings.after
        try:
            stream = self.source.stream(group.station, start - 1, end + 1)
            record = build_record(stream, group, start, end, self.rotation)
        except Unusable as cause:
            self.left_out.add(group.picks, str(cause))
            return None
        except Exception as error:
            # ObsPy's readers raise exceptions of any kind on a broken file.
            why = str(error).partition("\n")[0] or type(error).__name__
            self.left_out.add(group.picks, f"its waveforms cannot be read: {why}")
            return None
        others = self._others(group, start, end)
        onsets = onset_columns(record, group, others, self.left_out)
        if not onsets:
            return None
        row = {
            **source_columns(self.events.get(group.event), group.event),
            **station_columns(record, self.stations),
        }
        row |= {**path_columns(row), **trace_columns(record), **onsets}
        name = f"{record.place} {record.start}"
        self.findings += [Finding(k, name, d) for k, d in waveform_defects(record.data, row)]
        if self.stations is not None and "trace_polarity" in row:
            why = is_reversed(self.stations, record, record.start)
            if why is not None:
                self.findings.append(Finding("reversed", name, why))
        return row, record

    def _others(self, group: Group, start: obspy.UTCDateTime, end: obspy.UTCDateTime):
        """Other groups of the station whose picks may be in the record."""
        of_station = self.at_station[group.station]
        first = bisect_left(of_station, start - _LONGEST_GROUP_S, key=_time_of)
        last = bisect_right(of_station, end, key=_time_of)
        return [other for other in of_station[first:last] if other is not group]

    def _split(self, metadata: pd.DataFrame, ends: list[obspy.UTCDateTime]) -> pd.Series:
        """Side of each record."""
        names = [
            f"alone {row}" if pd.isna(name) else str(name)
            for row, name in enumerate(metadata["source_id"])
        ]
        if self.settings.split_by == "samples":
            names = self._sharing(metadata, ends, names)
        return split_by_event(
            metadata.assign(together=names),
            self.settings.fractions,
            self.settings.seed,
            event_column="together",
        )

    @staticmethod
    def _sharing(metadata: pd.DataFrame, ends: list, names: list[str]) -> list[str]:
        """One name for all events whose records share samples at a station."""
        parents = {name: name for name in names}

        def root(name: str) -> str:
            while parents[name] != name:
                name = parents[name]
            return name

        starts = [obspy.UTCDateTime(time) for time in metadata["trace_start_time"]]
        stations = metadata["station_network_code"] + "." + metadata["station_code"]
        for rows in stations.groupby(stations).groups.values():
            latest = None
            for row in sorted(rows, key=lambda row: starts[row]):
                if latest is not None and starts[row] < ends[latest]:
                    first, second = sorted((root(names[latest]), root(names[row])))
                    parents[second] = first
                if latest is None or ends[row] > ends[latest]:
                    latest = row
        return [root(name) for name in names]
