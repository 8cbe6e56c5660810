"""
Synthetic three-component records of local and regional earthquakes with exact labels.

The physics is in the other modules of this package: ``source`` (double couples with omega-square
spectra), ``path`` (rays in a layered crust, Q), ``site`` (free surface, soft layers, instrument),
``coda`` (scattered waves), ``surface`` (surface waves), ``wave`` (complete ground motion),
``cluster`` (further events), ``noise`` (background between Peterson's models, faults) and
``labels`` (visible onsets).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import scipy.fft
import seisbench.data as sbd
from obspy.geodetics import gps2dist_azimuth

from . import labels
from . import noise as synth_noise
from . import site as synth_site
from . import source as synth_source
from . import wave as synth_wave
from .cluster import further_events
from .draws import Draws
from .path import draw_crust, draw_paths

_EVENT, _RECORD, _EXTRA = 1, 2, 3


# Seconds that are simulated before the window, so that it may begin within an event, and after the
# window, where filters wrap around.
_LEAD, _TAIL = 25.0, 8.0


_CHUNK = 64


_EARTH_RADIUS = 6371.0


class Synthetic:
    """
    Physically based records of local and regional earthquakes, with exact labels for picking,
    polarity, magnitude, distance and back-azimuth.

    Record ``i`` only depends on ``seed`` and the settings, not on ``n`` or on chunks. Records of
    one event follow each other and share ``source_id`` and ``split``.

    .. code-block:: python

        synthetic = Synthetic(10000, seed=1)
        waveforms, metadata = synthetic.generate(0, 64)
        synthetic.write("synthetic")
        dataset = Synthetic.dataset("synthetic")

    Metadata follow SeisBench. ``trace_p_arrival_sample`` is the first visible P phase. A Pn that is
    hidden or dwarfed by later phases does not count, as for an analyst. It is nan if no P is
    visible, or if P lies outside the window or in a gap. The same holds for S.
    ``trace_p_theoretical_sample`` and ``trace_s_theoretical_sample`` are the first arrivals,
    visible or not. ``trace_p2_arrival_sample`` and so on belong to further events.
    ``trace_polarity`` is U or D if the first swing stands out from the noise, else N.
    ``trace_components_available`` does not contain dead components, which are zero.

    Envelopes, the distribution of signal-to-noise ratios and the threshold of visibility were tuned
    by hand to test records of public repositories (northern California, New Zealand, Iceland,
    strong motion). Those records are therefore not an independent test of models that were trained
    on synthetic records.

    :param n: Number of records.
    :param seed: Integer >= 0.
    :param sampling_rate: Sampling rate in Hz.
    :param seconds: Length of a record in s.
    :param magnitude: Smallest and largest local magnitude.
    :param max_distance: Largest epicentral distance in km.
    :param noise_only: Fraction of records without an event.
    :param extra_events: Fraction of the other records with a second event in the window.
    :param noise: Real noise to mix in, shape (records, 3, samples) at ``sampling_rate``, components
        ZNE, any unit, see :py:meth:`noise_from`. It is scaled to the level of the synthetic noise.
    :param real_noise: Fraction of records with noise from ``noise``.
    :param faults: Whether to add offsets, spikes, gaps, dead channels and clipping.
    :raises ValueError: If ``n`` or ``seed`` is negative, or ``noise`` has a wrong shape.
    """

    def __init__(
        self,
        n: int,
        seed: int = 0,
        *,
        sampling_rate: float = 100.0,
        seconds: float = 60.0,
        magnitude: tuple[float, float] = (-0.3, 6.8),
        max_distance: float = 320.0,
        noise_only: float = 0.08,
        extra_events: float = 0.2,
        noise: np.ndarray | None = None,
        real_noise: float = 0.5,
        faults: bool = True,
    ):
        if n < 0 or seed < 0:
            raise ValueError(f"n and seed must not be negative, got {n} and {seed}.")
        if noise is not None and (np.ndim(noise) != 3 or np.shape(noise)[1] != 3):
            raise ValueError(f"noise must be (records, 3, samples), got {np.shape(noise)}.")
        self.n, self.seed = n, seed
        self.sampling_rate, self.seconds = float(sampling_rate), float(seconds)
        self.samples = round(seconds * sampling_rate)
        self.magnitude, self.max_distance = magnitude, max_distance
        self.noise_only, self.extra_events = noise_only, extra_events
        self.noise, self.real_noise, self.faults = noise, real_noise, faults
        self._event_of = self._assign_events()

    def __len__(self) -> int:
        return self.n

    def _assign_events(self) -> np.ndarray:
        """Number of the event of each record. One to ten stations record an event."""
        generator = np.random.default_rng([self.seed, 0])
        parts, total, events = [], 0, 0
        while total < self.n:
            counts = generator.choice([1, 2, 3, 4, 6, 8, 10], 1024)
            parts.append(np.repeat(np.arange(events, events + 1024), counts))
            total, events = total + counts.sum(), events + 1024
        return np.concatenate([*parts, np.empty(0, int)])[: self.n]

    def _keys(self, kind: int, numbers: np.ndarray) -> np.ndarray:
        return np.stack([np.full_like(numbers, self.seed), np.full_like(numbers, kind), numbers], 1)

    def generate(self, start: int = 0, count: int | None = None):
        """
        Make records in memory.

        :param start: Number of the first record.
        :param count: Number of records. By default all that remain.
        :return: Waveforms, float32 (count, 3, samples), components ZNE, in counts, m/s or m/s^2
            (``trace_unit``); and metadata, a DataFrame with count rows.
        :raises ValueError: If the range does not lie within the ``n`` records.
        """
        count = self.n - start if count is None else count
        if start < 0 or count < 0 or start + count > self.n:
            raise ValueError(f"Records {start} to {start + count} are not among the {self.n}.")
        # Small pieces stay in the processor's cache.
        pieces = [
            self._piece(np.arange(first, min(first + _CHUNK, start + count)))
            for first in range(start, start + count, _CHUNK)
        ]
        if not pieces:
            return np.empty((0, 3, self.samples), np.float32), pd.DataFrame()
        metadata = pd.concat([piece[1] for piece in pieces], ignore_index=True)
        return np.concatenate([piece[0] for piece in pieces]), metadata

    def _piece(self, numbers: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
        rate, samples = self.sampling_rate, self.samples
        events = self._event_of[numbers]
        event = Draws(self._keys(_EVENT, events))
        record = Draws(self._keys(_RECORD, numbers))

        sources = synth_source.draw_sources(event, self.magnitude)
        # A record without an event still draws all other numbers, so that the random streams stay
        # in step.
        silent = record.chance(self.noise_only)
        crust = draw_crust(event, record, sources.depth)
        place = self._draw_places(event, record, sources.magnitude)
        sites = synth_site.draw_sites(record)
        paths = draw_paths(
            event,
            record,
            place["path_ep_distance_km"],
            np.radians(place["path_azimuth_deg"]),
            np.radians(place["path_back_azimuth_deg"]),
        )

        times = synth_wave.first_times(crust, sources.depth, paths.distance)
        # In most records P is early enough for S to follow. Some windows begin after P.
        onset = record.uniform(0.03, 0.6) * samples - times[0] * rate
        late = record.uniform(0.03, 0.5) * samples - times[1] * rate
        origin = np.where(record.chance(0.06), late, onset)
        lead = round(_LEAD * rate)
        frame = 2 * scipy.fft.next_fast_len(-(-(samples + lead + round(_TAIL * rate)) // 2))
        window = slice(lead, lead + samples)
        motion, arrivals = synth_wave.ground_motion(
            sources, crust, paths, sites, record, origin + lead, frame, rate
        )
        clean = np.where(silent[:, None, None], 0, motion[..., window])
        arrivals.p, arrivals.s = arrivals.p - lead, arrivals.s - lead
        extra, further = self._further_events(
            numbers, sources, crust, paths, sites, origin, silent, frame, lead
        )

        noise = synth_noise.draw_noise(record, sites, samples + samples % 2, rate)[..., :samples]
        if self.noise is not None:
            noise = self._mix_noise(noise, record)
        response = synth_site.digitiser(np.fft.rfftfreq(frame, 1 / rate), sites.rate, rate)
        clean, extra, noise = (_filter(part, response, frame) for part in (clean, extra, noise))
        floor = record.uniform(-3, 14)
        ceiling = np.where(record.chance(0.25), record.uniform(0, 25), np.inf)
        energies = [labels.band_energy(part, rate) for part in (clean, extra, noise)]
        scale = labels.noise_scale(energies[0], energies[2], arrivals, floor, ceiling, rate)
        noise *= scale[:, None, None]
        energies[2] *= scale[:, None] ** 2
        columns = labels.visible_onsets(energies, arrivals, further, rate)
        columns["trace_polarity"] = labels.first_motion(
            clean[:, 0],
            noise[:, 0] + extra[:, 0],
            arrivals,
            columns["trace_p_arrival_sample"],
            rate,
        )
        waveforms = clean + extra + noise
        if self.faults:
            missing = synth_noise.add_faults(waveforms, record, rate)
            labels.drop_missing(columns, missing)
        live = waveforms.any(axis=-1)
        columns["trace_polarity"] = np.where(live[:, 0], columns["trace_polarity"], "N")
        gain = synth_site.to_counts(waveforms, noise, sites)
        vs = crust.vs[np.arange(len(numbers)), crust.at(sources.depth)] * 1e3
        place["source_corner_frequency_hz"] = synth_source.corner_frequency(
            sources.moment, sources.stress_drop, vs
        ).round(3)
        metadata = self._metadata(numbers, events, silent, sources, sites, place, origin, event)
        metadata["trace_gain_counts"] = gain
        metadata["trace_components_available"] = [
            "".join(c for c, alive in zip("ZNE", row, strict=True) if alive) for row in live
        ]
        return waveforms, metadata.assign(**labels.blank_noise(columns, silent))

    def _draw_places(self, event: Draws, record: Draws, magnitude: np.ndarray) -> dict:
        """Coordinates of source and station, and distance and azimuths between them."""
        # Largest distance at which an event of this magnitude is picked.
        reach = np.minimum(18 * 10 ** (0.43 * magnitude), self.max_distance)
        distance = 0.5 + np.maximum(reach - 0.5, 1) * record.uniform() ** 0.9
        azimuth = record.uniform(0, 2 * np.pi)
        latitude = np.arcsin(event.uniform(-0.93, 0.93))
        longitude = event.uniform(-np.pi, np.pi)
        angle = distance / _EARTH_RADIUS
        sine = np.sin(latitude) * np.cos(angle) + np.cos(latitude) * np.sin(angle) * np.cos(azimuth)
        turn = np.arctan2(
            np.sin(azimuth) * np.sin(angle) * np.cos(latitude),
            np.cos(angle) - np.sin(latitude) * sine,
        )
        source = np.degrees(np.stack([latitude, longitude], axis=1)).round(5)
        station = np.degrees(np.stack([np.arcsin(sine), longitude + turn], axis=1))
        station[:, 1] = (station[:, 1] + 180) % 360 - 180
        station = station.round(5)
        # Distances and azimuths are computed on the ellipsoid from the written coordinates.
        path = np.array(
            [gps2dist_azimuth(*a, *b) for a, b in zip(source, station, strict=True)]
        ).reshape(-1, 3)
        return {
            "source_latitude_deg": source[:, 0],
            "source_longitude_deg": source[:, 1],
            "station_latitude_deg": station[:, 0],
            "station_longitude_deg": station[:, 1],
            "path_ep_distance_km": path[:, 0] / 1e3,
            "path_azimuth_deg": path[:, 1],
            "path_back_azimuth_deg": path[:, 2],
        }

    def _further_events(self, numbers, sources, crust, paths, sites, origin, silent, frame, lead):
        """Motion and arrivals of a second and, rarely, a third event in the window."""
        motion = np.zeros((len(numbers), 3, self.samples), np.float32)
        further, before = [], ~silent
        for k in range(2):
            draws = Draws(self._keys(_EXTRA + k, numbers))
            # A third event needs a second one.
            before = before & draws.chance(self.extra_events if k == 0 else 0.25)
            rows = np.flatnonzero(before)
            arrivals = labels.no_arrivals(len(numbers))
            further.append(arrivals)
            if not len(rows):
                continue
            draws = Draws(self._keys(_EXTRA + 2 + k, numbers[rows]))
            moved = further_events(draws, sources, crust, paths, sites, rows)
            shift = draws.uniform(-0.35, 0.75) * self.samples
            part, onsets = synth_wave.ground_motion(
                *moved, draws, origin[rows] + shift + lead, frame, self.sampling_rate
            )
            motion[rows] += part[..., lead : lead + self.samples]
            arrivals.p[rows], arrivals.s[rows] = onsets.p - lead, onsets.s - lead
        return motion, further

    def _mix_noise(self, noise: np.ndarray, record: Draws) -> np.ndarray:
        real = synth_noise.cut_noise(np.asarray(self.noise, np.float32), record, self.samples)
        real *= noise.std(axis=(1, 2), keepdims=True)
        return np.where(record.chance(self.real_noise)[:, None, None], real, noise)

    def _metadata(
        self, numbers, events, silent, sources, sites, place, origin, event
    ) -> pd.DataFrame:
        rate = self.sampling_rate
        epoch = obspy.UTCDateTime(2000, 1, 1)
        seconds = np.floor(event.uniform(0, 6e8))
        start = [epoch + t - o / rate for t, o in zip(seconds, origin, strict=True)]
        split = np.array(["train", "dev", "test"])[event.choice([0.8, 0.1, 0.1])]
        unit = np.where(sites.is_a("accelerometer"), "m/s^2", "m/s")
        rows = pd.DataFrame(
            {
                "trace_name": [f"synthetic_{self.seed}_{i}" for i in numbers],
                "trace_category": np.where(silent, "noise", "earthquake"),
                "trace_completely_labelled": True,
                "trace_component_order": "ZNE",
                "trace_sampling_rate_hz": rate,
                "trace_npts": self.samples,
                "trace_start_time": [str(t) for t in start],
                "trace_unit": np.where(sites.gain > 0, "counts", unit),
                "trace_instrument": np.array(synth_site.INSTRUMENTS)[sites.instrument],
                "trace_original_sampling_rate_hz": sites.rate,
                "station_network_code": "SY",
                "station_code": [f"S{i:07d}" for i in numbers],
                "source_id": [
                    f"synthetic_{self.seed}_noise_{i}" if quiet else f"synthetic_{self.seed}_{e}"
                    for i, e, quiet in zip(numbers, events, silent, strict=True)
                ],
                "source_origin_time": [str(epoch + t) for t in seconds],
                "source_depth_km": sources.depth.round(3),
                "source_magnitude": sources.magnitude.round(2),
                "source_magnitude_type": "ML",
                "source_mw": synth_source.moment_magnitude(sources.moment).round(2),
                "source_stress_drop_mpa": (sources.stress_drop / 1e6).round(3),
                **place,
                "split": split,
            }
        )
        about_event = [c for c in rows if c.startswith(("source_", "path_")) and c != "source_id"]
        rows[about_event] = rows[about_event].where(np.tile(~silent[:, None], len(about_event)))
        return rows

    def write(self, folder: str | Path, chunk: int = 256) -> Path:
        """
        Write all records as a SeisBench dataset, ``metadata.csv`` and ``waveforms.hdf5``.

        :param folder: Folder. It is created if needed. Files of the same name are replaced.
        :param chunk: Number of records in memory at a time.
        :return: The folder.
        """
        folder = Path(folder)
        with sbd.WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
            writer.data_format = {
                "dimension_order": "CW",
                "component_order": "ZNE",
                "sampling_rate": self.sampling_rate,
            }
            writer.bucket_size = min(chunk, 1024)
            writer.set_total(self.n)
            for start in range(0, self.n, chunk):
                waveforms, metadata = self.generate(start, min(chunk, self.n - start))
                for row, waveform in zip(metadata.to_dict("records"), waveforms, strict=True):
                    writer.add_trace(row, waveform)
        return folder

    @staticmethod
    def dataset(folder: str | Path, **kwargs) -> sbd.WaveformDataset:
        """
        Open records written by :py:meth:`write`.

        :param folder: Folder of the dataset.
        :param kwargs: Arguments of :py:class:`seisbench.data.WaveformDataset`.
        """
        return sbd.WaveformDataset(Path(folder), **kwargs)

    @staticmethod
    def noise_from(dataset: sbd.WaveformDataset, sampling_rate: float, seconds: float):
        """
        Noise records of a SeisBench dataset in the format of :py:class:`Synthetic`.

        :param dataset: Three-component records without events. Records shorter than ``seconds`` are
            left out.
        :param sampling_rate: Sampling rate of the result in Hz.
        :param seconds: Length of the result in s.
        :return: Noise, float32 (records, 3, samples).
        """
        samples = round(seconds * sampling_rate)
        records = []
        for i in range(len(dataset)):
            waveform = dataset.get_waveforms(i, sampling_rate=sampling_rate)
            if waveform.shape[-1] >= samples and np.all(waveform.std(axis=-1) > 0):
                records.append(waveform[:, :samples])
        return np.asarray(records, np.float32).reshape(-1, 3, samples)


def _filter(waveforms: np.ndarray, response: np.ndarray, samples: int) -> np.ndarray:
    """Apply a real response, (records, samples // 2 + 1), to records where it is not all ones."""
    rows = np.flatnonzero((response < 1).any(axis=1))
    if len(rows):
        spectrum = scipy.fft.rfft(waveforms[rows], samples, axis=-1) * response[rows, None]
        waveforms = waveforms.copy()
        waveforms[rows] = scipy.fft.irfft(spectrum, samples)[..., : waveforms.shape[-1]]
    return waveforms
