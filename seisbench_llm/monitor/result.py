"""Results of a monitor: tables, and an ObsPy catalogue for QuakeML 1.2."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
import obspy
import pandas as pd
from obspy.core.event import (
    Arrival,
    Catalog,
    Event,
    Magnitude,
    Origin,
    Pick,
    StationMagnitude,
    StationMagnitudeContribution,
)
from obspy.geodetics import kilometers2degrees
from seisbench.util import PickList

from ..atomic import replacing
from ..export.files import write_csv
from ..export.origins import origin_fields, origin_texts
from ..export.quakeml import (
    build_comments,
    build_pick,
    creation_info,
    estimate_text,
    finite,
    identifier,
    method_id,
    quantity_error,
    resource_id,
    unassociated_event,
    waveform_id,
)
from ..export.tables import AMPLITUDE_TYPES, empty
from ..export.times import timestamp
from ..streams.skipped import SkippedList
from ..tasks import get_task
from .amplitudes import add_to_event
from .hypocentre import NETWORK
from .location import SINGLE_STATION
from .tables import pick_key, standard_error

SINGLE_STATION_NOTE = (
    "Epicentre from the distance and back-azimuth estimates of a single station. Depth unknown. "
    "Not confirmed by any other station."
)


EDGE_NOTE = "At the edge of the search volume: probably not a single event, or outside the volume."


def to_catalog(
    result: MonitorResult, unassociated: bool = False, single_station: bool | None = None
) -> Catalog:
    """
    The located events, or the picks that belong to no event.

    The same result gives the same resource ids. Station magnitudes only exist for located events,
    because QuakeML links each of them to an origin. The comments of a pick always hold its
    estimates. Uncertainties are standard deviations. Epicentre ellipses hold 68 %.

    :param result: Results of a monitor.
    :param unassociated: Whether to return one event without origin with all picks that belong to no
        event, if there are any. They have their own catalogue, because NonLinLoc would locate
        this event, and NORDIC, CNV and KML cannot represent it.
    :param single_station: True for events of a single station only, False for events of several
        stations only, None for all.
    :return: Catalogue that writes as valid QuakeML 1.2 and reads back equal.
    """
    rows = {(row["trace_id"], row["p_time"].value): row for row in result.table.to_dict("records")}
    picks = [_pick(pick, rows, result) for pick in result.picks]
    # A pick that PyOcto gave to two events at the border of its time slices is kept once.
    arrivals = result.arrivals.drop_duplicates("pick")
    if unassociated:
        free = sorted(set(range(len(picks))) - set(arrivals["pick"]))
        events = [unassociated_event([picks[i] for i in free])] if free else []
    else:
        members = dict(iter(arrivals.groupby("event_id")))
        events = [
            _event(located, members.get(located["event_id"], arrivals[:0]), picks, rows, result)
            for located in result.events.to_dict("records")
            if single_station in (None, located["method"] == SINGLE_STATION)
        ]
    name = identifier(*(event.resource_id.id for event in events))
    return Catalog(events, resource_id=resource_id("catalog", name), creation_info=creation_info())


def _row(pick, rows: dict) -> dict | None:
    if pick.phase != "P":
        return None
    return rows.get((pick.trace_id, timestamp(pick.peak_time).value))


def _sigma(row: dict, task: str, result: MonitorResult) -> float:
    return standard_error(row[f"{task}_spread"], result.errors.get(task))


def _pick(pick, rows: dict, result: MonitorResult) -> Pick:
    row = _row(pick, rows)
    fields, texts = {}, []
    if row is not None:
        texts = [text for task in result.methods if (text := _estimate(task, row, result))]
        back_azimuth = finite(row["back_azimuth"])
        if back_azimuth is not None:
            fields["backazimuth"] = back_azimuth
            fields["backazimuth_errors"] = quantity_error(_sigma(row, "back_azimuth", result))
    return build_pick(
        pick.trace_id,
        pick.phase,
        obspy.UTCDateTime(ns=timestamp(pick.peak_time).value),
        result.methods["picking"],
        name=identifier(pick_key(pick), *result.methods.values()),
        instrument=getattr(pick, "instrument", None),
        probability=pick.peak_value,
        polarity=pick.polarity,
        uncertainty=result.errors.get("picking", getattr(pick, "time_uncertainty", None)),
        comments=texts,
        **fields,
    )


def _estimate(task: str, row: dict, result: MonitorResult) -> str | None:
    """The estimate of a task at a pick, as text."""
    method = result.methods[task]
    if task == "polarity" and isinstance(row["polarity"], str):
        return (
            f"polarity {row['polarity']}, probability {row['polarity_probability']:.2f}, {method}"
        )
    formats = {
        "magnitude": ("magnitude", "magnitude", 2, ""),
        "distance": ("distance_km", "distance", 1, "km"),
        "back_azimuth": ("back_azimuth", "back-azimuth", 1, "degrees"),
    }
    if task not in formats or not np.isfinite(row[formats[task][0]]):
        return None
    column, word, digits, unit = formats[task]
    text = estimate_text(word, row[column], _sigma(row, task, result), digits, unit)
    return f"{text}, {method}"


def _event(located: dict, members: pd.DataFrame, picks: list, rows: dict, result) -> Event:
    name = located["event_id"]
    origin = _origin(located, members, picks, result)
    stations = _station_magnitudes(located, members, picks, rows, result, origin)
    event = Event(
        resource_id=resource_id("event", name),
        picks=[picks[i] for i in members["pick"]],
        origins=[origin],
        preferred_origin_id=origin.resource_id.id,
        station_magnitudes=stations,
        creation_info=creation_info(),
    )
    if stations:
        values = [magnitude.mag for magnitude in stations]
        magnitude = Magnitude(
            resource_id=resource_id("magnitude", name),
            mag=located["model_magnitude"],
            mag_errors=quantity_error(
                standard_error(located["model_magnitude_spread"], result.errors.get("magnitude"))
            ),
            magnitude_type=stations[0].station_magnitude_type,
            origin_id=origin.resource_id.id,
            method_id=method_id(result.methods["magnitude"]),
            station_count=len(values),
            evaluation_mode="automatic",
            station_magnitude_contributions=[
                StationMagnitudeContribution(
                    station_magnitude_id=one.resource_id.id,
                    residual=one.mag - float(np.median(values)),
                )
                for one in stations
            ],
            comments=build_comments(
                f"magnitude_{name}", ["median of the model's estimates at the stations"]
            ),
            creation_info=creation_info(),
        )
        event.magnitudes = [magnitude]
        event.preferred_magnitude_id = magnitude.resource_id.id
    if np.isfinite(located["ml"]):
        add_to_event(event, located, picks, result)
    return event


def _origin(located: dict, members: pd.DataFrame, picks: list, result: MonitorResult) -> Origin:
    name = located["event_id"]
    single = located["method"] == SINGLE_STATION
    notes = origin_texts(located)
    notes += [SINGLE_STATION_NOTE] if single else [f"associated by {'/'.join(_pyocto())}"]
    notes += [EDGE_NOTE] if located["at_edge"] else []
    fields = origin_fields(located)
    quality = fields["quality"]
    quality.associated_phase_count = quality.used_phase_count
    quality.minimum_distance = _degrees(members["distance_km"].min())
    quality.maximum_distance = _degrees(members["distance_km"].max())
    return Origin(
        resource_id=resource_id("origin", name),
        time=obspy.UTCDateTime(ns=located["time"].value),
        latitude=float(located["latitude"]),
        longitude=float(located["longitude"]),
        method_id=resource_id("single_station" if single else NETWORK),
        earth_model_id=resource_id(result.earth_model),
        arrivals=[_arrival(name, one, picks) for one in members.to_dict("records")],
        evaluation_mode="automatic",
        evaluation_status="preliminary" if single or located["at_edge"] else None,
        comments=build_comments(f"origin_{name}", notes),
        creation_info=creation_info(),
        **fields,
    )


def _pyocto() -> list[str]:
    from importlib.metadata import version

    return ["PyOcto", version("pyocto")]


def _degrees(km: float) -> float | None:
    return None if not np.isfinite(km) else float(kilometers2degrees(km))


def _arrival(name: str, one: dict, picks: list) -> Arrival:
    pick = picks[one["pick"]]
    return Arrival(
        resource_id=resource_id("arrival", identifier(name, pick.resource_id.id)),
        pick_id=pick.resource_id.id,
        phase=pick.phase_hint,
        distance=_degrees(one["distance_km"]),
        azimuth=finite(one["azimuth"]),
        time_residual=finite(one["residual"]),
        time_weight=finite(one["weight"]),
    )


def _station_magnitudes(located, members, picks, rows, result, origin) -> list[StationMagnitude]:
    magnitudes = []
    for index in members["pick"]:
        pick = result.picks[index]
        row = _row(pick, rows)
        if row is None or not np.isfinite(row["magnitude"]):
            continue
        magnitudes.append(
            StationMagnitude(
                resource_id=resource_id(
                    "stationmagnitude",
                    identifier(located["event_id"], picks[index].resource_id.id),
                ),
                origin_id=origin.resource_id.id,
                mag=float(row["magnitude"]),
                mag_errors=quantity_error(_sigma(row, "magnitude", result)),
                station_magnitude_type=get_task("magnitude").unit,
                method_id=method_id(result.methods["magnitude"]),
                waveform_id=waveform_id(pick.trace_id, getattr(pick, "instrument", None)),
                creation_info=creation_info(),
            )
        )
    return magnitudes


@dataclass(repr=False)
class MonitorResult:
    """
    Results of a monitor.

    :param picks: All picks of SeisBench, including S picks without a P. Each has an ``event_id``,
        which is None if the pick belongs to no event.
    :param table: One row per P pick, see docs/reference/tables.md. Distances are in km, angles in
        degrees. ``uncertainty_region`` is well-known text. ``event_id`` is as in ``events``.
    :param events: One row per located event. Events of several stations are ``network_events``.
        Single-station epicentres of other P and S picks are ``single_station_events``. ``method``
        distinguishes them. Uncertainties are standard deviations. Regions and intervals hold 68 %.
    :param arrivals: Picks (index into ``picks``) of each event, with distance (km), azimuth
        (degrees, event to station), residual (s) and weight of the pick in the location.
    :param methods: Task -> weight name and version.
    :param errors: Standard errors given to the monitor.
    :param earth_model: Name of the medium of the locations.
    :param left_out: Number of omitted events of quality D. Their picks belong to no event.
    :param skipped: Traces that were skipped or are of doubtful use, with the cause.
    :param amplitudes: One row per pick with its amplitude, see docs/reference/tables.md.
    :param station_magnitudes: ML (``ml``) of each S pick of an event.
    :param magnitude_scale: Scale of these ML.
    """

    picks: PickList
    table: pd.DataFrame
    events: pd.DataFrame
    arrivals: pd.DataFrame
    methods: dict[str, str] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    earth_model: str = ""
    left_out: int = 0
    skipped: SkippedList = field(default_factory=SkippedList)
    amplitudes: pd.DataFrame = field(default_factory=lambda: empty(AMPLITUDE_TYPES))
    station_magnitudes: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["event_id", "pick", "trace_id", "ml"])
    )
    magnitude_scale: str = "iaspei"

    def to_dataframe(self) -> pd.DataFrame:
        """A copy of the table."""
        return self.table.copy()

    def to_csv(self, path) -> None:
        """
        Write the table as CSV, with times in ISO 8601 with microseconds.

        :param path: File to write.
        """
        with replacing(path) as partial:
            write_csv(self.table, partial)

    def to_catalog(
        self, unassociated: bool = False, single_station: bool | None = None
    ) -> obspy.Catalog:
        """
        The located events as an ObsPy catalogue, see :py:func:`to_catalog`.

        :param unassociated: Whether to return the picks that belong to no event instead.
        :param single_station: True for events of a single station only, False for the others.
        """
        return to_catalog(self, unassociated, single_station)

    @property
    def network_events(self) -> pd.DataFrame:
        """Events of several stations."""
        return self.events[self.events["method"] != SINGLE_STATION].reset_index(drop=True)

    @property
    def single_station_events(self) -> pd.DataFrame:
        """Events of a single station. No other station confirms them. Their depth is unknown."""
        return self.events[self.events["method"] == SINGLE_STATION].reset_index(drop=True)

    def __repr__(self) -> str:
        """Summary in one line. Print the tables for details."""
        return f"MonitorResult({self})"

    def _repr_html_(self) -> str:
        """The summary and the first events, for notebooks."""
        columns = ["time", "latitude", "longitude", "depth_km", "magnitude", "picks", "quality"]
        shown = self.events if len(self.events) else self.table
        known = [name for name in columns if name in shown] or list(shown)[:8]
        return f"<p>{escape(str(self))}</p>{shown[known].head(10).to_html(index=False)}"

    def __str__(self) -> str:
        stations = {pick.trace_id for pick in self.picks}
        return (
            f"{len(self.table)} P and {sum(p.phase == 'S' for p in self.picks)} S picks at "
            f"{len(stations)} stations, {len(self.network_events)} located events"
            + (
                f", {single} of a single station"
                if (single := len(self.single_station_events))
                else ""
            )
            + (f", {self.left_out} of quality D left out" if self.left_out else "")
        )
