"""Output of live picks: JSON lines, QuakeML files, and SCML files for SeisComP to take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import obspy
from obspy.core.event import Catalog

from ..atomic import replacing
from ..export.quakeml import build_pick, creation_info, unassociated_event
from ..export.scml import write_scml
from .picks import LivePick


class JsonLines:
    """
    One JSON object per line. Each line is written at once.

    :param file: Text file, open for writing.
    """

    def __init__(self, file: TextIO):
        self.file = file

    def __call__(self, pick: LivePick) -> None:
        self.file.write(pick.to_json() + "\n")
        self.file.flush()


class QuakeMLFiles:
    """
    One QuakeML file per pick, in one folder per day. A later report replaces the file.

    A file gets its name when it is complete. ``evaluationStatus`` is preliminary, confirmed or
    rejected.

    :param folder: Folder for the files.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, pick: LivePick) -> None:
        day = self.folder / pick.id.rpartition("/")[2][:10]
        with replacing(day / f"{_name(pick)}.xml") as partial:
            _catalog(pick).write(str(partial), format="QUAKEML")


class SCMLFiles:
    """
    One SCML file per report, for SeisComP's ``scdispatch``. Whoever takes a file removes it.

    Names sort in the order of the reports. A file gets its name when it is complete.

    :param folder: Folder for the files.
    """

    # The method of picks by deep learning in SeisComP, as its scdlpicker has it. scautoloc does not
    # wait for amplitudes of such picks.
    METHOD = "DL"

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, pick: LivePick) -> None:
        catalog = _catalog(pick, [f"weight {pick.weight}"])
        now = obspy.UTCDateTime().strftime("%Y%m%dT%H%M%S.%f")
        with replacing(self.folder / f"{now}-{_name(pick)}-{pick.status}.scml") as partial:
            write_scml(catalog, partial, self.METHOD)


def _name(pick: LivePick) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", pick.id)


def _catalog(pick: LivePick, comments: Sequence[str] = ()) -> Catalog:
    built = build_pick(
        pick.trace_id,
        pick.phase,
        pick.time,
        pick.weight or "unnamed",
        name=_name(pick),
        probability=pick.probability,
        uncertainty=pick.time_uncertainty,
        comments=comments,
        evaluation_status=pick.status,
        creation_info=creation_info(obspy.UTCDateTime()),
    )
    return Catalog([unassociated_event([built])])
