"""
Do synthetic records agree with their labels? Prints the checks and draws a montage.

    python -m benchmarks.quality.synthetic --records 1500 --seed 2026

All is measured on the waveforms as they are written, noise included, where the signal is clear.
Two checks are weaker than they look: onsets are searched within 1.2 s of the label, and the mean of
the magnitudes was calibrated (see ``synth_source.seismic_moment``); their scatter and their trends
with distance and magnitude were not forced.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.signal import butter, sosfiltfilt

from seisbench_llm.data.synthetic.cluster import distance_correction
from seisbench_llm.data.synthetic.records import Synthetic

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "synthetic_montage.png"
RATE = 100.0


def aic_onset(trace: np.ndarray, guess: int, half: int) -> float:
    """Onset by the Akaike criterion (Maeda 1985) within half samples of a guess."""
    part = trace[max(0, guess - half) : guess + half]
    number = np.arange(10, len(part) - 10)
    total, square = np.cumsum(part), np.cumsum(part**2)
    before = square[number] / number - (total[number] / number) ** 2
    rest = len(part) - number
    after = (square[-1] - square[number]) / rest - ((total[-1] - total[number]) / rest) ** 2
    score = number * np.log(np.maximum(before, 1e-30)) + rest * np.log(np.maximum(after, 1e-30))
    return max(0, guess - half) + number[score.argmin()]


def onsets(waveform, row):
    """Measured less labelled onsets of P and S and S - P in s."""
    if not (row.trace_p_snr_db > 12 and row.trace_s_snr_db > 12):
        return None
    p, s = int(row.trace_p_arrival_sample), int(row.trace_s_arrival_sample)
    if s - p < 250 or p < 150 or s > waveform.shape[1] - 150:
        return None
    clean = sosfiltfilt(butter(2, [1, 30], "band", fs=RATE, output="sos"), waveform)
    found_p = aic_onset(clean[0], p, 120)
    found_s = aic_onset(np.hypot(clean[1], clean[2]), s, 120)
    return (found_p - p) / RATE, (found_s - s) / RATE, (found_s - found_p - (s - p)) / RATE


def back_azimuth(waveform, row):
    """Error of the direction of P in degrees, by its covariance (Jurkevics 1988)."""
    if not row.trace_p_snr_db > 20 or row.trace_p_arrival_sample < 100:
        return None
    p = int(row.trace_p_arrival_sample)
    clean = sosfiltfilt(butter(2, [2, 20], "band", fs=RATE, output="sos"), waveform)
    part = clean[:, p - 1 : p + 13]
    values, vectors = np.linalg.eigh(part @ part.T)
    z, n, e = vectors[:, -1]
    if values[-2] > 0.1 * values[-1] or abs(z) > 0.99:
        return None
    angle = np.degrees(np.arctan2(-e * np.sign(z), -n * np.sign(z)))
    return ((angle - row.path_back_azimuth_deg + 180) % 360 - 180,)


def polarity(waveform, row):
    """Whether the first swing goes the labelled way."""
    if row.trace_polarity not in ("U", "D") or row.trace_original_sampling_rate_hz < RATE:
        return None
    p = int(row.trace_p_arrival_sample)
    swing = waveform[0, p : p + 6] - waveform[0, max(0, p - 5) : p].mean()
    first = swing[np.argmax(np.abs(swing) > 0.3 * np.abs(swing).max())]
    return ((first > 0) == (row.trace_polarity == "U"),)


def _displacement(waveform, row, low: float):
    """Spectrum of ground displacement in m s without the part below a corner in Hz."""
    frequency = np.fft.rfftfreq(8192, 1 / RATE)
    gain = row.trace_gain_counts if row.trace_unit == "counts" else 1.0
    order = 2 if row.trace_instrument == "accelerometer" else 1
    spectrum = np.fft.rfft(waveform - waveform.mean(axis=1, keepdims=True), 8192) / gain
    spectrum[:, 1:] /= (2j * np.pi * frequency[1:]) ** order
    return frequency, spectrum / np.sqrt(1 + (low / np.maximum(frequency, 1e-6)) ** 8)


def magnitude(waveform, row):
    """Measured less labelled local magnitude (Hutton & Boore 1987)."""
    s = row.trace_s_arrival_sample
    if not (row.trace_s_snr_db > 8 and row.trace_p_snr_db > 20 and s < waveform.shape[1] - 800):
        return None
    if row.trace_instrument in ("borehole", "accelerometer"):
        return None
    frequency, ground = _displacement(waveform, row, 1.2 if row.source_magnitude < 3.5 else 0.4)
    laplace, pole = 2j * np.pi * frequency, 2 * np.pi / 0.8
    response = 2080 * laplace**2 / (laplace**2 + 1.4 * pole * laplace + pole**2)
    trace = np.fft.irfft(ground * response)[1:, int(s) : int(s) + 800] * 1e3
    distance = np.hypot(row.path_ep_distance_km, row.source_depth_km)
    measured = np.log10(np.abs(trace).max(axis=1).mean()) + distance_correction(distance)
    return measured - row.source_magnitude, distance, row.source_magnitude


def corner(waveform, row):
    """log10 of fitted over labelled S corner frequency, omega-square with free t*."""
    s = row.trace_s_arrival_sample
    usual = row.trace_original_sampling_rate_hz >= RATE and row.trace_instrument in (
        "broadband",
        "short_period",
    )
    near = row.path_ep_distance_km < 80 and 1.0 < row.source_corner_frequency_hz < 12
    if not (usual and near and row.trace_s_snr_db > 8 and row.trace_p_snr_db > 18):
        return None
    if not 300 < s < waveform.shape[1] - 500:
        return None
    window = waveform[:, int(s) - 20 : int(s) + 400] * np.hanning(840)[-420:] ** 0.25
    frequency, ground = _displacement(window, row, 0.01)
    used = (frequency > 0.7) & (frequency < 25)
    axis = np.geomspace(0.8, 24, 40)
    log_amplitude = np.interp(
        axis, frequency[used], np.log(np.sqrt((np.abs(ground[1:, used]) ** 2).mean(axis=0)))
    )

    def misfit(values):
        level, log_corner, t_star = values
        return (
            level
            - np.log1p((axis / np.exp(log_corner)) ** 2)
            - np.pi * axis * t_star
            - log_amplitude
        )

    bounds = ([-80, np.log(0.3), 0.0], [20, np.log(30), 0.2])
    start = [log_amplitude[:5].mean(), np.log(4.0), 0.03]
    found = least_squares(misfit, start, bounds=bounds, loss="soft_l1").x
    return np.log10(np.exp(found[1]) / row.source_corner_frequency_hz), row.source_magnitude


def collect(check, waveforms, metadata) -> np.ndarray:
    """Results of a check over the records that allow it, (records, values)."""
    rows = zip(waveforms, metadata.itertuples(), strict=True)
    found = [check(waveform, row) for waveform, row in rows if row.trace_category != "noise"]
    return np.array([value for value in found if value is not None], dtype=float)


def print_checks(waveforms: np.ndarray, metadata: pd.DataFrame) -> None:
    def spread(values):
        deviation = 1.4826 * np.median(np.abs(values - np.median(values)))
        return f"median {np.median(values):+.3f}, robust deviation {deviation:.3f}"

    found = collect(onsets, waveforms, metadata)
    print(f"onsets by AIC, {len(found)} records")
    for name, column in zip(("P", "S", "S - P"), found.T, strict=True):
        within = np.mean(np.abs(column) < 0.1)
        print(f"  {name}: {spread(column)} s, {within:.0%} within 0.1 s")
    found = collect(polarity, waveforms, metadata)
    print(f"polarity, {len(found)} records: {found.mean():.1%} of first swings as labelled")
    found = collect(back_azimuth, waveforms, metadata)[:, 0]
    half, most = np.percentile(np.abs(found), [50, 75])
    print(
        f"back-azimuth by polarisation, {len(found)} records: median {np.median(found):+.1f},",
        end="",
    )
    print(f" half within {half:.0f}, three quarters within {most:.0f} degrees")
    found = collect(magnitude, waveforms, metadata)
    print(f"local magnitude, {len(found)} records: {spread(found[:, 0])}")
    for low, high in ((0, 30), (30, 100), (100, 400)):
        part = found[(found[:, 1] >= low) & (found[:, 1] < high), 0]
        print(f"  {low}-{high} km, {len(part)}: {spread(part)}")
    for low, high in ((-1, 1.5), (1.5, 3), (3, 7)):
        part = found[(found[:, 2] >= low) & (found[:, 2] < high), 0]
        print(f"  ML {low}-{high}, {len(part)}: {spread(part)}")
    found = collect(corner, waveforms, metadata)
    print(f"corner frequency, {len(found)} records: log10 ratio {spread(found[:, 0])}")


def print_contents(metadata: pd.DataFrame) -> None:
    events = metadata[metadata.trace_category == "earthquake"]
    print(
        f"{len(metadata)} records, {len(events)} with an event, {events.source_id.nunique()} events"
    )
    for column in ("trace_p_snr_db", "trace_s_snr_db", "source_magnitude", "path_ep_distance_km"):
        quantiles = np.nanpercentile(events[column], [5, 25, 50, 75, 95]).round(1)
        print(f"  {column}: 5, 25, 50, 75, 95 % at {', '.join(map(str, quantiles))}")
    share = {name: f"{events[f'trace_{name}_arrival_sample'].notna().mean():.0%}" for name in "ps"}
    print(
        f"  labelled P {share['p']}, S {share['s']};",
        events.trace_polarity.value_counts().to_dict(),
    )


def draw(waveforms: np.ndarray, metadata: pd.DataFrame, path: Path) -> None:
    """Twelve records that differ in distance, and four of noise or several events."""
    events = metadata[metadata.trace_category == "earthquake"]
    single = events[events.trace_p2_arrival_sample.isna() & events.trace_s_arrival_sample.notna()]
    order = single.sort_values("path_ep_distance_km").index
    chosen = list(order[np.linspace(0.03 * len(order), len(order) - 1, 12).astype(int)])
    chosen += list(events[events.trace_s2_arrival_sample.notna()].index[:2])
    chosen += list(metadata[metadata.trace_category == "noise"].index[:2])
    figure, axes = plt.subplots(8, 2, figsize=(13, 15), sharex=True, layout="constrained")
    seconds = np.arange(waveforms.shape[-1]) / RATE
    colours = {"p": "tab:red", "s": "tab:blue", "p2": "tab:orange", "s2": "tab:cyan"}
    for axis, i in zip(axes.T.flat, chosen, strict=True):
        row = metadata.loc[i]
        for k, name in enumerate("ZNE"):
            trace = waveforms[i, k] - waveforms[i, k].mean()
            peak = max(np.abs(trace).max(), 1e-30)
            axis.plot(seconds, trace / peak - 2 * k, color="black", linewidth=0.35)
            axis.text(-0.5, -2 * k, name, ha="right", va="center", fontsize=7)
        for phase, colour in colours.items():
            axis.axvline(row[f"trace_{phase}_arrival_sample"] / RATE, color=colour, linewidth=0.9)
        title = row.trace_instrument.replace("_", " ")
        if row.trace_category == "earthquake":
            title += f", ML {row.source_magnitude:.1f}, {row.path_ep_distance_km:.0f} km,"
            title += f" depth {row.source_depth_km:.0f} km, polarity {row.trace_polarity},"
            title += f" S/N of P {row.trace_p_snr_db:.0f} dB"
        else:
            title += ", noise only"
        axis.set_title(title, fontsize=8)
        axis.set(xlim=(0, seconds[-1]), yticks=[])
    for axis in axes[-1]:
        axis.set_xlabel("Time (s)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    arguments = parser.parse_args()

    synthetic = Synthetic(arguments.records, seed=arguments.seed)
    start = time.perf_counter()
    waveforms, metadata = synthetic.generate()
    taken = time.perf_counter() - start
    print(
        f"{len(waveforms) / taken:.0f} records of {synthetic.seconds:.0f} s a second, one process"
    )
    print_contents(metadata)
    draw(waveforms, metadata, arguments.figure)

    # Faults and further events would only blur what is to be compared.
    plain = Synthetic(
        arguments.records, seed=arguments.seed, noise_only=0.0, extra_events=0.0, faults=False
    )
    print_checks(*plain.generate())


if __name__ == "__main__":
    main()
