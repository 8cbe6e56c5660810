"""A small data set for the benchmark, and modules that know the truth or nothing."""

import numpy as np
import pandas as pd
from seisbench.data import WaveformDataWriter

COLUMNS = ("trace_p_arrival_sample", "trace_s_arrival_sample")


def write_records(folder, events=8, stations=3, samples=7000, noise=6, seed=0):
    """
    Records with impulsive P and S in little noise, in SeisBench's format.

    P is on the vertical, up where the polarity is U; S follows on the horizontals. The larger the
    magnitude, the larger both.
    """
    rng = np.random.default_rng(seed)
    pulse = np.sin(np.arange(40) * 0.3) * np.exp(-np.arange(40) / 12)
    with WaveformDataWriter(folder / "metadata.csv", folder / "waveforms.hdf5") as writer:
        writer.data_format = {
            "dimension_order": "CW",
            "component_order": "ZNE",
            "sampling_rate": 100,
        }
        for i in range(events * stations + noise):
            event, quake = i // stations, i < events * stations
            x = rng.normal(0, 0.01, (3, samples))
            row = {
                "source_id": f"ev{event}" if quake else np.nan,
                "station_code": f"ST{i % stations}",
                "trace_name": f"trace{i}",
                "split": ("train", "train", "dev", "test")[(event if quake else i) % 4],
            }
            if quake:
                p = int(rng.integers(3200, 4000))
                s = p + int(rng.integers(200, 600))
                sign = 1 if i % 2 else -1
                x[0, p : p + 40] += sign * pulse
                x[1:, s : s + 40] += 2 * pulse
                row |= {
                    "trace_p_arrival_sample": p,
                    "trace_s_arrival_sample": s,
                    "trace_polarity": "U" if sign > 0 else "D",
                    "source_magnitude": 1 + event % 4 * 0.5,
                    "source_latitude_deg": 40.0 + 0.01 * event,
                    "source_longitude_deg": 20.0,
                    "station_latitude_deg": 40.1,
                    "station_longitude_deg": 20.1 + 0.1 * (i % stations),
                    "path_back_azimuth_deg": 1.0,
                }
            writer.add_trace(row, x)
    return folder


class Oracle:
    """
    A picker that has read the targets.

    :param targets: Table of targets that it is asked about, in order.
    """

    def __init__(self, targets):
        self.targets, self.at = targets, 0

    def get_eval_augmentations(self):
        return [lambda state: state.update(X=(state["X"][0][:, :10], None))]

    def predict_step(self, batch, batch_idx):
        rows = self.targets.iloc[self.at : self.at + len(batch["X"])]
        self.at += len(rows)
        if "trace_type" in rows:
            score = (rows["trace_type"] == "earthquake").to_numpy(float)
            return score, score + 1, np.zeros(len(rows)), np.zeros(len(rows))
        onset = (rows["phase_onset"] - rows["start_sample"]).to_numpy()
        return np.ones(len(rows)), np.where(rows["phase_label"] == "P", 9.0, 0.1), onset, onset


def read(path):
    """A table of a CSV file."""
    return pd.read_csv(path)
