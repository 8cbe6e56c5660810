"""Data sets by their names in configuration files and on the command line."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import seisbench
import seisbench.data as sbd

from .diting import DiTing
from .stead import STEAD
from .stead_files import STEADFiles
from .synthetic.records import Synthetic

# What a block of waveforms may be: so many times its file, or so many bytes if that is more.
_MOST_TIMES, _MOST_BYTES = 100, 2**28

# SeisBench writes blocks of 1024 records; files of single records are as large as their folder.
_MOST_BLOCKS = 20_000


def open_dataset(name: str | Path, **kwargs) -> sbd.WaveformDataset:
    """
    Open a data set by its name.

    ========================  ================================================================
    Name                      Data set
    ========================  ================================================================
    ``FOLDER``                a folder in SeisBench's format (metadata.csv, waveforms.hdf5)
    ``STEAD``                 :py:class:`~seisbench_llm.data.STEAD` from SeisBench's cache
    ``stead:FOLDER``          :py:class:`~seisbench_llm.data.STEADFiles`: its published files
    ``InstanceCounts``        or any other class of :py:mod:`seisbench.data`, likewise
    ``diting:FOLDER``         :py:class:`~seisbench_llm.data.DiTing` in its published files
    ``diting-light:FOLDER``   the light subset of it
    ``synthetic:N:SEED``      N :py:class:`~seisbench_llm.data.Synthetic` records (seed 0
                              by default), written to SeisBench's cache when first used
    ========================  ================================================================

    SeisBench downloads data sets that are not in its cache. STEAD has 70 GB.

    :param kwargs: Passed to the data set, such as ``sampling_rate=100``.
    :raises ValueError: If the data set is unknown. The message names known ones.
    """
    kwargs.setdefault("component_order", "ZNE")
    name = str(name)
    kind, _, rest = name.partition(":")
    if kind in ("diting", "diting-light") and rest:
        dataset = DiTing(rest, **kwargs)
        return dataset.light() if kind == "diting-light" else dataset
    if kind == "stead" and rest:
        return STEADFiles(rest, **kwargs)
    if kind == "synthetic" and rest:
        return FolderDataset(_synthetic(name, rest), name=name, **kwargs)
    # A typing error in a path must not start a download.
    known = {key.lower(): cls for key, cls in vars(sbd).items() if _is_benchmark(cls)}
    if name.lower() in known:
        return STEAD(**kwargs) if name.lower() == "stead" else known[name.lower()](**kwargs)
    if Path(name, "metadata.csv").is_file() or list(Path(name).glob("metadata*.csv")):
        return _open_folder(name, kwargs)
    names = ", ".join(cls.__name__ for cls in known.values())
    raise ValueError(
        f"There is no data set '{name}': it is not a folder with a metadata.csv, not "
        f"diting:FOLDER, "
        f"synthetic:N, nor one of SeisBench's ({names})."
    )


class FolderDataset(sbd.WaveformDataset):
    """A folder in SeisBench's format. Its errors name the file that cannot be read."""

    def get_sample(self, idx, *args, **kwargs):
        """As in SeisBench."""
        with self._named(idx):
            return super().get_sample(idx, *args, **kwargs)

    def get_waveforms(self, idx=None, *args, **kwargs):
        """As in SeisBench."""
        with self._named(idx):
            return super().get_waveforms(idx, *args, **kwargs)

    @contextmanager
    def _named(self, idx) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if str(self.path) in str(error):
                raise
            # HDF5 and SeisBench raise exceptions of many kinds for a damaged file.
            where = "a record" if idx is None or np.ndim(idx) else f"record {idx}"
            raise ValueError(
                f"{self.path}: {where} cannot be read: {type(error).__name__}: {error}"
            ) from error


def _open_folder(name: str, kwargs: dict) -> sbd.WaveformDataset:
    try:
        for file in sorted(Path(name).glob("waveforms*.hdf5")):
            _check_waveforms(file)
        return FolderDataset(Path(name), name=name, **kwargs)
    except Exception as error:
        if isinstance(error, KeyError) and "component_order" in str(error):
            raise ValueError(
                f"{name} does not tell the order of its components: its metadata need a "
                f"column trace_component_order, or its file waveforms.hdf5 "
                f"data_format/component_order."
            ) from error
        # SeisBench, pandas and HDF5 raise exceptions of many kinds for damaged files.
        raise ValueError(
            f"{name} cannot be read as a data set: {type(error).__name__}: {error}"
        ) from error


def _check_waveforms(file: Path) -> None:
    """
    :raises ValueError: If a file of waveforms claims more samples than it can hold, or links to
        samples in other files.
    """
    most = max(_MOST_BYTES, _MOST_TIMES * file.stat().st_size)
    try:
        with h5py.File(file) as content:
            data = content["data"]
            for block in islice(data, _MOST_BLOCKS):
                link = data.get(block, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise ValueError(f"block {block} is a link")
                samples = data[block]
                if not isinstance(samples, h5py.Dataset):
                    continue
                if samples.external or samples.is_virtual:
                    raise ValueError(f"block {block} has samples in other files")
                if samples.nbytes > most:
                    raise ValueError(f"block {block} claims to have {samples.nbytes} bytes")
    except Exception as error:
        raise ValueError(f"{file} cannot be read: {type(error).__name__}: {error}") from error


def _is_benchmark(cls) -> bool:
    return (
        inspect.isclass(cls)
        and issubclass(cls, sbd.WaveformBenchmarkDataset)
        and cls is not sbd.WaveformBenchmarkDataset
    )


def _synthetic(name: str, numbers: str) -> Path:
    """Folder of synthetic records. They are made if they do not exist yet."""
    try:
        n, seed = (int(part) for part in (numbers if ":" in numbers else f"{numbers}:0").split(":"))
    except ValueError:
        n = seed = -1
    if n < 1 or seed < 0:
        raise ValueError(f"'{name}' is not synthetic:N or synthetic:N:SEED, with N from 1.")
    folder = Path(seisbench.cache_data_root) / f"seisbench_llm_synthetic_{n}_{seed}"
    if not (folder / "metadata.csv").is_file():
        # The folder has another name until it is complete, because several processes may make it
        # and any of them may be stopped.
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        seisbench.logger.warning(f"Making {n} synthetic records in {folder}.")
        Synthetic(n, seed=seed).write(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not (folder / "metadata.csv").is_file():
                raise
    return folder
