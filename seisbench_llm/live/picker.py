"""Picks from data as they come in."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import obspy
import seisbench
import torch

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import argument, validate_arguments
from .final import PHASES, Found
from .instrument import Instrument, LiveSettings, Window, component

LATENCIES_KEPT = 10_000


@dataclass(frozen=True)
class LivePick:
    """
    What is known of a pick at the time of its output.

    :param id: The same for all that is said of one pick.
    :param status: ``preliminary`` for the first word; ``confirmed`` if batch processing of the same
        data gives it, with its time and probability there; ``rejected`` if it does not.
    :param trace_id: NET.STA.LOC and band and instrument code.
    :param phase: P or S.
    :param time: Time of the probability's peak.
    :param probability: Value of the peak.
    :param weight: Name and version of the weight.
    :param latency: Wall clock seconds from the arrival of the sample that completed the pick to its
        output: waiting for other components and late packets, for the next step, and computing.
    :param data_latency: Seconds from the pick's own time to the output, by the wall clock, or by
        the time of the data in a replay: latency, settling, and the way from the station to here.
    """

    id: str
    status: str
    trace_id: str
    phase: str
    time: obspy.UTCDateTime
    probability: float
    weight: str
    latency: float
    data_latency: float

    def to_json(self) -> str:
        """One line of JSON."""
        entries = {**asdict(self), "time": str(self.time)}
        for name, digits in (("probability", 4), ("latency", 3), ("data_latency", 3)):
            entries[name] = round(entries[name], digits)
        return json.dumps(entries)


class Live:
    """
    A picker that is fed with packets.

    Preliminary picks come from a window that ends with the newest data, every ``settings.step``
    seconds; confirmed ones from the windows of :py:meth:`SeisMoLLM.annotate`, once all that see the
    pick are complete. The confirmed picks are those of ``model.classify`` on the same data.

    :param model: Picker.
    :param on_pick: Called with each :py:class:`LivePick`.
    :param settings: What to wait for.
    :param weight: Name and version of the weight, for the picks.
    :param batch_size: Number of windows that pass the network at a time.
    :param kwargs: Arguments of ``annotate`` and ``classify``, such as P_threshold.
    :raises ValueError: If the model is no picker, or an argument has an impossible value.
    """

    def __init__(
        self,
        model: SeisMoLLM,
        on_pick: Callable[[LivePick], None],
        settings: LiveSettings | None = None,
        weight: str = "",
        batch_size: int = 32,
        **kwargs,
    ):
        if model.task.name != "picking":
            raise ValueError(f"Live picking needs a picker, not a model for {model.task.name}.")
        validate_arguments(model, kwargs)
        self.model, self.on_pick, self.weight = model.eval(), on_pick, weight
        self.settings = settings or LiveSettings()
        self.argdict = {**model.default_args, **kwargs}
        self.batch_size = batch_size
        self.separation = round(argument(model, self.argdict, "min_separation") * self.rate)
        self.counts: Counter = Counter()
        self.latencies = {s: deque(maxlen=LATENCIES_KEPT) for s in ("preliminary", "confirmed")}
        self.instruments: dict[str, Instrument] = {}
        self._open: dict[str, list[tuple[Found, str]]] = {}
        self._ignored: set[str] = set()
        self._fed: set[str] = set()
        self._all_since = -np.inf
        # In a replay, the time of the data.
        self.data_now: Callable[[], float] = time.time

    @property
    def rate(self) -> float:
        """Sampling rate of the model, Hz."""
        return self.model.sampling_rate

    def feed(
        self, trace: obspy.Trace, clock: float | None = None, wall: float | None = None
    ) -> None:
        """
        Take a packet; what cannot be used is named in a warning.

        :param trace: Samples of one channel, not necessarily in order.
        :param clock: Seconds, never decreasing; what ``max_latency`` is measured with. By default
            the monotonic clock.
        :param wall: Unix time of arrival, by default now.
        """
        clock = time.monotonic() if clock is None else clock
        wall = time.time() if wall is None else wall
        name = trace.id[:-1]
        if not self._usable(trace, name):
            return
        if name not in self.instruments:
            self.instruments[name] = Instrument(
                name, self.model, self.argdict, self.settings, self.counts
            )
        instrument = self.instruments[name]
        elsewhere = instrument.add(trace, clock, wall)
        if elsewhere:
            self._restart(instrument, elsewhere, clock)
        self._fed.add(name)
        head = instrument.head if instrument.head is not None else instrument.newest
        if instrument.newest is not None and instrument.newest - head > self.model.in_samples:
            self.process(clock)

    def _usable(self, trace: obspy.Trace, name: str) -> bool:
        stats = trace.stats
        cause = None
        if component(self.model, self.argdict, stats.channel) is None:
            cause = f"its component is none of {', '.join(self.model.component_order)}"
        elif trace.data.dtype.kind not in "iuf" or not stats.sampling_rate > 0 or not stats.npts:
            cause = f"it holds no waveform ({stats.npts} samples of type {trace.data.dtype})"
        if cause is None:
            return name not in self._ignored
        self.counts["packets without waveform"] += 1
        if trace.id not in self._ignored:
            self._ignored.add(trace.id)
            seisbench.logger.warning(f"{trace.id} at {stats.starttime} is ignored: {cause}.")
        return False

    def _restart(self, instrument: Instrument, packets: list, clock: float) -> None:
        """Close the data so far and go on elsewhere in time: after a long gap or a clock's jump."""
        start = min(trace.stats.starttime for trace, _, _ in packets)
        if instrument.newest is not None:
            jump = start - instrument.time(instrument.newest - 1)
            seisbench.logger.warning(
                f"{instrument.name}: the data go on {jump:+.1f} s from where they ended, at {start}"
            )
            self.counts["long gaps and jumps"] += 1
            self._process([instrument], clock, closing=True)
        instrument._begin()
        for trace, since, wall in packets:
            if instrument.add(trace, since, wall):
                break

    def process(self, clock: float | None = None) -> None:
        """
        Answer all windows that are due, and hand out the picks.

        :param clock: Seconds, as in :py:meth:`feed`.
        """
        clock = time.monotonic() if clock is None else clock
        names = self._fed
        # Also those without new data, for what they have waited for may be given up by now.
        if clock - self._all_since >= min(1.0, self.settings.step):
            names, self._all_since = set(self.instruments), clock
        self._process([self.instruments[name] for name in sorted(names)], clock)
        self._fed = set()

    def close(self, clock: float | None = None) -> None:
        """Answer what is left as if no more data came; the final word on all open picks."""
        clock = time.monotonic() if clock is None else clock
        for instrument in list(self.instruments.values()):
            self._process([instrument], clock, closing=True)
            left = [packet for run in instrument.aside.values() for packet in run]
            if left:
                instrument.aside = {}
                self._restart(instrument, sorted(left, key=lambda p: p[0].stats.starttime), clock)
                self._process([instrument], clock, closing=True)
        self.instruments.clear()

    def _process(self, instruments: list[Instrument], clock: float, closing: bool = False) -> None:
        due = []
        for instrument in instruments:
            try:
                due += instrument.due(clock, closing)
            except ValueError as error:
                # One odd channel, such as one that the model's filter cannot take.
                seisbench.logger.warning(f"{instrument.name} is ignored from now on: {error}")
                self._ignored.add(instrument.name)
                self.instruments.pop(instrument.name, None)
        for at in range(0, len(due), self.batch_size):
            batch = due[at : at + self.batch_size]
            for window, answer in zip(batch, self._answer(batch), strict=True):
                instrument = window.instrument
                if window.final:
                    instrument.final.take(window.start, answer)
                else:
                    self._preliminary(instrument, instrument.quick_picks(window, answer))
        for instrument in instruments:
            self._final(instrument, closing)

    def _answer(self, windows: list[Window]) -> np.ndarray:
        """Probabilities, shape (windows, samples, phases)."""
        batch = torch.from_numpy(np.stack([window.data for window in windows]))
        with torch.inference_mode():
            batch = self.model.annotate_batch_pre(batch.to(self.model.device), self.argdict)
            precision = argument(self.model, self.argdict, "precision")
            answer = self.model.predict(batch, precision)
            answer = self.model.annotate_batch_post(answer, None, self.argdict)
        self.counts["windows"] += len(windows)
        return answer.cpu().numpy()[..., [self.model.labels.index(phase) for phase in PHASES]]

    def _preliminary(self, instrument: Instrument, found: list[Found]) -> None:
        known = self._open.setdefault(instrument.name, [])
        decided = instrument.final.decided_to if instrument.final else -np.inf
        for peak in found:
            near = any(
                other.phase == peak.phase and abs(other.sample - peak.sample) < self.separation
                for other, _ in known
            )
            if not near and peak.sample >= decided:
                pick_id = f"{instrument.name}/{peak.phase}/{instrument.time(peak.sample)}"
                known.append((peak, pick_id))
                complete = peak.sample + instrument.settle
                self._emit(instrument, peak, pick_id, "preliminary", complete)

    def _final(self, instrument: Instrument, closing: bool) -> None:
        known = self._open.setdefault(instrument.name, [])
        size, gained = self.model.in_samples, sum(argument(self.model, self.argdict, "blinding"))
        for peak in instrument.final_picks(closing):
            near = [
                (abs(other.sample - peak.sample), i)
                for i, (other, _) in enumerate(known)
                if other.phase == peak.phase and abs(other.sample - peak.sample) < self.separation
            ]
            if near:
                _, pick_id = known.pop(min(near)[1])
            else:
                pick_id = f"{instrument.name}/{peak.phase}/{instrument.time(peak.sample)}"
            complete = min(peak.sample + size - gained, instrument.newest - 1)
            self._emit(instrument, peak, pick_id, "confirmed", complete)
        if instrument.final is None:
            return
        decided = np.inf if closing else instrument.final.decided_to - self.separation
        for peak, pick_id in [entry for entry in known if entry[0].sample < decided]:
            self._emit(instrument, peak, pick_id, "rejected", instrument.newest - 1)
        self._open[instrument.name] = [entry for entry in known if entry[0].sample >= decided]

    def _emit(self, instrument, peak, pick_id, status, complete) -> None:
        at = instrument.time(peak.sample)
        latency = time.time() - instrument.arrival(complete)
        pick = LivePick(
            id=pick_id,
            status=status,
            trace_id=instrument.name,
            phase=peak.phase,
            time=at,
            probability=peak.value,
            weight=self.weight,
            latency=latency,
            data_latency=self.data_now() - at.timestamp,
        )
        self.counts[f"{status} picks"] += 1
        if status in self.latencies:
            self.latencies[status].append(latency)
        self.on_pick(pick)

    def statistics(self) -> dict:
        """What was counted, and percentiles 50, 95 and 100 of the latency in seconds by status."""
        levels = {
            status: [round(float(v), 3) for v in np.percentile(values, (50, 95, 100))]
            for status, values in self.latencies.items()
            if values
        }
        return {**{k: v for k, v in sorted(self.counts.items()) if v}, "latency": levels}


def run(live: Live, source, stop: threading.Event, duration: float | None = None) -> None:
    """
    Feed a picker from a source until it ends, the time is over, or someone says stop.

    Closes both, so that what can be said is said.

    :param live: Picker.
    :param source: A source of :py:mod:`seisbench_llm.live_sources`.
    :param stop: Ends the run when set.
    :param duration: Seconds by the wall clock, None for no limit.
    """
    begun, waiting = time.monotonic(), 0
    live.data_now = source.data_now
    try:
        while not stop.is_set() and not source.ended:
            if duration is not None and time.monotonic() - begun >= duration:
                break
            packet = source.get(timeout=0.2)
            clock = source.clock()
            if packet is not None:
                live.feed(packet.trace, clock, packet.wall)
                waiting += 1
            # Together what came together, so that one pass of the network answers many windows.
            if not source.more() or waiting >= 256:
                live.process(clock)
                waiting = 0
    finally:
        source.close()
    for packet in source.received():
        live.feed(packet.trace, source.clock(), packet.wall)
    live.close(source.clock())
