"""Live picking: packets of many stations in, picks out."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import obspy
import torch

from ..models.seismollm import SeisMoLLM
from ..stations import Stations
from ..streams.arguments import validate_arguments
from ..streams.orientation import Rotation
from ..streams.picks import time_uncertainty
from ..streams.selection import unusable
from ..trace_ids import TraceId, codes_of
from .channels import orient_as, warm_up
from .final import PHASES, is_in_calendar
from .instrument import Instrument, Window
from .messages import RepeatedWarnings
from .observer import Observer
from .picks import LivePick, Report
from .settings import LiveSettings
from .state import StateError

LATENCIES_KEPT = 10_000

# Highest sampling rate in Hz. Above it, buffers would be large.
HIGHEST_RATE = 5000.0

# Number of useless channels that are named. A server can make up names without end.
MOST_IGNORED = 10_000
MOST_INSTRUMENTS = 10_000


class Live:
    """
    Live picking: a picker that is fed with packets.

    Every ``settings.step`` seconds, preliminary picks come from a window that ends with the newest
    data. Confirmed picks come from the windows of :py:meth:`SeisMoLLM.annotate`, once all windows
    with the pick are complete. They are those of ``model.classify`` on the same data.

    :param model: Picker.
    :param on_pick: Function that is called with each :py:class:`LivePick`.
    :param settings: Times to wait, see :py:class:`LiveSettings`.
    :param weight: Name and version of the weight, for the picks.
    :param batch_size: Number of windows that pass the network at a time.
    :param stations: Stations, see :py:meth:`seisbench_llm.stations.Stations.read`. Components that
        do not point up, north and east are then rotated first.
    :param kwargs: Arguments of ``annotate`` and ``classify``, such as P_threshold.
    :raises ValueError: If the model is not a picker, or if an argument has an impossible value.
    """

    def __init__(
        self,
        model: SeisMoLLM,
        on_pick: Callable[[LivePick], None],
        settings: LiveSettings | None = None,
        weight: str = "",
        batch_size: int = 32,
        stations=None,
        **kwargs,
    ):
        if model.task.name != "picking":
            raise ValueError(f"Live picking needs a picker, not a model for {model.task.name}.")
        self.model, self.on_pick, self.weight = model.eval(), on_pick, weight
        self.settings = settings or LiveSettings()
        # Gaps are always filled, because missing data may still arrive.
        self.arguments = replace(validate_arguments(model, kwargs), strict=False)
        self.batch_size = batch_size
        self.rotation = None if stations is None else Rotation(Stations.read(stations))
        self.counts: Counter = Counter()
        self.latencies = {s: deque(maxlen=LATENCIES_KEPT) for s in ("preliminary", "confirmed")}
        self.instruments: dict[str, Instrument] = {}
        # Channels and instruments that are ignored, and why.
        self.ignored: dict[str, str] = {}
        self.warnings = RepeatedWarnings()
        self._warm_ups: dict[str, float] = {}
        self._fed: set[str] = set()
        self._all_since = -np.inf
        # Picks that were reported before a restart, for instruments without data since then.
        self._reported: dict[str, list[LivePick]] = {}
        # Observers of packets and reports, such as a dashboard.
        self.observers: list[Observer] = []
        # In a replay, the time of the data.
        self.data_now: Callable[[], float] = time.time

    def feed(
        self, trace: obspy.Trace, clock: float | None = None, wall: float | None = None
    ) -> None:
        """
        Take a packet. A warning names data that cannot be used.

        :param trace: Samples of one channel, not necessarily in order.
        :param clock: Time in seconds that never decreases, with which ``max_latency`` is measured.
            By default it is the monotonic clock.
        :param wall: Unix time of arrival, by default now.
        """
        clock = time.monotonic() if clock is None else clock
        wall = time.time() if wall is None else wall
        name = TraceId.of(trace).instrument_id
        if not self._usable(trace, name):
            return
        if name not in self.instruments:
            try:
                if len(self.instruments) >= MOST_INSTRUMENTS:
                    raise ValueError(f"there are {MOST_INSTRUMENTS} others already")
                self._add_instrument(name)
            except ValueError as error:
                self._ignore(name, error)
                return
        instrument = self.instruments[name]
        for observer in self.observers:
            observer.packet(trace, wall, self.data_now())
        jumped = instrument.add(trace, clock, wall)
        while jumped:
            self._answer([instrument], clock, closing=True)
            jumped = instrument.restart()
        self._fed.add(name)
        if instrument.behind:
            self.process(clock)

    def _add_instrument(self, name: str, state: dict | None = None, later: float = 0) -> None:
        """:param state, later: See :py:meth:`Instrument.restore`."""
        code = codes_of(name).channel
        if code not in self._warm_ups:
            self._warm_ups[code] = warm_up(self.model, self.arguments, code)
        orient = None if self.rotation is None else partial(orient_as, self.rotation, name)
        warmed = self._warm_ups[code]
        instrument = Instrument(
            name,
            self.model,
            self.arguments,
            self.settings,
            warmed,
            self.counts,
            self.warnings,
            orient,
        )
        if state is not None:
            instrument.restore(state, later)
        instrument.remember(self._reported.pop(name, ()))
        self.instruments[name] = instrument

    def _ignore(self, name: str, error: ValueError) -> None:
        """Ignore an instrument, for example one that the model's filter cannot process."""
        if name not in self.ignored and len(self.ignored) < MOST_IGNORED:
            self.ignored[name] = cause = str(error).rstrip(".")
            self.warnings.warn(
                (cause.replace(name, ""),), f"{name} is ignored from now on: {cause}"
            )
        self.instruments.pop(name, None)

    def _usable(self, trace: obspy.Trace, name: str) -> bool:
        stats = trace.stats
        cause = unusable(trace, self.model, self.arguments)
        if cause is not None and self._can_rotate(trace):
            cause = unusable(trace, self.model, self.arguments, rotated=True)
        if cause is not None:
            pass
        elif stats.sampling_rate > HIGHEST_RATE:
            rates = f"{stats.sampling_rate:g} Hz; at most {HIGHEST_RATE:g} Hz"
            cause = f"its sampling rate is {rates} are possible in live picking"
        elif not (is_in_calendar(stats.starttime) and is_in_calendar(stats.endtime)):
            cause = "its time is outside of the years 1 to 9999"
        if cause is None:
            return name not in self.ignored
        self.counts["packets without waveform"] += 1
        if trace.id not in self.ignored and len(self.ignored) < MOST_IGNORED:
            self.ignored[trace.id] = cause
            at = f" at {stats.starttime}" if is_in_calendar(stats.starttime) else ""
            self.warnings.warn((cause,), f"{trace.id}{at} is ignored: {cause}")
        return False

    def _can_rotate(self, trace: obspy.Trace) -> bool:
        """Whether the direction of a component is known, so that it can be rotated."""
        if self.rotation is None or not trace.stats.channel:
            return False
        span = trace.stats.starttime, trace.stats.endtime
        channels = self.rotation.stations.find_channels(trace.id, *span)
        return any(channel.direction is not None for channel in channels)

    def process(self, clock: float | None = None) -> None:
        """
        Process all windows that are due, and report the picks.

        :param clock: Seconds, as in :py:meth:`feed`.
        """
        clock = time.monotonic() if clock is None else clock
        names = self._fed
        # Instruments without new data are included, because their waiting time may be over.
        if clock - self._all_since >= min(1.0, self.settings.step):
            names, self._all_since = set(self.instruments), clock
        self._fed = set()
        self._answer([self.instruments[n] for n in sorted(names) if n in self.instruments], clock)

    def close(self, clock: float | None = None) -> None:
        """
        Process the remaining data as if no more came, and report the final state of all open picks.
        """
        clock = time.monotonic() if clock is None else clock
        for instrument in list(self.instruments.values()):
            self._answer([instrument], clock, closing=True)
            while not instrument.ends():
                instrument.restart()
                self._answer([instrument], clock, closing=True)
        self.instruments.clear()

    def _answer(self, instruments: list[Instrument], clock: float, closing: bool = False) -> None:
        """Pass windows that are due through the network in batches, and report picks."""
        due = []
        for instrument in instruments:
            try:
                due += instrument.due(clock, closing)
            except ValueError as error:
                self._ignore(instrument.name, error)
        for at in range(0, len(due), self.batch_size):
            batch = due[at : at + self.batch_size]
            answers = {
                id(window): probabilities
                for final in (True, False)
                if (part := [window for window in batch if window.final is final])
                for window, probabilities in zip(part, self._probabilities(part), strict=True)
            }
            for window in batch:
                reports = window.instrument.take(window, answers[id(window)])
                self._report(window.instrument, reports)
        for instrument in instruments:
            self._report(instrument, instrument.decide(closing))

    def _probabilities(self, windows: list[Window]) -> np.ndarray:
        """The network's answer for final or for other windows, (windows, samples, phases)."""
        predict = self.model.predict if windows[0].final else self.model.predict_newest
        batch = torch.from_numpy(np.stack([window.data for window in windows]))
        with torch.inference_mode():
            argdict = self.arguments.argdict
            batch = self.model.annotate_batch_pre(batch.to(self.model.device), argdict)
            outputs = predict(batch, self.arguments.precision)
            outputs = self.model.annotate_batch_post(outputs, None, argdict)
        self.counts["windows"] += len(windows)
        return outputs.cpu().numpy()[..., [self.model.labels.index(phase) for phase in PHASES]]

    def _report(self, instrument: Instrument, reports: list[Report]) -> None:
        for report in reports:
            latency = time.time() - report.arrived
            pick = LivePick(
                id=report.id,
                status=report.status,
                trace_id=instrument.name,
                phase=report.phase,
                time=report.time,
                probability=report.probability,
                weight=self.weight,
                latency=latency,
                data_latency=self.data_now() - report.time.timestamp,
                time_uncertainty=time_uncertainty(
                    self.arguments.calibration, report.phase, report.probability
                ),
            )
            self.counts[f"{report.status} picks"] += 1
            if report.status in self.latencies:
                self.latencies[report.status].append(latency)
            self.on_pick(pick)
            for observer in self.observers:
                observer.report(pick)

    def state(self, clock: float) -> dict:
        """
        State for a restart, as numbers, text and arrays.

        :param clock: Seconds, as in :py:meth:`feed`.
        """
        return {
            "made_by": self._made_by(),
            "clock": clock,
            "all_since": self._all_since,
            "counts": dict(self.counts),
            "ignored": dict(self.ignored),
            "instruments": {name: x.state() for name, x in self.instruments.items()},
        }

    def restore(self, state: dict, reported: list[LivePick], clock: float) -> None:
        """
        Continue from a state.

        :param reported: Picks that were reported after the state was saved.
        :param clock: Seconds, as in :py:meth:`feed`.
        :raises StateError: If the state belongs to another model or to other settings.
        """
        differing = [
            f"{name} was {state['made_by'].get(name)!r} and is {value!r}"
            for name, value in self._made_by().items()
            if state["made_by"].get(name) != value
        ]
        if differing:
            raise StateError(f"The state is of another picker: {'; '.join(differing)}.")
        later = clock - state["clock"]
        for pick in reported:
            self._reported.setdefault(pick.trace_id, []).append(pick)
        self._all_since = state["all_since"] + later
        self.counts.update(state["counts"])
        ignored = state["ignored"]  # a list without causes until version 0.2
        named = isinstance(ignored, dict)
        self.ignored.update(ignored if named else dict.fromkeys(ignored, "no cause was saved"))
        for name, entries in state["instruments"].items():
            self._add_instrument(name, entries, later)

    def _made_by(self) -> dict:
        """Settings that must be the same after a restart."""
        arguments = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.arguments.argdict.items()
        }
        weight = [self.weight, self.model.sha256]
        made_by = {"weight": weight, "settings": asdict(self.settings), "arguments": arguments}
        if self.rotation is not None:
            made_by["stations"] = self.rotation.stations.digest()
        return made_by

    def statistics(self) -> dict:
        """Counts, and percentiles 50, 95 and 100 of the latency in seconds by status."""
        levels = {
            status: [round(float(v), 3) for v in np.percentile(values, (50, 95, 100))]
            for status, values in self.latencies.items()
            if values
        }
        return {**{k: v for k, v in sorted(self.counts.items()) if v}, "latency": levels}
