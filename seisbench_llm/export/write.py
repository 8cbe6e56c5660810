"""seisbench_llm/export/write.py."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from obspy.core.event import (
    Catalog,
)

from .quakeml import picks_to_catalog
from .tables import picks_to_dataframe


def export(
    picks: Iterable | pd.DataFrame | Catalog,
    path: str | Path,
    format: str | None = None,
    *,
    events: pd.DataFrame | None = None,
    method: str = "unknown",
    uncertainty: float = 0.1,
) -> Path:
    """
    Write picks in one of the formats of :py:data:`seisbench_llm.export_formats.FORMATS`.

    ========= ================ ======================================================== =========
    format    end of the name  content                                                  times to
    ========= ================ ======================================================== =========
    csv       .csv             all columns of :py:func:`picks_to_dataframe`             1 µs
    parquet   .parquet         the same; needs pyarrow                                  1 µs
    quakeml   .xml, .quakeml   picks and, with events, origins and arrivals             1 µs
    pyocto    .pyocto.csv      station, phase, time (s since 1970), probability         1 µs
    gamma     .gamma.csv       id, timestamp, type, prob and, if there, amp             1 µs
    hypodd    .pha             events and travel times; stations without network        0.1 ms
    nlloc     .obs             NonLinLoc observations; stations without network         0.1 ms
    ========= ================ ======================================================== =========

    >>> export([], "picks.csv")  # doctest: +SKIP

    :param picks: Picks of SeisBench, a table of picks, or a catalogue.
    :param path: File to write; an existing one is replaced.
    :param format: Name of the format; by default the one that the end of ``path`` stands for.
    :param events: Table of events, see :py:func:`picks_to_catalog`, for ``quakeml``, ``hypodd``
        and ``nlloc``. ``hypodd`` needs events.
    :param method: What made the picks, for ``quakeml``.
    :param uncertainty: Standard deviation of picks that have none of their own in seconds, for
        ``nlloc``. By default that of the curves which the models are trained on.
    :return: The file.
    :raises ValueError: If there is no such format, or it cannot hold the picks, with the reason.
    """
    from .formats import FORMATS, format_of

    path = Path(path)
    chosen = FORMATS[format_of(path, format)]
    if events is not None and isinstance(picks, Catalog):
        raise ValueError("A catalogue has events of its own; leave out the table of events.")
    if chosen.catalog:
        if not isinstance(picks, Catalog):
            picks = picks_to_catalog(picks, method, events)
    elif events is not None:
        raise ValueError(f"The format {chosen.name} has no room for events.")
    else:
        picks = picks_to_dataframe(picks)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"uncertainty": uncertainty} if chosen.name == "nlloc" else {}
    chosen.write(picks, path, **options)
    return path
