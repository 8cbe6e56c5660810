"""Metadata of DiTing: the published columns as SeisBench's, and what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import seisbench
from tqdm import tqdm

# Group of the waveforms in the published files.
GROUP = "earthquake"

RECORD_SAMPLES = 9000  # 180 s, the bound that the published code puts on onsets


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


def read_rows(csv: Path, bar: tqdm) -> Iterator[pd.DataFrame]:
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


def usable_rows(rows, part, csv, problems, keys, available) -> pd.DataFrame:
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


def to_seisbench(rows, samples, csv, problems) -> pd.DataFrame:
    """Published columns, as text, to SeisBench's columns."""
    values = rows[["key"]].copy()
    for name in PUBLISHED:
        if name not in _TEXT:
            numbers = pd.to_numeric(rows[name], errors="coerce").astype(np.float64)
            values[name] = numbers.where(np.isfinite(numbers))
            broken = values[name].isna() & (rows[name] != "")
            problems.add(f"{name} that is not a number", "taken as missing", csv, rows[broken])
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
