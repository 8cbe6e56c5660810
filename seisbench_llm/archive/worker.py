"""
One station-day: read, align, pick, keep what belongs to the day, write.

Windows of a day must be those of the days beside it, or a pick at midnight could fall on either
side in both runs, or in none. So each segment of data begins on one grid of times, counted from
1970: whole steps of the windows that are also whole samples of the waveforms. In front of data
that begin elsewhere, the step is filled with their mean, which cleaning turns into the zeros that
SeisBench's own padding would be.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import time
from contextlib import contextmanager
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from threading import Lock

import numpy as np
import obspy
import pandas as pd
import seisbench
from obspy import UTCDateTime

from .archive_sources import ArchiveLost, SourceError, Unit, open_source
from .archive_store import Store, StoreError
from .models import streams

# Below, resampling to the models' 100 Hz makes up most of what they look at.
LOWEST_RATE = 10.0
_LONGEST_LIST = 50
_loading = Lock()


class SetupError(ValueError):
    """A worker that cannot do any station-day, as its model or its weights are not the run's."""


class Picker:
    """
    What a run does with a stream: P and S picks of one model.

    Another one is a class with the same attributes, named ``module:Class`` in the configuration:
    ``padding``, seconds of waveforms it needs before and after a day; ``step``, seconds between
    two of its windows, None if it has none; ``bridge``, the longest gap in seconds that does not
    begin a new row of windows; ``identity``, a JSON-safe dictionary that differs if results would.

    :param weights: Name, path or Hugging Face id.
    :param arguments: Of :py:meth:`seisbench_llm.SeisMoLLM.classify`, such as ``P_threshold``.
    """

    def __init__(self, weights: str, **arguments):
        from .models import SeisMoLLM
        from .models.arguments import argument, validate_arguments

        model = SeisMoLLM.from_pretrained(weights)
        if model.task.name != "picking":
            raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for picking.")
        validate_arguments(model, arguments)
        self.model, self.arguments = model.eval(), arguments
        samples, rate = model.in_samples, model.sampling_rate
        overlap = argument(model, arguments, "overlap")
        self.step = (samples - int(overlap * samples if overlap < 1 else overlap)) / rate
        self.bridge = (samples + sum(argument(model, arguments, "blinding"))) / rate
        # A window to each side sees a pick. Another one is for the start of filters and for
        # picks that are dropped, as a larger one is near, which a still larger one is near ...
        self.padding = 2 * self.bridge + 4 * argument(model, arguments, "min_separation")
        self.identity: dict = {
            "weights": str(weights).rstrip("/").rpartition("/")[2],
            "version": model.weights_version,
            "sha256": (model._weights_metadata or {}).get("sha256") or hash_of(model),
        }

    def __call__(self, stream: obspy.Stream) -> dict[str, pd.DataFrame]:
        """
        :param stream: One instrument of one station; may be changed.
        :return: Tables by name, here only ``picks``; each has a column ``time`` in UTC.
        """
        from .export import picks_to_dataframe

        found = self.model.classify(stream, copy=False, **self.arguments).picks
        return {"picks": picks_to_dataframe(found)}


def hash_of(model) -> str:
    """SHA-256 of a model's tensors, for weights that do not come with one."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def make_processor(settings: dict):
    """Build what the settings of a run name, see :py:class:`Picker`."""
    module, _, name = settings["processor"].partition(":")
    return getattr(importlib.import_module(module), name)(**settings["options"])


@lru_cache(maxsize=2)
def _prepared(settings_text: str):
    import torch

    # One thread per worker, whatever started it: more would fight for the same cores, and
    # sums over another number of threads differ in the last digit.
    torch.set_num_threads(1)
    settings = json.loads(settings_text)
    try:
        processor = make_processor(settings)
        identity = processor.identity
    except Exception as error:
        raise SetupError(
            f"A worker cannot load the model: {type(error).__name__}: {error}"
        ) from error
    if identity != settings["identity"]:
        raise SetupError(f"A worker has other weights: {identity}, not {settings['identity']}.")
    store = Store(settings["out"])
    return processor, open_source(settings["archive"], store.path / "index.parquet"), store


def process_day(settings_text: str, unit: tuple, day: str) -> tuple[str, dict]:
    """
    Process one station-day; the task that Dask runs.

    Whatever is wrong with the data ends in the manifest. What would be wrong with any
    other station-day, too, is raised.

    :param settings_text: JSON: out, archive, processor, options, identity.
    :param unit: See :py:class:`~seisbench_llm.archive_sources.Unit`.
    :param day: Such as 2020-01-01.
    :return: State, and its manifest.
    :raises SetupError, ArchiveLost, StoreError: If it makes no sense to go on.
    """
    # Loading holds a lock, as a worker with several threads would load the model in each.
    with _loading:
        processor, source, store = _prepared(settings_text)
    unit, began = Unit(*unit), time.perf_counter()
    with _warnings() as warned:
        try:
            tables, facts = _process(processor, source, unit, day)
        except (ArchiveLost, StoreError, SetupError):
            raise
        except Exception as error:
            tables, facts = {}, failure(error)
    manifest = {
        "station": unit.id,
        "day": day,
        **facts,
        "warnings": list(dict.fromkeys([*facts.get("warnings", []), *warned]))[:_LONGEST_LIST],
        "model": processor.identity,
        "versions": versions(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    store.write(day, unit.id, tables, manifest)
    return manifest["state"], manifest


def failure(error: BaseException) -> dict:
    """What a manifest says of an error."""
    return {
        "state": "failed",
        "error": type(error).__name__,
        "message": str(error),
        "file": getattr(error, "file", None),
    }


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    from importlib.metadata import version

    names = ("seisbench_llm", "seisbench", "obspy", "torch", "numpy", "scipy")
    return {name: version(name) for name in names}


def _process(processor, source, unit: Unit, day: str) -> tuple[dict, dict]:
    start = UTCDateTime(day)
    stream, notes = source.read(unit, start, processor.padding)
    stream = _check(stream, start, notes)
    facts = {"state": "done" if stream else "empty", **coverage(stream, start)}
    tables = {}
    if stream:
        filled = align(stream, processor.step, processor.bridge)
        tables = {kind: _keep(table, start, filled) for kind, table in processor(stream).items()}
        for table in tables.values():
            table["instrument"] = unit.id.rpartition(".")[2]
    facts.update({f"n_{kind}": len(table) for kind, table in tables.items()}, warnings=notes)
    return tables, facts


def _check(stream: obspy.Stream, day: UTCDateTime, notes: list[str]) -> obspy.Stream:
    """
    Contiguous and finite traces of one sampling rate, or an empty stream if none is of the day.

    :param notes: Takes a note of each trace of the padding that is left out.
    :raises SourceError: If sampling rates are too low or differ within the day.
    """
    stream = obspy.Stream([t for t in stream if t.stats.npts])
    inside = [t for t in stream if t.stats.starttime < day + 86400 and t.stats.endtime >= day]
    if not inside:
        return obspy.Stream()
    samples: dict[float, int] = {}
    for trace in inside:
        rate = trace.stats.sampling_rate
        samples[rate] = samples.get(rate, 0) + trace.stats.npts
    usual = max(samples, key=samples.get)
    odd = next((t for t in inside if t.stats.sampling_rate != usual), inside[0])
    file = odd.stats.get("file")
    where = f"{odd.id} at {odd.stats.starttime}" + (f" in {file}" if file else "")
    if len(samples) > 1:
        raise SourceError(
            f"{where} has {odd.stats.sampling_rate:g} Hz, the rest of the day {usual:g} Hz. "
            f"Correct or remove it.",
            file,
        )
    if usual < LOWEST_RATE:
        raise SourceError(
            f"{where} has {usual:g} Hz; at least {LOWEST_RATE:g} Hz are needed. "
            f"Correct it, or choose another channel.",
            file,
        )
    kept = obspy.Stream()
    for trace in stream:
        if trace.stats.sampling_rate != usual:
            rate = trace.stats.sampling_rate
            notes.append(f"Neighbouring day left out: {trace.id} has {rate:g} Hz there.")
            continue
        trace.data = np.ma.masked_invalid(np.ma.asarray(trace.data, dtype=np.float64))
        if not trace.data.mask.all():
            kept.extend(trace.split())
    if not any(t.stats.starttime < day + 86400 and t.stats.endtime >= day for t in kept):
        notes.append("All samples of the day are masked or not finite.")
        return obspy.Stream()
    # As SeisBench does later, so that there is one mean for what is one trace then.
    return kept.merge(-1)


def align(
    stream: obspy.Stream, step: float | None, bridge: float
) -> list[tuple[UTCDateTime, UTCDateTime]]:
    """
    Let each segment begin on the grid of windows, in place.

    :param stream: One instrument in contiguous traces of one sampling rate.
    :param step: Time between two windows in seconds, None if there are no windows.
    :param bridge: Longest gap within a segment in seconds.
    :return: Start and end of what was filled in.
    """
    if not stream or step is None:
        return []
    delta = stream[0].stats.delta
    # Whole samples of the waveforms, or resampling would give other samples in each run.
    hop = Fraction(step).limit_denominator(100_000)
    rate = Fraction(stream[0].stats.sampling_rate).limit_denominator(1000)
    grid = round(hop * (hop * rate).denominator * 1_000_000_000)
    filled, first, reached = [], None, None
    for trace in sorted(stream, key=lambda trace: trace.stats.starttime):
        start, end = trace.stats.starttime, trace.stats.endtime
        if reached is None or start - reached > bridge:
            first = start
            lead = round(start.ns % grid / 1e9 / delta) % round(grid / 1e9 / delta)
            # At rates where the grid is coarse, it may reach back into the segment before.
            if reached is not None and start - lead * delta <= reached:
                lead = 0
            if lead:
                filled.append((start - lead * delta, start))
        # All components: to resample them alike, they must have the same samples.
        if lead and start - first < delta:
            trace.data = np.concatenate([np.full(lead, trace.data.mean()), trace.data])
            trace.stats.starttime = start - lead * delta
        reached = end if reached is None else max(reached, end)
    return filled


def _keep(table: pd.DataFrame, day: UTCDateTime, filled: list[tuple]) -> pd.DataFrame:
    """
    Rows whose time is of the day and not before the data.

    SeisBench's times are good to a microsecond, and a sample at midnight must fall on the same
    side in both runs: times count in tenths of milliseconds, and are moved into the day.
    """
    first = pd.Timestamp(day.datetime, tz="UTC")
    last = first + pd.Timedelta(days=1)
    rounded = table["time"].dt.round("100us")
    keep = (rounded >= first) & (rounded < last)
    for start, end in filled:
        begin, stop = (pd.Timestamp(t.datetime, tz="UTC").round("100us") for t in (start, end))
        keep &= ~((rounded >= begin) & (rounded < stop))
    table = table[keep].reset_index(drop=True)
    table["time"] = table["time"].clip(first, last - pd.Timedelta(microseconds=1))
    return table


def coverage(stream: obspy.Stream, day: UTCDateTime) -> dict:
    """
    How much of a day has data.

    :return: Fraction of the day with data on at least one component, the fraction of each
        channel, number of gaps, and the first of them as pairs of times.
    """
    end = day + 86400
    delta = stream[0].stats.delta if stream else 0.0
    channels: dict[str, float] = {}
    for trace in stream:
        seconds = min(trace.stats.endtime + delta, end) - max(trace.stats.starttime, day)
        channel = trace.stats.channel
        channels[channel] = channels.get(channel, 0.0) + max(seconds, 0) / 86400
    gaps, reached = [], day
    if stream:
        for start, stop in next(iter(streams.data_spans(stream, 1 / delta).values())):
            if start - reached > 1.5 * delta and reached < end:
                gaps.append((reached, min(start, end)))
            reached = max(reached, stop + delta)
    if end - reached > 1.5 * delta:
        gaps.append((reached, end))
    missing = sum(stop - start for start, stop in gaps)
    return {
        "coverage": round(1 - missing / 86400, 6),
        "channels": {channel: round(min(channels[channel], 1), 6) for channel in sorted(channels)},
        "n_gaps": len(gaps),
        "gaps": [[str(start), str(stop)] for start, stop in gaps[:_LONGEST_LIST]],
    }


@contextmanager
def _warnings():
    """What SeisBench's logger warns of meanwhile; it goes to the manifest, not to the terminal."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record):
            messages.append(record.getMessage())

    handler = Collector(logging.WARNING)
    seisbench.logger.addHandler(handler)
    try:
        yield messages
    finally:
        seisbench.logger.removeHandler(handler)


def days_between(start: date, end: date) -> list[str]:
    """Days from ``start`` to the one before ``end``."""
    return [str(start + timedelta(days=i)) for i in range((end - start).days)]
