"""Windows of records: filter, choice of the window, normalisation."""

from __future__ import annotations

from fnmatch import fnmatch

import numpy as np
import obspy.signal.filter
import seisbench.generate as sbg
import torch

from ... import preprocess
from ...data.metadata import event_of, onsets_of, sample_number
from .base import Augmentation


class Prepare(Augmentation):
    """
    Prepare a record as ``annotate`` prepares a stream: finite, double precision, zero-mean,
    filtered.

    Zeros of a second or more at either end are taken for padding and stay zero, as the gaps of a
    stream do.

    :param sampling_rate: Hz that records must have.
    :param filter_args: As of SeisBench's WaveformModel: arguments of obspy.Stream.filter, or a
        dictionary of channel pattern to arguments.
    :param filter_kwargs: Likewise.
    :raises ValueError: For a record of another sampling rate or without three components.
    """

    def __init__(self, sampling_rate: float, filter_args=None, filter_kwargs=None, key="X"):
        super().__init__(key)
        self.sampling_rate = sampling_rate
        self.filter_args, self.filter_kwargs = filter_args, filter_kwargs

    def apply(self, x, metadata):
        name, rate = metadata.get("trace_name"), float(metadata["trace_sampling_rate_hz"])
        if x.ndim != 2 or len(x) != 3:
            raise ValueError(
                f"Trace {name} has shape {x.shape}, not (3, samples). Open its data set with "
                f'component_order="ZNE", missing_components="pad".'
            )
        if abs(rate - self.sampling_rate) > 1e-6 * self.sampling_rate:
            raise ValueError(
                f"Trace {name} has {rate:g} Hz, the model {self.sampling_rate:g} Hz. Open its data "
                f"set with sampling_rate={self.sampling_rate:g}."
            )
        x[~np.isfinite(x)] = 0
        for channel, data in self._parts(x):
            first, last = self.span(np.atleast_2d(data)[0])
            if first < last:
                data = data[..., first:last]
                data -= data.mean(axis=-1, keepdims=True)
                data[:] = self._filter(data, channel)
        # Texts and the like, which windows could not shift.
        samples = [c for c in metadata if isinstance(c, str) and c.endswith("_sample")]
        metadata.update({column: sample_number(metadata[column]) for column in samples})
        return x, metadata

    def _parts(self, x: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Channel codes and what is filtered at once: all, as designing a filter takes long."""
        alike = len({self.span(data) for data in x}) == 1
        # By channel; or to and fro, for which ObsPy turns the first axis round.
        single = isinstance(self.filter_args, dict) or (self.filter_kwargs or {}).get("zerophase")
        if alike and not single:
            return [("HHZ", x)]
        return [(f"HH{name}", data) for name, data in zip("ZNE", x, strict=True)]

    def span(self, data: np.ndarray) -> tuple[int, int]:
        """First sample that is not padding, and one after the last."""
        live = np.flatnonzero(data)
        if not len(live):
            return 0, 0
        first, last = live[0], live[-1] + 1
        # Shorter runs are samples that happen to be zero.
        first = first if first >= self.sampling_rate else 0
        return first, last if len(data) - last >= self.sampling_rate else len(data)

    def filter_piece(self, piece: np.ndarray, channel: str) -> np.ndarray:
        """A contiguous piece of a channel without its mean, filtered; its length may be any."""
        return self._filter(piece - piece.mean(), channel)

    def _filter(self, data: np.ndarray, channel: str) -> np.ndarray:
        args, kwargs = self.filter_args, self.filter_kwargs
        if args is None and kwargs is None:
            return data
        if not isinstance(args, dict):
            args, kwargs = {"*": args}, {"*": kwargs}
        for pattern, values in args.items():
            if fnmatch(channel, pattern):
                (kind,) = values
                # What Trace.filter calls, after a search of its plugins that takes longer.
                function = getattr(obspy.signal.filter, kind)
                data = function(data, df=self.sampling_rate, **(kwargs[pattern] or {}))
        return data


class PickWindow(sbg.FixedWindow):
    """
    A window for training or evaluating a picker, with zeros beyond the ends of the record.

    A record of the window's length is used as it is. In training, the window contains a random
    onset at a random place, and some windows lie anywhere in the record. In evaluation, the window
    contains the first P and S, if both fit in, and as much of the record as possible.

    :param in_samples: Length.
    :param margin: Samples between onsets and the window's ends.
    :param training: See above.
    :param anywhere: Share of training windows that are anywhere.
    """

    def __init__(self, in_samples: int, margin: int, training: bool, anywhere=0.1, key="X"):
        super().__init__(windowlen=in_samples, strategy="pad", key=key)
        self.margin = min(margin, in_samples // 4)
        self.training, self.anywhere = training, anywhere

    def __call__(self, state_dict):
        x, metadata = state_dict[self.key[0]]
        samples, length = x.shape[1], self.windowlen
        onsets = {c: at for c, at in onsets_of(metadata).items() if 0 <= at < samples}
        spare = samples - length
        if spare == 0:
            first = 0
        elif not onsets or (self.training and np.random.uniform() < self.anywhere):
            first = np.random.randint(min(0, spare), max(0, spare) + 1)
        elif self.training:
            at = int(list(onsets.values())[np.random.randint(len(onsets))])
            first = at - np.random.randint(self.margin, length - self.margin)
        else:
            low, high = self._range(onsets)
            # An onset near the window's end is better than zeros in the window.
            low, high = np.clip([low, high], min(0, spare), max(0, spare))
            first = np.random.randint(low, high + 1)
        super().__call__(state_dict, p0=int(first))

    def _range(self, onsets: dict[str, float]) -> tuple[int, int]:
        """First and last start of a window that holds the first onset and, if it can, S after P."""
        start = int(min(onsets.values()))
        number = event_of(min(onsets, key=onsets.get))
        own = [int(at) for column, at in onsets.items() if event_of(column) == number]
        room = self.windowlen - 1 - self.margin
        end = max((at for at in own if at - start <= room - self.margin), default=start)
        return end - room, max(start - self.margin, end - room)

    def __str__(self):
        return f"PickWindow (windowlen={self.windowlen}, training={self.training})"


class OnsetWindow(sbg.FixedWindow):
    """
    A window with the first onset of P at a fixed sample, with zeros beyond the ends of the record.

    :param in_samples: Length.
    :param pred_sample: Sample of the onset.
    :param jitter: Largest random deviation from it in samples.
    :raises ValueError: For a record without an onset of P.
    """

    def __init__(self, in_samples: int, pred_sample: int, jitter: int = 0, key="X"):
        super().__init__(windowlen=in_samples, strategy="pad", key=key)
        self.pred_sample, self.jitter = pred_sample, jitter

    def __call__(self, state_dict):
        metadata = state_dict[self.key[0]][1]
        onsets = [at for c, at in onsets_of(metadata, "P").items() if event_of(c) == 1]
        if not onsets:
            raise ValueError(
                f"Trace {metadata.get('trace_name')} has no onset of P "
                f"(trace_<phase>_arrival_sample). Select records with usable() first."
            )
        deviation = np.random.randint(-self.jitter, self.jitter + 1)
        first = int(np.floor(min(onsets) + 0.5)) - self.pred_sample + deviation
        super().__call__(state_dict, p0=first)

    def __str__(self):
        return (
            f"OnsetWindow (windowlen={self.windowlen}, pred_sample={self.pred_sample}, "
            f"jitter={self.jitter})"
        )


class LastSamples(sbg.FixedWindow):
    """
    The end of a record.

    :param samples: Length.
    """

    def __init__(self, samples: int, key="X"):
        super().__init__(windowlen=samples, key=key)

    def __call__(self, state_dict):
        super().__call__(state_dict, p0=state_dict[self.key[0]][0].shape[1] - self.windowlen)

    def __str__(self):
        return f"LastSamples ({self.windowlen})"


class Normalize:
    """
    :py:func:`seisbench_llm.preprocess.normalize` of a window, in single precision as ``annotate``.

    :param joint: As there.
    :param key: Key in the state dict.
    """

    def __init__(self, joint: bool = False, key: str = "X"):
        self.joint, self.key = joint, key

    def __call__(self, state_dict):
        x, metadata = state_dict[self.key]
        window = torch.from_numpy(np.ascontiguousarray(x, np.float32))
        state_dict[self.key] = (preprocess.normalize(window, self.joint).numpy(), metadata)

    def __str__(self):
        return "Normalize"
