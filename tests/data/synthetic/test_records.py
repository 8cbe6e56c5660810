from dataclasses import replace

import numpy as np
import obspy
import pytest
from obspy.geodetics import gps2dist_azimuth
from obspy.signal.spectral_estimation import get_nhnm, get_nlnm
from obspy.taup import TauPyModel
from obspy.taup.taup_create import build_taup_model
from scipy.signal import butter, sosfiltfilt, welch

from seisbench_llm.data.synthetic import cluster as synth_cluster
from seisbench_llm.data.synthetic import noise as synth_noise
from seisbench_llm.data.synthetic import path as synth_path
from seisbench_llm.data.synthetic import site as synth_site
from seisbench_llm.data.synthetic import source as synth_source
from seisbench_llm.data.synthetic.draws import Draws
from seisbench_llm.data.synthetic.path import Crust
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.data.synthetic.wave import first_times, ground_motion

RATE = 100.0


@pytest.fixture(scope="module")
def records():
    synthetic = Synthetic(256, seed=7, noise_only=0.0, extra_events=0.0, faults=False)
    return synthetic.generate()


@pytest.fixture(scope="module")
def scene():
    """Sources, crust, paths and sites of 48 records, with no noise on top."""
    keys = [[3, 1, i] for i in range(48)]
    event, record = Draws(keys), Draws([[3, 2, i] for i in range(48)])
    sources = synth_source.draw_sources(event, (1.0, 4.0))
    crust = synth_path.draw_crust(event, record, sources.depth)
    azimuth = record.uniform(0, 2 * np.pi)
    paths = synth_path.draw_paths(
        event, record, record.uniform(5, 120), azimuth, (azimuth + np.pi) % (2 * np.pi)
    )
    return sources, crust, paths, synth_site.draw_sites(record)


def draws(records=48):
    return Draws([[5, i] for i in range(records)])


def test_records_depend_on_seed_and_number_only():
    whole, table = Synthetic(20, seed=1).generate()
    part, rows = Synthetic(12, seed=1).generate(7, 5)
    assert whole.shape == (20, 3, 6000) and whole.dtype == np.float32
    np.testing.assert_array_equal(part, whole[7:12])
    assert rows.equals(table.iloc[7:12].reset_index(drop=True))
    assert not np.array_equal(Synthetic(1, seed=2).generate()[0], whole[:1])


@pytest.mark.parametrize("start,count", [(-1, 2), (0, 5), (4, 1)])
def test_range_is_checked(start, count):
    with pytest.raises(ValueError, match="are not among"):
        Synthetic(4).generate(start, count)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="must not be negative"):
        Synthetic(-1)
    with pytest.raises(ValueError, match="noise must be"):
        Synthetic(1, noise=np.zeros((3, 100)))
    assert len(Synthetic(0).generate()[0]) == 0


@pytest.mark.parametrize("rate,seconds", [(50.0, 30.0), (100.0, 90.01)])
def test_rate_and_length(rate, seconds):
    waveforms, metadata = Synthetic(6, sampling_rate=rate, seconds=seconds).generate()
    assert waveforms.shape == (6, 3, round(rate * seconds))
    assert np.isfinite(waveforms).all()
    assert (metadata.trace_sampling_rate_hz == rate).all()


def test_written_dataset(tmp_path):
    synthetic = Synthetic(20, seed=4)
    waveforms, metadata = synthetic.generate()
    dataset = Synthetic.dataset(synthetic.write(tmp_path / "set", chunk=8))
    assert dataset.metadata.source_id.tolist() == metadata.source_id.tolist()
    assert (dataset.metadata.trace_sampling_rate_hz == RATE).all()
    for i in (0, 9, 19):
        np.testing.assert_array_equal(dataset.get_waveforms(i), waveforms[i])
    splits = dataset.metadata.groupby("source_id").split.nunique()
    assert (splits == 1).all()


def test_metadata(records):
    _, metadata = records
    assert (metadata.groupby("source_id").source_magnitude.nunique() == 1).all()
    assert metadata.source_id.duplicated().any()
    for row in metadata.iloc[:20].itertuples():
        distance, _, back_azimuth = gps2dist_azimuth(
            row.source_latitude_deg,
            row.source_longitude_deg,
            row.station_latitude_deg,
            row.station_longitude_deg,
        )
        assert row.path_ep_distance_km == pytest.approx(distance / 1e3, abs=1e-3)
        assert row.path_back_azimuth_deg == pytest.approx(back_azimuth, abs=1e-3)
        onset = obspy.UTCDateTime(row.trace_start_time) + row.trace_p_theoretical_sample / RATE
        travel = onset - obspy.UTCDateTime(row.source_origin_time)
        assert row.path_ep_distance_km / 9 < travel < row.path_ep_distance_km / 2 + 60


def test_noise_records():
    waveforms, metadata = Synthetic(30, noise_only=1.0).generate()
    assert (metadata.trace_category == "noise").all() and metadata.source_id.is_unique
    columns = ["source_magnitude", "path_ep_distance_km", "trace_p_arrival_sample"]
    assert metadata[[*columns, "trace_s_arrival_sample", "trace_polarity"]].isna().all(axis=None)
    assert waveforms.std(axis=-1).any(axis=1).all()


def test_further_events():
    _, metadata = Synthetic(60, extra_events=1.0, noise_only=0.0).generate()
    assert metadata.trace_s2_arrival_sample.notna().mean() > 0.2
    assert metadata.trace_s3_arrival_sample.notna().any()
    both = metadata.dropna(subset=["trace_p2_arrival_sample", "trace_s2_arrival_sample"])
    assert (both.trace_s2_arrival_sample > both.trace_p2_arrival_sample).all()


def test_faults_take_their_labels_away():
    waveforms, metadata = Synthetic(200, seed=2).generate()
    live = waveforms.any(axis=-1)
    assert not live.all()
    expected = ["".join(np.array(list("ZNE"))[row]) for row in live]
    assert metadata.trace_components_available.tolist() == expected
    assert not metadata[~live[:, 0]].trace_polarity.isin(["U", "D"]).any()
    for i, onset in metadata.trace_p_arrival_sample.dropna().items():
        assert waveforms[i, :, int(onset) : int(onset) + 50].any()


def test_travel_times_agree_with_taup(tmp_path):
    depths, vp, vs = [0, 2, 15, 25, 35], [4.0, 5.9, 6.3, 6.8, 8.0], [2.2, 3.4, 3.65, 3.9, 4.5]
    lines = []
    bottoms = [*depths[1:], 600]
    for top, bottom, p, s in zip(depths, bottoms, vp, vs, strict=True):
        lines += [f"{top} {p} {s} 2.7", f"{bottom} {p} {s} 2.7"]
        lines += ["mantle"] if bottom == 35 else []
    lines += ["600 11 6 5", "2891 13.6 7.2 5.5", "outer-core", "2891 8 0 10", "5149 10 0 12"]
    lines += ["inner-core", "5149 11 3.5 13", "6371 11.2 3.6 13"]
    (tmp_path / "crust.nd").write_text("\n".join(lines))
    build_taup_model(str(tmp_path / "crust.nd"), output_folder=str(tmp_path), verbose=False)
    model = TauPyModel(str(tmp_path / "crust.npz"))
    distance, depth = np.array([10.0, 60.0, 140.0, 280.0]), np.array([8.0, 8.0, 20.0, 8.0])
    crust = Crust(*(np.tile(np.array(x, float), (4, 1)) for x in (depths, vp, vs)))
    for times, phases in zip(first_times(crust, depth, distance), ("ttp", "tts"), strict=True):
        for i in range(4):
            # Flat here, a sphere there: its Moho is 0.5 % shorter.
            found = model.get_travel_times(depth[i], np.degrees(distance[i] / 6371), [phases])
            letter = phases[-1]
            expected = min(a.time for a in found if a.name.lower().startswith(letter))
            assert times[i] == pytest.approx(expected, rel=5e-3, abs=0.02)


def test_radiation_is_that_of_the_moment_tensor(scene):
    sources, takeoff, azimuth = scene[0], draws().uniform(0, np.pi), draws().uniform(0, 6.28)
    s, d, r = sources.strike, sources.dip, sources.rake
    normal = np.stack([-np.sin(d) * np.sin(s), np.sin(d) * np.cos(s), -np.cos(d)])
    slip = np.stack(
        [
            np.cos(r) * np.cos(s) + np.cos(d) * np.sin(r) * np.sin(s),
            np.cos(r) * np.sin(s) - np.cos(d) * np.sin(r) * np.cos(s),
            -np.sin(r) * np.sin(d),
        ]
    )
    tensor = np.einsum("ik,jk->ijk", slip, normal)
    tensor = tensor + tensor.transpose(1, 0, 2)
    cos_i, sin_i, zero = np.cos(takeoff), np.sin(takeoff), np.zeros(48)
    ray = np.stack([sin_i * np.cos(azimuth), sin_i * np.sin(azimuth), cos_i])
    sv = np.stack([cos_i * np.cos(azimuth), cos_i * np.sin(azimuth), -sin_i])
    sh = np.stack([-np.sin(azimuth), np.cos(azimuth), zero])
    found = synth_source.radiation(sources, takeoff, azimuth)
    for value, direction in zip(found, (ray, sv, sh), strict=True):
        expected = np.einsum("ik,ijk,jk->k", direction, tensor, ray)
        np.testing.assert_allclose(value, expected, atol=1e-12)


def test_free_surface():
    vertical = synth_site.free_surface(np.zeros(1), np.array([5.0]), np.array([3.0]))
    np.testing.assert_allclose(np.concatenate(vertical), [2, 0, 0, 2], atol=1e-12)
    # The apparent angle of P is twice the angle of the reflected S (Wiechert 1907).
    slowness, vs = np.array([0.1, 0.15]), np.array([3.0, 3.0])
    p_z, p_r, _, _ = synth_site.free_surface(slowness, np.array([5.0, 5.0]), vs)
    np.testing.assert_allclose(np.arctan2(p_r, p_z), 2 * np.arcsin(slowness * vs))


def test_causal_filter_keeps_the_amplitude_and_begins_at_zero():
    frequency = np.fft.rfftfreq(4096, 1 / RATE)
    logarithm = (-np.log1p((frequency / 5) ** 2) - np.pi * frequency * 0.02)[None]
    spectrum = synth_site.causal(logarithm, 4096)
    np.testing.assert_allclose(np.abs(spectrum), np.exp(logarithm), rtol=1e-3)
    pulse = np.fft.irfft(spectrum[0])
    assert np.abs(pulse[2048:]).max() < 1e-4 * np.abs(pulse).max()
    assert np.argmax(np.abs(pulse)) < 10


def test_noise_lies_where_it_shall():
    frequency = np.array([0.1, 1.0, 8.0])
    for level, model in ((0.0, get_nlnm), (1.0, get_nhnm)):
        periods, decibel = model()
        power = synth_noise.acceleration_noise(frequency, np.full((1, 8), level))
        expected = np.interp(1 / frequency, periods[::-1], decibel[::-1])
        np.testing.assert_allclose(10 * np.log10(power[0]), expected, atol=1.0)
    sites = synth_site.draw_sites(draws(60))
    noise = synth_noise.draw_noise(draws(60), sites, 8192, RATE)
    broad = sites.is_a("broadband")
    spectral, power = welch(noise[broad], RATE, nperseg=2048)
    band = (spectral > 0.5) & (spectral < 8)
    acceleration = 10 * np.log10(power[..., band] * (2 * np.pi * spectral[band]) ** 2)
    low, high = (
        np.interp(1 / spectral[band], model()[0][::-1], model()[1][::-1])
        for model in (get_nlnm, get_nhnm)
    )
    assert np.mean((acceleration > low - 6) & (acceleration < high + 10)) > 0.9


def test_nothing_precedes_the_onset(scene):
    sources, crust, paths, _ = scene
    motion, arrivals = ground_motion(*scene, draws(), np.full(48, 1000.0), 8192, RATE)
    first_p, first_s = first_times(crust, sources.depth, paths.distance)
    np.testing.assert_array_equal(arrivals.p.min(axis=1), np.round(1000 + first_p * RATE))
    np.testing.assert_array_equal(arrivals.s.min(axis=1), np.round(1000 + first_s * RATE))
    for waveform, onset in zip(motion, arrivals.p.min(axis=1).astype(int), strict=True):
        ahead = np.abs(waveform[:, onset - 200 : onset]).max()
        assert ahead < 2e-3 * np.abs(waveform[:, onset : onset + 200]).max()


def test_spectra_are_omega_square(scene):
    """Two events at one place and station differ by their sources alone (spectral ratio)."""
    sources, crust, paths, sites = scene
    whole = np.tile([1.0, 0, 0, 0], (48, 1))
    small = replace(sources, sub_weight=whole, moment=np.full(48, 1e11))
    large = replace(small, moment=np.full(48, 1e14))
    spectra, corners = [], []
    vs = crust.vs[np.arange(48), crust.at(sources.depth)] * 1e3
    for one in (large, small):
        motion, _ = ground_motion(one, crust, paths, sites, draws(), np.zeros(48), 16384, RATE)
        spectra.append(np.abs(np.fft.rfft(motion[:, 1:])).mean(axis=1))
        corners.append(synth_source.corner_frequency(one.moment, one.stress_drop, vs)[:, None])
    frequency = np.fft.rfftfreq(16384, 1 / RATE)
    used = (frequency > 2) & (frequency < 12)
    ratio = np.log10(spectra[0] / spectra[1])[:, used]
    expected = 3 - np.log10(1 + (frequency[used] / corners[0]) ** 2)
    expected = expected + np.log10(1 + (frequency[used] / corners[1]) ** 2)
    assert np.median(np.abs(np.median(ratio - expected, axis=1))) < 0.03


def test_sub_events_add_up_without_coherence(scene):
    """Four sub-events have the power of one event above its corner, a quarter of it below."""
    sources, crust, paths, sites = scene
    large = replace(sources, moment=np.full(48, 1e15))
    coda, power = first_times(crust, sources.depth, paths.distance)[1] + 5, []
    for weights in ([1.0, 0, 0, 0], [0.25] * 4):
        one = replace(
            large,
            sub_weight=np.tile(weights, (48, 1)),
            sub_delay=np.tile([0, 0.31, 0.77, 1.3], (48, 1)),
        )
        motion, _ = ground_motion(one, crust, paths, sites, draws(), np.zeros(48), 16384, RATE)
        rows = [m[:, int(t * RATE) :][:, :2500] for m, t in zip(motion, coda, strict=True)]
        power.append(np.abs(np.fft.rfft(np.hanning(2500) * np.stack(rows), 4096)) ** 2)
    frequency = np.fft.rfftfreq(4096, 1 / RATE)
    for (low, high), expected in (((0.2, 0.6), 0.25), ((10, 30), 1)):
        used = (frequency > low) & (frequency < high)
        one, four = (p[..., used].mean(axis=(1, 2)) for p in power)
        assert np.median(four / one) == pytest.approx(expected, rel=0.25)


def test_polarity_and_back_azimuth_on_the_output(records):
    waveforms, metadata = records
    signs, angles = [], []
    for waveform, row in zip(waveforms, metadata.itertuples(), strict=True):
        if row.trace_polarity == "N" or row.trace_p_snr_db < 25:
            continue
        if row.trace_original_sampling_rate_hz < RATE:
            continue
        onset = int(row.trace_p_arrival_sample)
        waveform = waveform - waveform[:, onset - 20 : onset].mean(axis=1, keepdims=True)
        swing = waveform[0, onset : onset + 8]
        first = swing[np.argmax(np.abs(swing) > 0.25 * np.abs(swing).max())]
        signs.append((first > 0) == (row.trace_polarity == "U"))
        quiet = sosfiltfilt(butter(2, [2, 20], "band", fs=RATE, output="sos"), waveform)
        part = quiet[:, onset - 1 : onset + 12]
        values, vectors = np.linalg.eigh(part @ part.T)
        z, n, e = vectors[:, -1]
        if values[-2] < 0.12 * values[-1] and abs(z) < 0.99:
            angle = np.arctan2(-e * np.sign(z), -n * np.sign(z))
            error = np.degrees(angle) - row.path_back_azimuth_deg
            angles.append((error + 180) % 360 - 180)
    assert len(signs) > 40 and np.mean(signs) > 0.95
    assert len(angles) > 10 and np.median(np.abs(angles)) < 20


def test_local_magnitude_on_the_output(records):
    """Wood-Anderson amplitude with the scale of Hutton & Boore (1987)."""
    waveforms, metadata = records
    frequency = np.fft.rfftfreq(8192, 1 / RATE)
    s = 2j * np.pi * frequency
    pole = 2 * np.pi / 0.8
    wood_anderson = 2080 * s**2 / (s**2 + 2 * 0.7 * pole * s + pole**2)
    errors = []
    for waveform, row in zip(waveforms, metadata.itertuples(), strict=True):
        onset = row.trace_s_arrival_sample
        clear = row.trace_s_snr_db > 10 and row.trace_p_snr_db > 25 and onset < 5000
        if not clear or row.trace_instrument != "broadband":
            continue
        low = 1.2 if row.source_magnitude < 3.5 else 0.3
        gain = row.trace_gain_counts if row.trace_unit == "counts" else 1.0
        ground = np.fft.rfft(waveform - waveform.mean(axis=1, keepdims=True), 8192) / gain
        ground[:, 1:] /= s[1:]
        ground *= 1 / np.sqrt(1 + (low / np.maximum(frequency, 1e-6)) ** 8)
        trace = np.fft.irfft(ground * wood_anderson)[1:, int(onset) : int(onset) + 800] * 1e3
        distance = np.hypot(row.path_ep_distance_km, row.source_depth_km)
        measured = np.log10(np.abs(trace).max(axis=1).mean())
        measured += synth_cluster.distance_correction(distance)
        errors.append(measured - row.source_magnitude)
    assert len(errors) > 15
    assert abs(np.median(errors)) < 0.25 and np.std(errors) < 0.6


def test_real_noise_is_used():
    noise = np.random.default_rng(0).normal(size=(4, 3, 1500)).astype(np.float32)
    noise = np.cumsum(noise, axis=-1)
    settings = {"seed": 3, "noise_only": 1.0, "faults": False}
    plain, _ = Synthetic(6, **settings).generate()
    mixed, _ = Synthetic(6, noise=noise, real_noise=1.0, **settings).generate()
    assert mixed.shape == plain.shape and not np.allclose(mixed, plain)
    piece = synth_noise.cut_noise(noise, draws(5), 6000)
    assert piece.shape == (5, 3, 6000)
    np.testing.assert_allclose(piece.std(axis=(1, 2)), 1, rtol=1e-3)


def test_noise_from_dataset(tmp_path):
    dataset = Synthetic.dataset(
        Synthetic(4, noise_only=1.0, faults=False, seconds=20).write(tmp_path / "noise")
    )
    assert Synthetic.noise_from(dataset, 50.0, 10.0).shape == (4, 3, 500)
    assert Synthetic.noise_from(dataset, 50.0, 30.0).shape == (0, 3, 1500)
