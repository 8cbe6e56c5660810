"""Seismic monitor: picks, polarities, magnitudes, distances, back-azimuths, and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
from seisbench.util import PickList

from .. import weights
from ..amplitudes import local_magnitude, read_corrections
from ..export.tables import ARRIVAL_TYPES, ESTIMATE_TYPES, EVENT_TYPES, empty, typed
from ..export.times import timestamp
from ..models.estimators import estimate_at, estimate_columns
from ..models.seismollm import SeisMoLLM
from ..stations import Stations, warn_of_missing
from ..streams.orientation import Rotation
from ..streams.pairing import pair
from ..streams.skipped import said_once
from ..tasks import PUBLISHED_TASKS as TASKS
from . import association as octo
from .amplitudes import with_amplitudes
from .location import (
    StationPlace,
    distance_azimuth,
    epicenter,
    import_geod,
    place_columns,
    single_station_event,
    sp_distance,
)
from .quality import with_quality, without_poor
from .result import MonitorResult
from .tables import join, standard_error, with_magnitudes
from .velocity import VelocityModel

# Largest difference of distance and S-P distance that agree. The S-P distance is hypocentral and
# depends on an assumed medium.
SP_TOLERANCE_KM, SP_TOLERANCE = 10.0, 0.3


class SeismicMonitor:
    """
    Picks, and the estimates of the other models at each P pick.

    >>> monitor = SeismicMonitor(SeisMoLLM.from_pretrained("compact_picking"))
    >>> result = monitor.classify(obspy.read())
    >>> result.table[["trace_id", "p_time", "s_time"]].shape
    (1, 3)

    :param picker: A :py:class:`~seisbench_llm.SeisMoLLM` for picking.
    :param polarity: A model for polarity, or None to omit it. The others are alike.
    :param errors: Task -> standard error of its model, as ``seisbench-llm evaluate`` measures it:
        s (picking), ML (magnitude), km (distance), degrees (back_azimuth). It is added in
        quadrature to the spreads. Calibrated weights only need it if errors are larger than on the
        records of the calibration.
    :raises ValueError: If a model is for another task, or an error is negative or not a number.
    """

    def __init__(
        self,
        picker,
        polarity=None,
        magnitude=None,
        distance=None,
        back_azimuth=None,
        errors: Mapping[str, float] | None = None,
    ):
        models = dict(
            zip(TASKS, (picker, polarity, magnitude, distance, back_azimuth), strict=True)
        )
        for task, model in models.items():
            if model is None and task != "picking":
                continue
            its_task = getattr(getattr(model, "task", None), "name", type(model).__name__)
            if its_task != task:
                raise ValueError(f"The model given for {task} is for {its_task}.")
        for task, error in (errors or {}).items():
            if task not in TASKS or task == "polarity":
                raise ValueError(f"'{task}' cannot have a standard error.")
            if not (isinstance(error, Real) and 0 <= error < np.inf):
                raise ValueError(f"The standard error of {task} cannot be {error!r}.")
        self.models = {task: model for task, model in models.items() if model is not None}
        self.errors = dict(errors or {})
        self.methods = {task: _method(model) for task, model in self.models.items()}

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | Mapping[str, str] = "compact",
        strict: bool = False,
        errors: Mapping[str, float] | None = None,
    ) -> SeismicMonitor:
        """
        Load a family of weights.

        :param name: Family, such as ``compact``, or a mapping of task to weight name. A family is
            ``compact_picking`` and the local weights among ``compact_polarity``,
            ``compact_magnitude``, ``compact_distance`` and ``compact_back_azimuth``. Local weights
            are packaged, cached or, if the name is a path, at this path.
        :param strict: If true, all five weights must exist. Else a warning names missing ones.
        :param errors: See :py:class:`SeismicMonitor`.
        :raises seisbench_llm.WeightsError: If weights are not found or are damaged.
        :raises ValueError: If a task is unknown, or there is no picker.
        """
        if isinstance(name, Mapping):
            names = {task: str(weight) for task, weight in name.items()}
            if unknown := set(names) - set(TASKS):
                raise ValueError(f"Unknown task '{min(unknown)}'. Known tasks: {', '.join(TASKS)}.")
            if "picking" not in names:
                raise ValueError("A monitor needs a weight for picking.")
        else:
            names = {task: f"{name}_{task}" for task in TASKS}
            local = set(weights.list_local(SeisMoLLM))
            names = {t: n for t, n in names.items() if t == "picking" or _is_local(n, local)}
        missing = [task for task in TASKS if task not in names]
        if missing and strict:
            raise weights.WeightsError(
                f"No weights for {', '.join(missing)}. Local ones are: "
                f"{', '.join(weights.list_local(SeisMoLLM))}."
            )
        if missing and not isinstance(name, Mapping):
            seisbench.logger.warning(
                f"There are no local weights {', '.join(f'{name}_{task}' for task in missing)}: "
                f"the monitor leaves out these tasks."
            )
        models = {task: SeisMoLLM.from_pretrained(weight) for task, weight in names.items()}
        monitor = cls(models.pop("picking"), **models, errors=errors)
        for task, weight in names.items():
            version = monitor.models[task].weights_version
            monitor.methods[task] = f"{Path(weight).name}/{version}"
        return monitor

    def to(self, device) -> SeismicMonitor:
        """
        Move all models to a device, in place.

        :param device: Device as in PyTorch.
        """
        for model in self.models.values():
            model.to(device)
        return self

    def classify(
        self,
        stream: obspy.Stream,
        inventory: obspy.Inventory | pd.DataFrame | Stations | str | Path | None = None,
        *,
        max_sp_time: float = 60.0,
        vp: float = 6.0,
        vp_vs: float = 1.73,
        associate: bool = True,
        association: Mapping | None = None,
        layers=None,
        keep_poor: bool = False,
        magnitude_scale: str = "iaspei",
        station_corrections: str | Path | None = None,
        **kwargs,
    ) -> MonitorResult:
        """
        Pick, pair P and S, estimate at each P and, with station coordinates, locate.

        :param stream: Waveforms; not changed.
        :param inventory: Stations: an ObsPy inventory, a file, or a DataFrame with id (NET.STA or
            NET.STA.LOC), latitude, longitude and elevation (m), see
            :py:meth:`seisbench_llm.stations.Stations.read`. Components that do not point up, north
            and east are rotated first. With None there are no locations.
        :param max_sp_time: Largest time between P and S of a pair in s.
        :param vp: P velocity in km/s, for S-P distances, origin times and association.
        :param vp_vs: Ratio of the P and S velocities.
        :param associate: Whether to associate picks of at least three stations with PyOcto.
        :param association: Arguments of :py:func:`seisbench_llm.monitor.associate`, such as
            ``velocity_model`` or PyOcto's ``n_picks``.
        :param layers: Medium of the locations: a :py:class:`~seisbench_llm.monitor.VelocityModel`,
            or a table or CSV file with depth_km (tops, below sea level), vp and vs. The default is
            continental crust.
        :param keep_poor: Whether to keep events of quality D. Else they are only counted.
        :param magnitude_scale: Scale of ML, one of :py:data:`seisbench_llm.amplitudes.SCALES`.
        :param station_corrections: CSV with id (NET.STA) and correction, added to stations' ML.
        :param kwargs: Arguments of the models' ``classify``, such as ``P_threshold``,
            ``polarity_threshold`` or ``batch_size``.
        :raises ValueError: If an argument is impossible.
        :raises ImportError: If locations are requested without the extra ``monitor``.
        """
        if "picks" in kwargs:
            raise ValueError(
                "A monitor makes its own picks. Pass picks to the classify of a model."
            )
        if isinstance(stream, obspy.Trace):
            stream = obspy.Stream([stream])
        _require_above(0, max_sp_time=max_sp_time, vp=vp)
        _require_above(1, vp_vs=vp_vs)
        corrections = read_corrections(station_corrections)
        local_magnitude(1.0, 1.0, magnitude_scale)
        stations, recorded = None, stream
        if inventory is not None:
            stations = Stations.read(inventory)
            import_geod()
            if associate:
                octo.import_pyocto()
            stream = Rotation(stations)(stream)

        # All models read the same stream, so that each skipped trace is reported once.
        with said_once() as skipped:
            picks = PickList(self.models["picking"].classify(stream, **kwargs).picks)
            pairs = pair(picks, max_sp_time)
            estimates = estimate_at(self.models, stream, picks, kwargs)
        rows = [_row(picks, p, s, estimates, vp, vp_vs) for p, s in pairs]
        events, arrivals = empty(EVENT_TYPES), empty(ARRIVAL_TYPES)
        medium, left_out = VelocityModel.read(layers, vp_vs), 0
        if stations is not None:
            warn_of_missing(picks, stations)
            settings = dict(association or {})
            known = set()
            if associate:
                settings = {"layers": medium, **settings}
                events, arrivals = octo.associate(picks, stations, vp, vp_vs, **settings)
                # Picks of poor events do not make single-station events either.
                known = set(arrivals["pick"])
                if not keep_poor:
                    events, arrivals, left_out = without_poor(events, arrivals)
            places = [
                self._place(row, picks[p], stations)
                for row, (p, _) in zip(rows, pairs, strict=True)
            ]
            single = self._single_stations(picks, pairs, places, known, vp_vs)
            events = join(events, single[0]).sort_values(["time", "event_id"], ignore_index=True)
            arrivals = join(arrivals, single[1])
            rows = [
                {**row, **place_columns(place)} for row, place in zip(rows, places, strict=True)
            ]
        members = arrivals.drop_duplicates("pick").set_index("pick")["event_id"]
        for index, pick in enumerate(picks):
            pick.event_id = members.get(index)
        rows = [
            {**row, "event_id": members.get(p)} for row, (p, _) in zip(rows, pairs, strict=True)
        ]
        events, amplitudes, station_ml, unconverted = with_amplitudes(
            recorded,
            picks,
            stations,
            with_magnitudes(events, rows),
            arrivals,
            magnitude_scale,
            corrections,
        )
        skipped.extend(unconverted)
        skipped.order()
        return MonitorResult(
            picks,
            typed(rows, ESTIMATE_TYPES),
            with_quality(events),
            arrivals,
            dict(self.methods),
            dict(self.errors),
            medium.name,
            left_out,
            skipped,
            amplitudes,
            station_ml,
            magnitude_scale,
        )

    def _place(self, row: Mapping, pick, stations: Stations) -> StationPlace | None:
        """Station of a P pick and, if distance and back-azimuth are known, the epicentre."""
        station = stations.find(pick.trace_id, pick.peak_time)
        if station is None:
            return None
        distance, direction = row["distance_km"], row["back_azimuth"]
        if not np.isfinite([distance, direction]).all():
            return StationPlace(station)
        errors = [
            standard_error(row[f"{task}_spread"], self.errors.get(task))
            for task in ("distance", "back_azimuth")
        ]
        return StationPlace(station, distance, epicenter(station, distance, direction, *errors))

    def _single_stations(
        self, picks: Sequence, pairs: Sequence, places: Sequence, known: set[int], vp_vs: float
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """
        Single-station events and their arrivals.

        An event needs a P and an S that belong to no other event, as a P alone is no evidence.

        :param known: Indices of picks that already belong to an event.
        """
        events, arrivals = [], []
        error = self.errors.get("picking", np.nan)
        for (p, s), place in zip(pairs, places, strict=True):
            if s is None or known & {p, s} or place is None or place.epicenter is None:
                continue
            where = place.epicenter
            event = single_station_event(picks[p], picks[s], where, vp_vs, error)
            azimuth = distance_azimuth(place.station, where.latitude, where.longitude)[1]
            events.append(event)
            arrivals += [
                (event["event_id"], index, place.distance, azimuth, np.nan, np.nan)
                for index in (p, s)
            ]
        return typed(events, EVENT_TYPES), typed(arrivals, ARRIVAL_TYPES)


def _require_above(least: float, **values) -> None:
    for name, value in values.items():
        if not (isinstance(value, Real) and least < value < np.inf):
            raise ValueError(f"{name}={value!r} is not possible: it must be above {least}.")


def _row(picks: Sequence, p: int, s: int | None, estimates: dict, vp: float, vp_vs: float) -> dict:
    """A row of the table, without the columns that need coordinates."""
    onset = picks[p]
    row = {
        "trace_id": onset.trace_id,
        "p_time": timestamp(onset.peak_time),
        "p_probability": onset.peak_value,
        **estimate_columns(onset, estimates),
    }
    if s is not None:
        row["s_time"] = timestamp(picks[s].peak_time)
        row["s_probability"] = picks[s].peak_value
        row["sp_distance_km"] = sp_distance(picks[s].peak_time - onset.peak_time, vp, vp_vs)
    if s is not None and np.isfinite(row["distance_km"]):
        difference = abs(row["distance_km"] - row["sp_distance_km"])
        tolerance = max(SP_TOLERANCE_KM, SP_TOLERANCE * row["sp_distance_km"])
        row["distances_agree"] = bool(difference <= tolerance)
    return row


def _method(model) -> str:
    record = model.record
    return f"{record.name if record else model.name}/{model.weights_version or 'untrained'}"


def _is_local(name: str, local: set[str]) -> bool:
    path = Path(name)
    return name in local or any(path.parent.glob(f"{path.name}.json*"))
