"""Small files of DiTing's published layout."""

import h5py
import numpy as np
import pandas as pd

from seisbench_llm.data.diting import DiTing

SAMPLES = 4000
SNR = [f"{c}_{p}_{k}_snr" for c in "ZNE" for p in "PS" for k in ("amplitude", "power")]


def published_keys(part: int, count: int, first_event: int = 1) -> pd.DataFrame:
    """Four records of each event."""
    event = first_event + np.arange(count) // 4
    keys = [f"{e:06d}.{i % 4 + 1:04d}" for i, e in enumerate(event)]
    return pd.DataFrame({"part": str(part), "key": keys, "ev_id": event.astype(str)})


def published_rows(part: int, count: int, first_event: int = 1) -> pd.DataFrame:
    """Metadata as text, the way the published files have them: padded with blanks, "-" for none."""
    rng = np.random.default_rng(part)
    event = first_event + np.arange(count) // 4
    p = rng.integers(600, 2000, count)
    rows = {
        **published_keys(part, count, first_event),
        "evmag": (event % 40) / 10,
        "mag_type": rng.choice(["ML", " Ms", "mb", "ml"], count),
        "p_pick": p,
        "p_clarity": rng.choice(["I", "E", " "], count),
        "p_motion": rng.choice(["U", "C", "D", "R", "n", " "], count),
        "s_pick": p + rng.integers(50, 1500, count),
        "net": "AA",
        "sta_id": rng.integers(1, 2000, count),
        "dis": rng.uniform(1, 330, count).round(2),
        "st_mag": (event % 30) / 10,
        "baz": rng.uniform(-20, 380, count).round(1),
        **{name: rng.uniform(-3, 30, count).round(3) for name in SNR},
        "P_residual": rng.choice(["-", "0.10", " -0.04"], count),
        "S_residual": rng.choice(["0.00", "2.24"], count),
    }
    return pd.DataFrame(rows).astype(str)


def waveform(key: str) -> np.ndarray:
    """A record, shape (samples, 3), that one recognises."""
    start = float(key.replace(".", ""))
    return (start + np.arange(SAMPLES * 3)).reshape(SAMPLES, 3)


def write_part(folder, rows: pd.DataFrame, part: int, skip=(), shapes=None) -> None:
    rows.to_csv(folder / f"DiTing330km_part_{part}.csv")
    with h5py.File(folder / f"DiTing330km_part_{part}.hdf5", "w") as file:
        group = file.create_group("earthquake")
        for key in dict.fromkeys(rows["key"]):
            if key in skip or not key[:1].isdigit():
                continue
            data = waveform(key)
            group[key] = data.reshape((shapes or {}).get(key, data.shape))


def faulty(tmp_path, change, **kwargs):
    """A part of 40 rows after ``change(rows)``, opened."""
    rows = published_rows(0, 40)
    change(rows)
    write_part(tmp_path, rows, 0, **kwargs)
    return DiTing(tmp_path, parts=[0], progress=False)
