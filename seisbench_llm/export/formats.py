"""File formats of picks and events, and which function writes each."""

from __future__ import annotations

import io
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import obspy
import pandas as pd
import seisbench
from obspy.core.event import (
    Arrival,
    Catalog,
    Event,
    Origin,
    Pick,
    ResourceIdentifier,
    WaveformStreamID,
)

from ..trace_ids import TraceId
from .csv_formats import require_p_and_s, write_eqtransformer, write_phasenet
from .files import import_pyarrow, write_csv, write_parquet
from .growclust import numbers_of, write_growclust
from .quakeml import PICK_UNCERTAINTY
from .scml import write_scml
from .tables import COLUMNS
from .times import ISO


@dataclass(frozen=True)
class Format:
    """
    A file format.

    :param name: Name.
    :param suffixes: Suffixes of file names in this format.
    :param write: Function of the picks and the path.
    :param catalog: Whether the function takes an ObsPy catalogue instead of a table.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Callable
    catalog: bool = False


def format_of(path: Path, name: str | None = None) -> str:
    """
    Name of the format that belongs to the suffix of a file.

    :param name: Name of the format, if it was passed.
    :raises ValueError: If the format is unknown. The message names the known ones.
    """
    if name is not None:
        if name in FORMATS:
            return name
        raise ValueError(f"Unknown format '{name}'. Formats: {', '.join(FORMATS)}.")
    found = suffix_format(path)
    if found is not None:
        return found
    known = ", ".join(f"{form.name} ({' '.join(form.suffixes)})" for form in FORMATS.values())
    raise ValueError(f"The suffix of {path.name} is not one of a format. Known formats: {known}.")


def suffix_format(path: Path) -> str | None:
    """Name of the format that belongs to the suffix of a file, None if it belongs to none."""
    ends = {suffix: form.name for form in FORMATS.values() for suffix in form.suffixes}
    suffixes = sorted(ends, key=len, reverse=True)
    return next((ends[end] for end in suffixes if path.name.lower().endswith(end)), None)


def require(name: str, associated: bool = True) -> None:
    """
    Check that a format can be written, before the work begins.

    :param associated: Whether the picks come with events.
    :raises ImportError: If a package is missing. The message says how to install it.
    :raises ValueError: If the format needs events and there are none.
    """
    if name == "parquet":
        import_pyarrow()
    if name in _LOCATED and not associated:
        raise ValueError(_no_events(_LOCATED[name]))


# Formats that hold located events only.
_LOCATED = {"hypodd": "HypoDD", "growclust": "GrowClust"}


def _no_events(program: str) -> str:
    return (
        f"{program} needs located events. Associate the picks first, for example with PyOcto, and "
        f"pass seisbench_llm.export.export a catalogue, or events= and a column 'event_id' of the "
        f"picks."
    )


def _write_quakeml(catalog: Catalog, path: Path) -> None:
    for pick in _picks(catalog):
        codes = _codes(pick)
        for code in (codes.network_code, codes.station_code, codes.location_code):
            if code and len(code) > 8:
                raise ValueError(
                    f"QuakeML has room for codes of 8 characters; {codes.get_seed_string()} has a "
                    f"longer one. Rename it, or export as csv or parquet."
                )
    catalog.write(str(path), format="QUAKEML")


def picks_to_pyocto(frame: pd.DataFrame) -> pd.DataFrame:
    """
    Picks in the format of ``pyocto.OctoAssociator.associate``: station, phase, time, probability.

    ``station`` is NET.STA.LOC, as in PyOcto's ``inventory_to_df``; ``time`` is in seconds since
    1970. An unknown probability becomes 1. Further columns, which PyOcto copies to its assignments,
    are kept.

    :param frame: Table of :py:func:`seisbench_llm.export.picks_to_dataframe`.
    :raises ValueError: If a phase is neither P nor S.
    """
    require_p_and_s(frame, "PyOcto")
    out = pd.DataFrame(
        {
            "station": [TraceId.parse(name).location_id for name in frame["trace_id"]],
            "phase": frame["phase"].to_numpy(),
            "time": frame["time"].astype("int64").to_numpy() / 1e6,
            "probability": frame["probability"].fillna(1.0).to_numpy(),
        }
    )
    further = ["trace_id", *frame.columns.difference([*COLUMNS, *out.columns])]
    return out.assign(**{column: frame[column].to_numpy() for column in further})


def _write_pyocto(frame: pd.DataFrame, path: Path) -> None:
    picks_to_pyocto(frame).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def picks_to_gamma(frame: pd.DataFrame) -> pd.DataFrame:
    """
    Picks in the format of ``gamma.utils.association``: id, timestamp, type (p or s), prob.

    ``amp`` (m/s) is written if the table has a column ``amplitude``. Without it, GaMMA needs
    ``config["use_amplitude"] = False``. An unknown probability becomes 1.

    :param frame: Table of :py:func:`seisbench_llm.export.picks_to_dataframe`.
    :raises ValueError: If a phase is neither P nor S, or some picks have no amplitude.
    """
    require_p_and_s(frame, "GaMMA")
    out = pd.DataFrame(
        {
            "id": [TraceId.parse(name).location_id for name in frame["trace_id"]],
            "timestamp": frame["time"],
            "type": frame["phase"].str.lower(),
            "prob": frame["probability"].fillna(1.0),
        }
    )
    if "amplitude" in frame and frame["amplitude"].isna().any():
        seisbench.logger.warning(
            f"{frame['amplitude'].isna().sum()} picks have no amplitude: none is written for GaMMA."
        )
    elif "amplitude" in frame:
        if not (frame["amplitude"] > 0).all():
            raise ValueError("GaMMA takes the logarithm of amplitudes: all must be above zero.")
        out["amp"] = frame["amplitude"]
    return out


def _write_gamma(frame: pd.DataFrame, path: Path) -> None:
    # GaMMA uses datetime.fromisoformat, which does not know Z before Python 3.11.
    picks_to_gamma(frame).to_csv(path, index=False, date_format=ISO, lineterminator="\n")


def _write_hypodd(catalog: Catalog, path: Path) -> None:
    events = [event for event in catalog if event.origins]
    located = [event for event in events if not _missing(event)]
    if not events:
        raise ValueError(_no_events("HypoDD"))
    if not located:
        missing = ", ".join(_missing(events[0]))
        raise ValueError(f"The origin of {events[0].resource_id} has no {missing}.")
    pairs = zip(located, numbers_of(located), strict=True)
    out = Catalog([_hypodd_event(event, number) for event, number in pairs])
    _require_one_network(out, "HypoDD")
    left_out = len(_picks(catalog)) - len(_picks(out))
    if left_out:
        without = f" of {n} events without a depth" if (n := len(events) - len(located)) else ""
        seisbench.logger.warning(
            f"{left_out} picks are not in {path.name}{without}: HypoDD takes only P and S "
            f"of events "
            f"with a depth and with a weight above zero."
        )
    with warnings.catch_warnings():
        # HypoDD's format has no missing magnitudes, so they are 0.0.
        warnings.filterwarnings("ignore", message="Missing magnitude")
        out.write(str(path), format="HYPODDPHA")


def _origin(event: Event) -> Origin:
    return event.preferred_origin() or event.origins[0]


def _missing(event: Event) -> list[str]:
    """Quantities that HypoDD needs and that an event lacks."""
    origin = _origin(event)
    return [k for k in ("time", "latitude", "longitude", "depth") if origin[k] is None]


def _hypodd_event(event: Event, number: int) -> Event:
    """
    An event with those quantities that HypoDD's format contains.

    :param number: Number of the event. HypoDD's numbers have up to 9 digits.
    """
    origin = _origin(event)
    arrivals = {str(arrival.pick_id): arrival for arrival in origin.arrivals}
    picks, kept = [], []
    for pick in event.picks:
        arrival = arrivals.get(str(pick.resource_id))
        phase = ((arrival and arrival.phase) or pick.phase_hint or "?")[0].upper()
        weight = arrival.time_weight if arrival else None
        # ObsPy writes a weight of zero as one.
        if phase in "PS" and weight != 0:
            _require_code(pick, "HypoDD", 7)
            picks.append(_copy(pick, phase))
            kept.append(Arrival(pick_id=picks[-1].resource_id, phase=phase, time_weight=weight))
    fields = ("time", "latitude", "longitude", "depth", "quality")
    errors = ("latitude_errors", "longitude_errors", "depth_errors")
    magnitude = event.preferred_magnitude() or next(iter(event.magnitudes), None)
    return Event(
        resource_id=ResourceIdentifier(str(number)),
        picks=picks,
        origins=[Origin(**{key: origin[key] for key in (*fields, *errors)}, arrivals=kept)],
        magnitudes=[magnitude] if magnitude else [],
    )


def _write_nlloc(catalog: Catalog, path: Path, uncertainty: float = PICK_UNCERTAINTY) -> None:
    if not uncertainty > 0:
        raise ValueError(f"The uncertainty of picks must be above 0 s, it is {uncertainty}.")
    located = [event for event in catalog if event.origins]
    events = located or list(catalog)
    left_out = len(_picks(catalog)) - len(_picks(events))
    if left_out:
        seisbench.logger.warning(
            f"{left_out} picks without a located event are not in {path.name}, because NonLinLoc "
            f"would locate them as one event."
        )
    _require_one_network(events, "NonLinLoc")
    blocks = [block for event in events if (block := _nlloc_block(event, path, uncertainty))]
    # An empty line ends an event.
    path.write_bytes(b"\n".join(blocks))


def _nlloc_block(event: Event, path: Path, uncertainty: float) -> bytes:
    picks = [_copy(pick, pick.phase_hint) for pick in event.picks]
    if not picks:
        return b""
    for pick in picks:
        _require_code(pick, "NonLinLoc", None)
        # ObsPy writes 4 decimals and would write 59.99996 s as 60.0000.
        pick.time = obspy.UTCDateTime(ns=round(pick.time.ns / 1e5) * 100_000)
        if pick.time_errors.uncertainty is None and pick.time_errors.lower_uncertainty is None:
            pick.time_errors.uncertainty = uncertainty
    phases = [(_codes(p).station_code, p.phase_hint) for p in picks]
    if not event.origins and len(set(phases)) < len(phases):
        seisbench.logger.warning(
            f"{path.name} has picks of more than one event in one block, which NonLinLoc "
            f"locates as one event: associate them first, and pass the events to export."
        )
    buffer = io.BytesIO()
    Catalog([Event(resource_id=event.resource_id, picks=picks)]).write(buffer, "NLLOC_OBS")
    return buffer.getvalue()


def _copy(pick: Pick, phase: str) -> Pick:
    keep = ("time", "time_errors", "waveform_id", "onset", "polarity")
    return Pick(phase_hint=phase, **{key: pick[key] for key in keep})


def _codes(pick: Pick) -> WaveformStreamID:
    """Codes of a pick. Some catalogues have none."""
    return pick.waveform_id or WaveformStreamID()


def _picks(events: Iterable[Event]) -> list[Pick]:
    return [pick for event in events for pick in event.picks]


def _require_code(pick: Pick, program: str, length: int | None) -> None:
    for name, code in (
        ("station", _codes(pick).station_code),
        ("phase", pick.phase_hint),
        ("channel", _codes(pick).channel_code or "?"),
    ):
        if not code or re.search(r"[\s#]", code):
            raise ValueError(f"{program} cannot read the {name} code '{code or ''}'.")
    code = _codes(pick).station_code
    if length is not None and len(code) > length:
        raise ValueError(
            f"{program} has room for station codes of {length} characters; '{code}' has "
            f"{len(code)}. Rename the station in the picks."
        )


def _require_one_network(events: Iterable[Event], program: str) -> None:
    """These formats do not contain networks, so that stations of two networks would become one."""
    networks = defaultdict(set)
    for pick in _picks(events):
        networks[_codes(pick).station_code].add(_codes(pick).network_code or "")
    for station, codes in networks.items():
        if len(codes) > 1:
            raise ValueError(
                f"{program} has stations without networks, and {station} is in "
                f"{' and '.join(sorted(codes))}. Rename one, or export them separately."
            )


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("csv", (".csv",), write_csv),
        Format("parquet", (".parquet",), write_parquet),
        Format("quakeml", (".xml", ".quakeml"), _write_quakeml, catalog=True),
        Format("scml", (".scml",), write_scml, catalog=True),
        Format("pyocto", (".pyocto.csv",), _write_pyocto),
        Format("gamma", (".gamma.csv",), _write_gamma),
        Format("phasenet", (".phasenet.csv",), write_phasenet),
        Format("eqtransformer", (".eqt.csv",), write_eqtransformer),
        Format("hypodd", (".pha",), _write_hypodd, catalog=True),
        Format("growclust", (".evlist",), write_growclust, catalog=True),
        Format("nlloc", (".obs",), _write_nlloc, catalog=True),
    )
}
