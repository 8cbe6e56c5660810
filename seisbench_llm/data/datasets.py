"""Data sets by name, as a configuration file or a command line gives them."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import seisbench
import seisbench.data as sbd

from .diting import DiTing
from .stead import STEAD
from .stead_files import STEADFiles
from .synthetic.records import Synthetic


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

    SeisBench downloads a data set that is not in its cache; STEAD has 70 GB.

    :param kwargs: Passed to the data set, such as ``sampling_rate=100``.
    :raises ValueError: If there is no such data set, with what there is.
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
        return sbd.WaveformDataset(_synthetic(name, rest), name=name, **kwargs)
    # A typing slip in a long path must not become a download.
    known = {key.lower(): cls for key, cls in vars(sbd).items() if _is_benchmark(cls)}
    if name.lower() in known:
        return STEAD(**kwargs) if name.lower() == "stead" else known[name.lower()](**kwargs)
    if Path(name, "metadata.csv").is_file() or list(Path(name).glob("metadata*.csv")):
        return _open_folder(name, kwargs)
    names = ", ".join(cls.__name__ for cls in known.values())
    raise ValueError(
        f"There is no data set '{name}': it is no folder with a metadata.csv, not diting:FOLDER, "
        f"synthetic:N, nor one of SeisBench's ({names})."
    )


def _open_folder(name: str, kwargs: dict) -> sbd.WaveformDataset:
    try:
        return sbd.WaveformDataset(Path(name), name=name, **kwargs)
    except KeyError as error:
        if "component_order" not in str(error):
            raise
        raise ValueError(
            f"{name} does not say in which order its components are: its metadata need a column "
            f"trace_component_order, or its file waveforms.hdf5 data_format/component_order."
        ) from error


def _is_benchmark(cls) -> bool:
    return (
        inspect.isclass(cls)
        and issubclass(cls, sbd.WaveformBenchmarkDataset)
        and cls is not sbd.WaveformBenchmarkDataset
    )


def _synthetic(name: str, numbers: str) -> Path:
    """Folder of synthetic records, which are made if they are not there yet."""
    try:
        n, seed = (int(part) for part in (numbers if ":" in numbers else f"{numbers}:0").split(":"))
    except ValueError:
        raise ValueError(f"'{name}' is not synthetic:N or synthetic:N:SEED.") from None
    folder = Path(seisbench.cache_data_root) / f"seisbench_llm_synthetic_{n}_{seed}"
    if not (folder / "metadata.csv").is_file():
        # Under another name until complete: several processes may ask, and any may be stopped.
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        seisbench.logger.warning(f"Making {n} synthetic records in {folder}.")
        Synthetic(n, seed=seed).write(partial)
        try:
            partial.rename(folder)
        except OSError:
            if not (folder / "metadata.csv").is_file():
                raise
    return folder
