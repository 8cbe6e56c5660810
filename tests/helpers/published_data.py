"""STEAD and DiTing in their published layouts, a few records of noise with a pulse at P and S."""

import h5py
import numpy as np
import pandas as pd


def _records(count, samples, seed):
    rng = np.random.default_rng(seed)
    p = rng.integers(600, 1500, count)
    s = p + rng.integers(200, 900, count)
    waves = rng.normal(0, 1, (count, samples, 3)).astype(np.float32)
    for i in range(count):
        waves[i, p[i] : p[i] + 30] += 20
        waves[i, s[i] : s[i] + 30] -= 40
    return rng, p, s, waves


def write_stead(folder, earthquakes=40, noise=8):
    """``merge.csv`` and ``merge.hdf5``; one record in four has no magnitude of type ml."""
    count = earthquakes + noise
    rng, p, s, waves = _records(count, 6000, 1)
    quake = np.arange(count) < earthquakes
    table = pd.DataFrame(
        {
            "network_code": "XX",
            "receiver_code": [f"ST{i % 7}" for i in range(count)],
            "receiver_type": "HH",
            "receiver_latitude": 40 + 0.1 * (np.arange(count) % 7),
            "receiver_longitude": 20.0,
            "receiver_elevation_m": 100.0,
            "p_arrival_sample": p,
            "p_status": "manual",
            "p_weight": 0.5,
            "p_travel_sec": 5.0,
            "s_arrival_sample": s,
            "s_status": "manual",
            "s_weight": 0.5,
            "source_id": [f"ev{i // 4}" for i in range(count)],
            "source_latitude": 40.5,
            "source_longitude": 20.5,
            "source_magnitude": rng.uniform(1, 4, count).round(1),
            "source_magnitude_type": ["ml", "ml", "ml", "mb"] * (count // 4),
            "source_distance_km": 1.0,
            "back_azimuth_deg": 1.0,
            "snr_db": "[20.1 30.2 25.3]",
            "coda_end_sample": "[[3000.]]",
            "trace_start_time": "2015-01-01 00:00:00",
            "trace_category": np.where(quake, "earthquake_local", "noise"),
            "trace_name": [f"ST{i % 7}.XX_2015010100{i:04d}_EV" for i in range(count)],
        }
    )
    known = [name for name in table if name.startswith(("p_", "s_", "source_", "back"))]
    table.loc[~quake, known] = np.nan
    table.to_csv(folder / "merge.csv", index=False)
    with h5py.File(folder / "merge.hdf5", "w") as file:
        for name, wave in zip(table["trace_name"], waves, strict=True):
            file[f"data/{name}"] = wave
    return table


def write_diting(folder, count=56, parts=28):
    """All parts of DiTing, each of a few records of the light subset."""
    rng, p, s, waves = _records(count, 9000, 2)
    names = [f"{c}_{w}_{k}_snr" for c in "ZNE" for w in "PS" for k in ("amplitude", "power")]
    table = pd.DataFrame(
        {
            "part": np.arange(count) % parts,
            "key": [f"{i // 4:06d}.{i % 4:04d}" for i in range(count)],
            "ev_id": [str(i // 4) for i in range(count)],
            "evmag": rng.uniform(1, 4, count).round(1),
            "mag_type": "ML",
            "p_pick": p,
            "p_clarity": "I",
            "p_motion": rng.choice(["U", "D"], count),
            "s_pick": s,
            "net": "AA",
            "sta_id": rng.integers(1, 99, count),
            "dis": rng.uniform(1, 300, count).round(2),
            "st_mag": 2.0,
            "baz": rng.uniform(0, 360, count).round(1),
            **dict.fromkeys(names, 10.0),
            "P_residual": "0.10",
            "S_residual": "0.10",
        }
    ).astype(str)
    for part, rows in table.groupby("part"):
        rows.to_csv(folder / f"DiTing330km_part_{part}.csv")
        with h5py.File(folder / f"DiTing330km_part_{part}.hdf5", "w") as file:
            for i, key in rows["key"].items():
                file[f"earthquake/{key}"] = waves[i]
    return table
