"""Picks in the CSV files of PhaseNet and EQTransformer: writing and reading."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import seisbench

from ..trace_ids import TraceId, codes_of
from .times import ISO

# Columns that tell the files of the two programs from other tables.
PHASENET_COLUMNS = ("station_id", "phase_time", "phase_type")
EQTRANSFORMER_COLUMNS = ("network", "station", "p_arrival_time", "s_arrival_time")

# Codes are text: location 00 is not zero, and network NA is not a missing value.
_CODES = ("station_id", "phase_type", "network", "station", "instrument_type", "file_name")

# In EQTransformer's files, P and S of one detection share a row. S follows P by less than this.
_LONGEST_S_MINUS_P_S = 120.0


def require_p_and_s(frame: pd.DataFrame, program: str) -> None:
    """
    :raises ValueError: If a table of picks has a phase other than P and S.
    """
    other = set(frame["phase"]) - {"P", "S"}
    if other:
        raise ValueError(f"{program} knows only the phases P and S, not {sorted(map(str, other))}.")


def pair(frame: pd.DataFrame) -> list[tuple[int | None, int | None]]:
    """
    P and S picks that belong together: at one instrument, S follows P before the next P.

    :param frame: Table of picks, see :py:func:`seisbench_llm.export.picks_to_dataframe`.
    :return: Rows of P and S, from 0. A pick without a partner has None. Each row occurs once. The
        pairs are sorted by time.
    """
    places = [_instrument_id(row) for row in frame.itertuples()]
    phases, times = frame["phase"].to_numpy(), frame["time"].astype("int64").to_numpy() / 1e6
    pairs: list[tuple[int | None, int | None]] = []
    waiting: dict[str, int] = {}
    for row in np.argsort(times, kind="stable"):
        place = places[row]
        first = waiting.pop(place, None)
        if phases[row] == "S":
            near = first is not None and times[row] - times[first] < _LONGEST_S_MINUS_P_S
            pairs += [(first, row)] if near else [(first, None)] * (first is not None)
            pairs += [] if near else [(None, row)]
            continue
        if first is not None:
            pairs.append((first, None))
        waiting[place] = row
    pairs += [(row, None) for row in waiting.values()]
    return sorted(pairs, key=lambda two: times[two[0] if two[0] is not None else two[1]])


def _instrument_id(row) -> str:
    place = codes_of(row.trace_id)
    return f"{place.location_id}.{row.instrument or ''}"


def write_phasenet(frame: pd.DataFrame, path: Path) -> None:
    """
    Write picks as PhaseNet's ``picks.csv``: station_id, phase_time, phase_score, phase_type and, if
    the table has it, phase_amplitude.

    :raises ValueError: If a phase is neither P nor S, or a trace id is none.
    """
    require_p_and_s(frame, "PhaseNet")
    places = [TraceId.parse(name) for name in frame["trace_id"]]
    out = pd.DataFrame(
        {
            "station_id": [
                f"{place.location_id}.{instrument or ''}"
                for place, instrument in zip(places, frame["instrument"], strict=True)
            ],
            "phase_time": frame["time"],
            "phase_score": frame["probability"],
            "phase_type": frame["phase"],
        }
    )
    if "amplitude" in frame:
        out["phase_amplitude"] = frame["amplitude"]
    out.to_csv(path, index=False, date_format=ISO, lineterminator="\n")


def read_phasenet(path: Path) -> pd.DataFrame:
    """Read PhaseNet's ``picks.csv`` with absolute times."""
    frame = _read(path, PHASENET_COLUMNS)
    places = [codes_of(name) for name in frame["station_id"]]
    amplitude = next((n for n in ("phase_amplitude", "phase_amp") if n in frame), None)
    columns = {
        "trace_id": [place.pick_id for place in places],
        "phase": frame["phase_type"].str.upper(),
        "time": frame["phase_time"],
        "probability": frame.get("phase_score", np.nan),
        "instrument": [place.instrument for place in places],
    }
    if amplitude is not None:
        columns["amplitude"] = pd.to_numeric(frame[amplitude])
    # GaMMA adds these two.
    columns |= {name: frame[name] for name in ("event_index", "gamma_score") if name in frame}
    return pd.DataFrame(columns, index=frame.index)


def write_eqtransformer(frame: pd.DataFrame, path: Path) -> None:
    """
    Write picks as EQTransformer's ``X_prediction_results.csv``.

    A row has a P and the S that follows it at the same instrument, or one of them. Columns that
    picks do not have, such as the coordinates and the signal-to-noise ratios, are empty.

    :raises ValueError: If a phase is neither P nor S.
    """
    require_p_and_s(frame, "EQTransformer")
    texts = frame["time"].dt.strftime("%Y-%m-%d %H:%M:%S.%f").to_numpy()
    rows = []
    for p, s in pair(frame):
        one = [row for row in (p, s) if row is not None]
        place = codes_of(frame["trace_id"].iloc[one[0]])
        instrument = frame["instrument"].iloc[one[0]] or ""
        rows.append(
            {
                "file_name": f"{place.station}_{place.network}_{instrument}",
                "network": place.network,
                "station": place.station,
                "instrument_type": instrument,
                **dict.fromkeys(("station_lat", "station_lon", "station_elv")),
                "event_start_time": texts[one[0]],
                "event_end_time": texts[one[-1]],
                "detection_probability": frame["probability"].iloc[one].max(),
                "detection_uncertainty": None,
                **_onset(frame, texts, "p", p),
                **_onset(frame, texts, "s", s),
            }
        )
    pd.DataFrame(rows, columns=_EQTRANSFORMER).to_csv(path, index=False, lineterminator="\n")


_EQTRANSFORMER = (
    *("file_name", "network", "station", "instrument_type"),
    *("station_lat", "station_lon", "station_elv", "event_start_time", "event_end_time"),
    *("detection_probability", "detection_uncertainty"),
    *("p_arrival_time", "p_probability", "p_uncertainty", "p_snr"),
    *("s_arrival_time", "s_probability", "s_uncertainty", "s_snr"),
)


def _onset(frame: pd.DataFrame, texts: np.ndarray, letter: str, row: int | None) -> dict:
    if row is None:
        return {}
    return {
        f"{letter}_arrival_time": texts[row],
        f"{letter}_probability": frame["probability"].iloc[row],
    }


def read_eqtransformer(path: Path) -> pd.DataFrame:
    """
    Read EQTransformer's ``X_prediction_results.csv``. The uncertainties in it are those of
    probabilities, and are not read.
    """
    frame = _read(path, EQTRANSFORMER_COLUMNS)
    instruments = [str(code).strip() for code in frame.get("instrument_type", [""] * len(frame))]
    ids = [
        TraceId(network.strip(), station.strip(), "", instrument)
        for network, station, instrument in zip(
            frame["network"], frame["station"], instruments, strict=True
        )
    ]
    parts = []
    for letter in "ps":
        times = frame[f"{letter}_arrival_time"].replace("", np.nan)
        part = pd.DataFrame(
            {
                "trace_id": [place.pick_id for place in ids],
                "phase": letter.upper(),
                "time": times,
                "probability": frame.get(f"{letter}_probability", np.nan),
                "instrument": instruments,
            }
        )
        parts.append(part[times.notna().to_numpy()])
    picks = pd.concat(parts)
    # The first pick of a detection comes first, as in the file.
    return picks.sort_index(kind="stable").reset_index(drop=True)


def separator_of(path: Path) -> str:
    """What is between the columns of a table: a comma, or a tab, as of GaMMA's first versions."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return separator(file.readline())


def separator(header: str) -> str:
    """What is between the columns of a table with this first line."""
    return "\t" if "\t" in header and "," not in header else ","


def read_table(path: Path, **kwargs) -> pd.DataFrame:
    """
    :py:func:`pandas.read_csv` for a table with commas or tabs. Its first column is no index.

    Fields beyond the header are not read. A warning names the file, unless they are empty.
    """
    kwargs = {"sep": separator_of(path), "index_col": False, **kwargs}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, **kwargs)
    except pd.errors.ParserWarning:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            header, *rows = csv.reader(file, delimiter=kwargs["sep"])
        lines = [n for n, row in enumerate(rows, 2) if any(map(str.strip, row[len(header) :]))]
        if lines:
            seisbench.logger.warning(
                f"{path}: {len(lines)} lines have more fields than the header, the first is line "
                f"{lines[0]}; these fields are not read."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            return pd.read_csv(path, **kwargs)


def _read(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    frame = read_table(
        path,
        dtype=dict.fromkeys(_CODES, str),
        keep_default_na=False,
        na_values=_NO_TEXT,
    )
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ValueError(f"it has no column {', '.join(missing)}")
    return frame


# In columns of numbers and times, an empty field is unknown. A network may be called NA.
_NO_TEXT = {
    f"{letter}_{name}": ["", "None", "nan"]
    for letter in "ps"
    for name in ("arrival_time", "probability")
} | {name: ["", "nan"] for name in ("phase_score", "phase_amplitude", "phase_amp")}
