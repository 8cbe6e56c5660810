"""Writing of picks in the formats of other programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import seisbench
from obspy.core.event import Catalog

from ..atomic import replacing
from .formats import FORMATS, format_of
from .quakeml import PICK_UNCERTAINTY, picks_to_catalog
from .tables import picks_to_dataframe


def export(
    picks: Iterable | pd.DataFrame | Catalog,
    path: str | Path,
    format: str | None = None,
    *,
    events: pd.DataFrame | None = None,
    method: str = "unknown",
    uncertainty: float = PICK_UNCERTAINTY,
) -> Path:
    """
    Write picks in one of the formats of :py:data:`seisbench_llm.export.formats.FORMATS`.

    ============= ================ ==================================================== ========
    format        end of the name  content                                              times to
    ============= ================ ==================================================== ========
    csv           .csv             all columns of :py:func:`picks_to_dataframe`         1 µs
    parquet       .parquet         the same; needs pyarrow                              1 µs
    quakeml       .xml, .quakeml   picks and, with events, origins and arrivals         1 µs
    scml          .scml            the same for SeisComP                                1 µs
    pyocto        .pyocto.csv      station, phase, time (s since 1970), probability     1 µs
    gamma         .gamma.csv       id, timestamp, type, prob and, if there, amp         1 µs
    phasenet      .phasenet.csv    station_id, phase_time, phase_score, phase_type      1 µs
    eqtransformer .eqt.csv         P and S of a detection in one row                    1 µs
    hypodd        .pha             events, travel times; stations without network       0.1 ms
    growclust     .evlist          events only                                          1 µs
    nlloc         .obs             NonLinLoc observations; stations without network     0.1 ms
    ============= ================ ==================================================== ========

    >>> export([], "picks.csv")  # doctest: +SKIP

    :py:func:`~seisbench_llm.export.read_picks` reads them again.

    :param picks: Picks of SeisBench, a table of picks, or a catalogue.
    :param path: File to write. An existing file is replaced once the new one is complete.
    :param format: Name of the format. By default the suffix of ``path`` tells it.
    :param events: Table of events, see :py:func:`picks_to_catalog`, for catalogues and
        ``nlloc``. ``hypodd`` and ``growclust`` need events. A warning says how many picks are left
        out because they do not belong to an event.
    :param method: Name and version of the weight, for ``quakeml`` and ``scml``.
    :param uncertainty: Standard deviation in s of picks without a ``time_uncertainty``, for
        ``quakeml``, ``scml`` and ``nlloc``. The default is the width of the label curves in
        training, not a measured error.
    :return: The file.
    :raises ValueError: If the format is unknown or cannot hold the picks. The message has the
        reason.
    """
    path = Path(path)
    chosen = FORMATS[format_of(path, format)]
    if events is not None and isinstance(picks, Catalog):
        raise ValueError("A catalogue has its own events; leave out the table of events.")
    if events is not None and not chosen.catalog:
        raise ValueError(f"The format {chosen.name} cannot contain events.")
    content = picks
    if not chosen.catalog:
        content = picks_to_dataframe(picks)
    elif not isinstance(picks, Catalog):
        frame = picks_to_dataframe(picks)
        content = picks_to_catalog(frame, method, events, uncertainty)
        left_out = len(frame) - sum(len(event.picks) for event in content)
        if left_out:
            seisbench.logger.warning(
                f"{left_out} picks do not belong to an event and are not in {path.name}; "
                f"export writes "
                f"them without events=."
            )
    options = {"uncertainty": uncertainty} if chosen.name == "nlloc" else {}
    with replacing(path) as partial:
        chosen.write(content, partial, **options)
    return path
