"""DiTing (Zhao et al., 2023) as a SeisBench data set, without copying its waveforms."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import seisbench
from seisbench.data import WaveformDataset

from . import diting_index
from .diting_index import PARTS, chunk_name
from .diting_metadata import PUBLISHED, RECORD_SAMPLES


class DiTing(WaveformDataset):
    """
    The DiTing data set: 2,734,748 three-component records of earthquakes in and near China.

    Reads the published files as they are: ``DiTing330km_part_N.csv`` and ``.hdf5``, N from 0 to
    27, waveforms in ``earthquake/<key>``, shape (samples, 3), order Z, N, E, at 50 Hz. The first
    use writes an index, a folder in SeisBench's own format whose waveform files are links to the
    published ones; it takes minutes and about 0.5 GB. Later uses open the index, which takes
    seconds. The index can also be read with a plain :py:class:`seisbench.data.WaveformDataset`.

    .. code:: python

        dataset = DiTing("DiTing330km").light()
        dataset.metadata["split"] = split_by_event(dataset.metadata)
        waveforms, metadata = dataset.train().get_sample(0)  # (3, 9000)

    Metadata columns: ``source_id``, ``source_magnitude`` (ML, see
    :py:func:`~seisbench_llm.data.diting_metadata.to_local_magnitude`), ``source_magnitude_type``,
    both also as published with the ending ``_published``, ``trace_station_magnitude`` (ML),
    ``trace_p_arrival_sample``, ``trace_s_arrival_sample`` (samples at 50 Hz),
    ``trace_p_clarity`` (I impulsive, E emergent), ``trace_polarity`` (U, D, N for undecidable),
    ``station_network_code``, ``station_code``, ``path_ep_distance_km``,
    ``path_back_azimuth_deg`` (0 to 360), twelve signal-to-noise ratios
    ``trace_<component>_<phase>_<amplitude or power>_snr``, ``path_p_residual_sec`` and
    ``path_s_residual_sec``. Whatever is blank or "-" in the published files is missing here.

    What is wrong in the files is counted, see :py:attr:`problems`, and logged when the index is
    built, with file, line and key.

    Reference: Zhao, M., Xiao, Z., Chen, S., Fang, L. (2023). DiTing: A large-scale Chinese
    seismic benchmark dataset for artificial intelligence in seismology. Earthquake Science
    36(2), 84-94, doi:10.1016/j.eqs.2022.01.022. Access is granted by its authors.

    :param path: Folder with the published files.
    :param index: Folder of the index; default is ``seisbench_index`` inside ``path``. Give one
        if ``path`` cannot be written to.
    :param parts: Numbers of the parts to use; default is all 28.
    :param rebuild: Build the index anew although there is one.
    :param shapes: Which waveforms to look at while building: ``"all"``, ``"some"`` (a hundred of
        each part; for slow storage) or ``"none"``. That there is a waveform of that name is
        always checked.
    :param strict: Stop building with an error at the first problem.
    :param progress: Show a progress bar while building.
    :param kwargs: Passed to :py:class:`seisbench.data.WaveformDataset`, such as
        ``sampling_rate=100`` or ``cache="trace"``.
    :raises FileNotFoundError: If files of the wanted parts are missing.
    :raises ValueError: If a file is not of the published layout, if the index was built from
        other files, or, with ``strict``, if there is any problem.
    """

    citation = (
        "Zhao, M., Xiao, Z., Chen, S., Fang, L. (2023). DiTing: A large-scale Chinese seismic "
        "benchmark dataset for artificial intelligence in seismology. Earthquake Science 36(2), "
        "84-94, doi:10.1016/j.eqs.2022.01.022"
    )

    def __init__(
        self,
        path: str | Path,
        index: str | Path | None = None,
        parts: Iterable[int] | None = None,
        rebuild: bool = False,
        shapes: str = "all",
        strict: bool = False,
        progress: bool = True,
        **kwargs,
    ):
        path = Path(path)
        index = path / "seisbench_index" if index is None else Path(index)
        parts = sorted(set(PARTS if parts is None else parts))
        if rebuild or not (index / diting_index.SUMMARY).is_file():
            diting_index.build_index(
                path, index, parts, shapes=shapes, strict=strict, progress=progress
            )
        summary = diting_index.check_index(path, index, parts)
        self._problems = summary["problems"]
        kwargs.setdefault("component_order", "ZNE")
        super().__init__(
            path=index, name="DiTing", chunks=[chunk_name(part) for part in parts], **kwargs
        )
        seisbench.logger.info(
            f"DiTing: {len(self)} records of {len(parts)} parts, "
            f"{sum(p['count'] for p in self._problems.values())} problems while indexing."
        )

    @property
    def problems(self) -> dict[str, dict]:
        """
        What was wrong in the published files when the index was built.

        By kind of problem: ``count``, ``action`` (what was done) and ``examples`` (file, line
        and key of the first few).
        """
        return copy.deepcopy(self._problems)

    def light(self) -> DiTing:
        """The light subset, see :py:func:`light_subset`, as a data set of its own."""
        return self.filter(light_subset(self.metadata).to_numpy(), inplace=False)


def light_subset(metadata: pd.DataFrame) -> pd.Series:
    """
    The light subset of DiTing, on which SeisMoLLM was published, by its rule.

    A record belongs to it if none of the 28 published columns is empty, the first motion is not
    "n", and both onsets are inside the record with P before S. Of the 2,734,748 published
    records 277,736 do (figures printed in ``datasets/diting_light.ipynb`` of the published
    code, which states the rule).

    :param metadata: Metadata of :py:class:`DiTing`.
    :return: True for records of the subset, on the index of ``metadata``.
    :raises ValueError: If a column is missing, so that these are not DiTing's metadata.
    """
    needed = [name for name in PUBLISHED.values() if name != "trace_name"]
    missing = sorted(set(needed) - set(metadata.columns))
    if missing:
        raise ValueError(f"The light subset needs DiTing's metadata; missing: {missing}.")
    p, s = metadata["trace_p_arrival_sample"], metadata["trace_s_arrival_sample"]
    return (
        metadata[needed].notna().all(axis=1)
        & (metadata["trace_polarity"] != "N")
        & (p > 0)
        & (p < s)
        & (s < RECORD_SAMPLES)
    )
