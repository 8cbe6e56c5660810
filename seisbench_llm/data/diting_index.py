"""The index of DiTing: published CSV files to SeisBench metadata, waveforms by link."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import seisbench
from tqdm import tqdm

PARTS = range(28)


SAMPLING_RATE = 50.0


RECORD_SAMPLES = 9000  # 180 s, the bound that the published code puts on onsets


GROUP = "earthquake"


SUMMARY = "diting_index.json"


ROWS_AT_ONCE = 50_000


EXAMPLES = 5


_SNR = [
    f"{component}_{phase}_{kind}_snr"
    for component in "ZNE"
    for phase in "PS"
    for kind in ("amplitude", "power")
]


# Published column -> SeisBench column; "part" becomes SeisBench's chunk.
PUBLISHED = {
    "key": "trace_name",
    "ev_id": "source_id",
    "evmag": "source_magnitude",
    "mag_type": "source_magnitude_type",
    "p_pick": "trace_p_arrival_sample",
    "p_clarity": "trace_p_clarity",
    "p_motion": "trace_polarity",
    "s_pick": "trace_s_arrival_sample",
    "net": "station_network_code",
    "sta_id": "station_code",
    "dis": "path_ep_distance_km",
    "st_mag": "trace_station_magnitude",
    "baz": "path_back_azimuth_deg",
    **{name: f"trace_{name.lower()}" for name in _SNR},
    "P_residual": "path_p_residual_sec",
    "S_residual": "path_s_residual_sec",
}


_TEXT = ("key", "mag_type", "p_clarity", "p_motion", "net", "sta_id")


_POLARITY = {"u": "U", "c": "U", "d": "D", "r": "D", "n": "N"}


def chunk_name(part: int) -> str:
    """SeisBench chunk of a part; padded, as SeisBench sorts chunks by name."""
    return f"_part_{part:02d}"


def published_files(path: Path, part: int) -> tuple[Path, Path]:
    """Metadata and waveform file of a part."""
    return path / f"DiTing330km_part_{part}.csv", path / f"DiTing330km_part_{part}.hdf5"


def to_local_magnitude(magnitude: pd.Series, kind: pd.Series) -> pd.Series:
    """
    Local magnitude from the published one, with the relations of the published research code.

    ML stays; from Ms, ML = (Ms + 1.08) / 1.13; from mb, ML = (1.17 mb + 0.67) / 1.13. The
    published code also clips the result to 0 to 8, which is left to the label.

    :param magnitude: Published magnitudes.
    :param kind: Their types, in any case.
    :return: ML, nan where the type is none of the three.
    """
    kind = kind.str.lower()
    return pd.Series(
        np.select(
            [kind == "ml", kind == "ms", kind == "mb"],
            [magnitude, (magnitude + 1.08) / 1.13, (1.17 * magnitude + 0.67) / 1.13],
            default=np.nan,
        ),
        index=magnitude.index,
    )


class Problems:
    """
    What is wrong in the published files: counted by kind, the first few kept with their place.

    :param strict: Raise instead.
    """

    def __init__(self, strict: bool = False):
        self.strict = strict
        self.kinds: dict[str, dict] = {}

    def add(self, kind: str, action: str, file: Path, rows: pd.DataFrame) -> None:
        """
        Count rows with a problem.

        :param rows: The rows, indexed by line number, with their key in the column "key".
        :raises ValueError: If this is strict and there are any rows.
        """
        if not len(rows):
            return
        entry = self.kinds.setdefault(kind, {"count": 0, "action": action, "examples": []})
        entry["count"] += len(rows)
        for line, key in rows["key"].head(EXAMPLES - len(entry["examples"])).items():
            entry["examples"].append(f"{file.name} line {line} (key {key or 'none'})")
        if self.strict:
            raise ValueError(f"DiTing: {kind}: {'; '.join(entry['examples'])}.")

    def log(self) -> None:
        """One warning per kind."""
        for kind, entry in self.kinds.items():
            seisbench.logger.warning(
                f"DiTing: {entry['count']} x {kind} ({entry['action']}), such as "
                f"{'; '.join(entry['examples'])}."
            )


def build_index(
    path: Path,
    index: Path,
    parts: Sequence[int],
    shapes: str = "all",
    strict: bool = False,
    progress: bool = True,
) -> None:
    """
    Write the index of the given parts; the published files are only read.

    Metadata are read and written in pieces, so that memory does not grow with the data set but
    for the set of keys. The index appears under its name when it is complete, not before.

    :param path: Folder with the published files.
    :param index: Folder to write; an index there is replaced.
    :param parts: Numbers of the parts.
    :param shapes: ``"all"``, ``"some"`` or ``"none"``, see
        :py:class:`~seisbench_llm.data.diting.DiTing`.
    :param strict: Raise at the first problem.
    :param progress: Show a progress bar, in bytes of metadata.
    :raises FileNotFoundError: If files are missing; all of them are named.
    :raises ValueError: If a file is not of the published layout, if no record is left, or if
        ``index`` is a folder with something else in it.
    """
    if shapes not in ("all", "some", "none"):
        raise ValueError(f"shapes is 'all', 'some' or 'none', not {shapes!r}.")
    _require_files(path, parts)
    if index.exists() and any(index.iterdir()) and not (index / SUMMARY).is_file():
        raise ValueError(f"{index} is not empty and no index of DiTing. Name another folder.")
    replaces = index.exists()
    index.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=index.name + ".partial-", dir=index.parent))
    # mkdtemp is for the owner only, yet an index is as public as the folder it is in.
    partial.chmod(0o755)
    try:
        problems, keys, kept = Problems(strict), set(), 0
        total = sum(published_files(path, part)[0].stat().st_size for part in parts)
        with tqdm(
            total=total, unit="B", unit_scale=True, desc="Indexing DiTing", disable=not progress
        ) as bar:
            for part in parts:
                kept += _index_part(path, partial, part, shapes, problems, keys, bar)
                _write_link(partial, part, _link_target(path, index, part))
        problems.log()
        if not kept:
            raise ValueError(f"None of the records in {path} can be used: {problems.kinds}")
        (partial / "chunks").write_text("\n".join(chunk_name(part) for part in parts) + "\n")
        summary = {
            "records": kept,
            "shapes": shapes,
            "files": {str(part): _sizes(path, part) for part in parts},
            "problems": problems.kinds,
        }
        (partial / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n")
        if replaces:
            shutil.rmtree(index)
        try:
            partial.rename(index)
        except OSError:
            # Another process of the same job was faster; its index is as good.
            if not (index / SUMMARY).is_file():
                raise
            shutil.rmtree(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def check_index(path: Path, index: Path, parts: Sequence[int]) -> dict:
    """
    Make sure that an index belongs to the published files, and that its links lead to them.

    :return: The summary written by :py:func:`build_index`.
    :raises FileNotFoundError: If published files are missing.
    :raises ValueError: If the index lacks a part, or was built from files of other sizes.
    """
    _require_files(path, parts)
    summary = json.loads((index / SUMMARY).read_text())
    for part in parts:
        built_from = summary["files"].get(str(part))
        if built_from is None:
            raise ValueError(f"{index} has no part {part}. Pass rebuild=True to index it, too.")
        changed = [name for name, size in _sizes(path, part).items() if built_from[name] != size]
        if changed:
            raise ValueError(
                f"{index} was built from another version of {', '.join(changed)}. "
                f"Pass rebuild=True to build it anew."
            )
        target = _link_target(path, index, part)
        with h5py.File(index / f"waveforms{chunk_name(part)}.hdf5", "r") as file:
            moved = file.get("data", getlink=True).filename != target
        if moved:
            _write_link(index, part, target)
    return summary


def _require_files(path: Path, parts: Sequence[int]) -> None:
    unknown = sorted(set(parts) - set(PARTS))
    if unknown or not parts:
        raise ValueError(f"Parts of DiTing are 0 to {PARTS[-1]}, not {unknown or 'none'}.")
    missing = [
        file.name for part in parts for file in published_files(path, part) if not file.is_file()
    ]
    if missing:
        raise FileNotFoundError(
            f"Missing in {path}: {', '.join(missing)}. "
            f"If these are not to be used, name the others as parts=[...]."
        )


def _sizes(path: Path, part: int) -> dict[str, int]:
    # Not the modification time: a copied data set keeps its index.
    return {file.name: file.stat().st_size for file in published_files(path, part)}


def _link_target(path: Path, index: Path, part: int) -> str:
    # HDF5 takes a relative name from the folder of the linking file: both may move together.
    path, index = path.resolve(), index.resolve()
    waveforms = published_files(path, part)[1]
    inside = index.is_relative_to(path)
    return os.path.relpath(waveforms, index) if inside else str(waveforms)


def _write_link(index: Path, part: int, target: str) -> None:
    file = index / f"waveforms{chunk_name(part)}.hdf5"
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    with h5py.File(partial, "w") as hdf5:
        # The root, not the group: SeisBench would read a trace name like 000001.0100 as a number.
        hdf5["data"] = h5py.ExternalLink(target, "/")
        hdf5["data_format/dimension_order"] = "WC"
        hdf5["data_format/component_order"] = "ZNE"
        hdf5["data_format/sampling_rate"] = SAMPLING_RATE
    partial.replace(file)


def _index_part(path, index, part, shapes, problems, keys, bar) -> int:
    """Write the metadata of a part; the number of records kept."""
    csv, hdf5 = published_files(path, part)
    metadata, kept = index / f"metadata{chunk_name(part)}.csv", 0
    with _open_waveforms(hdf5) as file:
        waveforms = file[GROUP]
        available = set(waveforms)
        # Which records to look at; counted over the part.
        step = {"all": 1, "some": max(1, len(available) // 100), "none": 0}[shapes]
        for rows in _read_rows(csv, bar):
            rows = _usable_rows(rows, part, csv, problems, keys, available)
            samples = pd.Series(
                [
                    _record_samples(waveforms, key) if step and line % step == 0 else RECORD_SAMPLES
                    for line, key in rows["key"].items()
                ],
                index=rows.index,
                dtype=np.int64,
            )
            wrong = samples < 0
            problems.add("waveform not of shape (samples, 3)", "left out", csv, rows[wrong])
            rows, samples = rows[~wrong], samples[~wrong]
            columns = _to_seisbench(rows, samples, csv, problems)
            columns.to_csv(metadata, mode="a", header=not metadata.exists(), index=False)
            kept += len(columns)
    return kept


def _open_waveforms(file: Path) -> h5py.File:
    try:
        hdf5 = h5py.File(file, "r")
    except OSError as error:
        raise ValueError(f"{file} is not a complete HDF5 file: {error}") from error
    if not isinstance(hdf5.get(GROUP), h5py.Group):
        hdf5.close()
        raise ValueError(f"{file} has no group '{GROUP}'; it is not a file of DiTing.")
    return hdf5


def _record_samples(waveforms: h5py.Group, key: str) -> int:
    """Length of a record, -1 if it is not of shape (samples, 3)."""
    try:
        # The low-level call: five times faster, which is minutes over 2.7 million records.
        shape = h5py.h5d.open(waveforms.id, key.encode()).shape
    except (KeyError, OSError):  # a group of that name, or a broken record
        return -1
    return shape[0] if len(shape) == 2 and shape[0] and shape[1] == 3 else -1


def _read_rows(csv: Path, bar: tqdm) -> Iterator[pd.DataFrame]:
    """Pieces of a metadata file as text, indexed by line number; blank and "-" are ""."""
    wanted = ("part", *PUBLISHED)
    with open(csv, "rb") as file:
        try:
            pieces = pd.read_csv(
                file,
                dtype=object,
                keep_default_na=False,
                skip_blank_lines=False,
                usecols=lambda name: name.strip() in wanted,
                chunksize=ROWS_AT_ONCE,
            )
            done = 0
            for rows in pieces:
                rows.columns = rows.columns.str.strip()
                missing = [name for name in wanted if name not in rows.columns]
                if missing:
                    raise ValueError(f"{csv} has no column {', '.join(missing)}.")
                rows.index += 2  # line 1 is the header
                for name in wanted:
                    text = rows[name].fillna("").str.replace(" ", "", regex=False)
                    rows[name] = text.mask(text == "-", "")
                yield rows
                bar.update(file.tell() - done)
                done = file.tell()
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise ValueError(f"{csv} cannot be read: {error}") from error


def _usable_rows(rows, part, csv, problems, keys, available) -> pd.DataFrame:
    """Rows with a key that is well-formed, new and of a waveform; keys are padded and noted."""
    formed = rows["key"].str.fullmatch(r"\d{1,6}\.\d{1,4}")
    problems.add("key not like 000001.0001", "left out", csv, rows[~formed])
    rows = rows[formed].copy()
    # As numbers in a CSV file, keys lose zeros at either end.
    halves = rows["key"].str.split(".", n=1)
    rows["key"] = halves.str[0].str.rjust(6, "0") + "." + halves.str[1].str.ljust(4, "0")

    foreign = pd.to_numeric(rows["part"], errors="coerce") != part
    problems.add("row of another part", "left out", csv, rows[foreign])
    rows = rows[~foreign]

    # Not isin(), which would build a table of all keys for each piece.
    seen = rows["key"].duplicated() | np.array([key in keys for key in rows["key"]], dtype=bool)
    problems.add("key that was there before", "left out", csv, rows[seen])
    rows = rows[~seen]
    keys.update(rows["key"])

    silent = np.array([key not in available for key in rows["key"]], dtype=bool)
    problems.add("row without a waveform", "left out", csv, rows[silent])
    return rows[~silent]


def _to_seisbench(rows, samples, csv, problems) -> pd.DataFrame:
    """Published columns, as text, to SeisBench's columns."""
    values = rows[["key"]].copy()
    for name in PUBLISHED:
        if name not in _TEXT:
            numbers = pd.to_numeric(rows[name], errors="coerce").astype(np.float64)
            values[name] = numbers.where(np.isfinite(numbers))
            broken = values[name].isna() & (rows[name] != "")
            problems.add(f"{name} that is no number", "taken as missing", csv, rows[broken])
        elif name != "key":
            values[name] = rows[name].where(rows[name] != "")
    values["ev_id"] = values["ev_id"].where(values["ev_id"] % 1 == 0).astype("Int64")
    problems.add("no ev_id", "taken as missing", csv, rows[values["ev_id"].isna()])

    for name in ("p_pick", "s_pick"):
        outside = (values[name] <= 0) | (values[name] >= samples)
        problems.add(f"{name} outside the record", "taken as missing", csv, rows[outside])
        values.loc[outside, name] = np.nan

    motion = rows["p_motion"].str.lower()
    unknown = (motion != "") & ~motion.isin(list(_POLARITY))
    problems.add("unknown p_motion", "taken as missing", csv, rows[unknown])
    values["p_motion"] = motion.map(_POLARITY)
    values["baz"] %= 360

    kind = rows["mag_type"].str.lower()
    unknown = ~kind.isin(["ml", "ms", "mb"]) & (values["evmag"].notna() | (kind != ""))
    problems.add("unknown mag_type", "magnitude taken as missing", csv, rows[unknown])
    values["source_magnitude_published"] = values["evmag"]
    values["source_magnitude_type_published"] = values["mag_type"]
    for name in ("evmag", "st_mag"):
        # Six digits are more than a magnitude has, and keep the rounding error of the
        # conversion out of the file.
        values[name] = to_local_magnitude(values[name], kind).round(6)
    values["mag_type"] = kind.isin(["ml", "ms", "mb"]).map({True: "ML", False: None})

    values["key"] = f"{GROUP}/" + values["key"]
    return values.rename(columns=PUBLISHED)
