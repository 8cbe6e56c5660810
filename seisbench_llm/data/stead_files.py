"""STEAD as published, one CSV and one HDF5 file, as a SeisBench data set without a copy."""

from __future__ import annotations

from pathlib import Path

import h5py
import pandas as pd
import seisbench.data

from .stead import complete_geometry

RATE = 100.0
# Published column -> SeisBench's, as seisbench.data.STEAD has them.
COLUMNS = {
    "p_arrival_sample": "trace_p_arrival_sample",
    "p_status": "trace_p_status",
    "p_weight": "trace_p_weight",
    "p_travel_sec": "path_p_travel_sec",
    "s_arrival_sample": "trace_s_arrival_sample",
    "s_status": "trace_s_status",
    "s_weight": "trace_s_weight",
    "back_azimuth_deg": "path_back_azimuth_deg",
    "snr_db": "trace_snr_db",
    "coda_end_sample": "trace_coda_end_sample",
    "network_code": "station_network_code",
    "receiver_code": "station_code",
    "receiver_type": "trace_channel",
    "receiver_latitude": "station_latitude_deg",
    "receiver_longitude": "station_longitude_deg",
    "receiver_elevation_m": "station_elevation_m",
    "source_latitude": "source_latitude_deg",
    "source_longitude": "source_longitude_deg",
}
NAMES = ("merge", "merged")


class STEADFiles(seisbench.data.WaveformDataset):
    """
    STEAD (Mousavi et al. 2019) from its published files, ``merge.csv`` and ``merge.hdf5``.

    Waveforms are ``data/<trace_name>``, shape (6000, 3), order E, N, Z, at 100 Hz. The first use
    writes an index, a folder in SeisBench's format whose waveform file is a link. Distance and
    back-azimuth are computed from coordinates, see
    :py:func:`~seisbench_llm.data.stead.complete_geometry`; published values keep the ending
    ``_published``.

    Reference: Mousavi, S. M., Sheng, Y., Zhu, W., Beroza, G. C. (2019). STanford EArthquake Dataset
    (STEAD): A Global Data Set of Seismic Signals for AI. IEEE Access 7, 179464-179476,
    doi:10.1109/ACCESS.2019.2947848.

    :param path: Folder with the published files.
    :param index: Folder of the index; by default ``seisbench_index`` inside ``path``.
    :param kwargs: Passed to :py:class:`seisbench.data.WaveformDataset`.
    :raises FileNotFoundError: If there is no such pair of files.
    :raises ValueError: If they are not of the published layout.
    """

    def __init__(self, path: str | Path, index: str | Path | None = None, **kwargs):
        path = Path(path)
        index = path / "seisbench_index" if index is None else Path(index)
        csv, hdf5 = published_files(path)
        if not (index / "metadata.csv").is_file():
            _write_index(csv, hdf5, index)
        kwargs.setdefault("component_order", "ZNE")
        super().__init__(index, name="STEAD", **kwargs)
        self.geometry_report = complete_geometry(self.metadata)


def published_files(path: str | Path) -> tuple[Path, Path]:
    """
    Table and waveforms of STEAD in a folder.

    :raises FileNotFoundError: If they are not there.
    """
    for name in NAMES:
        files = Path(path) / f"{name}.csv", Path(path) / f"{name}.hdf5"
        if all(file.is_file() for file in files):
            return files
    raise FileNotFoundError(f"{path} has no merge.csv and merge.hdf5 of STEAD.")


def _write_index(csv: Path, hdf5: Path, index: Path) -> None:
    table = pd.read_csv(csv, dtype={"trace_name": str, "source_id": str}, low_memory=False)
    missing = {"trace_name", "trace_category", *COLUMNS} - set(table.columns)
    if missing:
        raise ValueError(f"{csv} is not STEAD's: it has no {', '.join(sorted(missing))}.")
    with h5py.File(hdf5, "r") as file:
        there = set(file["data"]) if "data" in file else set()
    known = table["trace_name"].isin(there)
    if not known.any():
        raise ValueError(f"{hdf5} has none of the records of {csv.name} (data/<trace_name>).")
    if not known.all():
        seisbench.logger.warning(
            f"STEAD: {(~known).sum()} of {len(table)} records are not in {hdf5}; left out, such as "
            f"{table['trace_name'][~known].iloc[0]}."
        )
    index.mkdir(parents=True, exist_ok=True)
    with h5py.File(index / "waveforms.hdf5", "w") as file:
        file["data"] = h5py.ExternalLink(str(hdf5.resolve()), "/data")
        file["data_format/dimension_order"] = "WC"
        file["data_format/component_order"] = "ENZ"
        file["data_format/sampling_rate"] = RATE
    # Last: without it there is no index.
    partial = index / "metadata.csv.partial"
    table[known].rename(columns=COLUMNS).to_csv(partial, index=False)
    partial.replace(index / "metadata.csv")
