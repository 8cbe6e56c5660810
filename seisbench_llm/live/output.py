"""Output of live picks: JSON lines and QuakeML files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

import obspy
from obspy.core.event import Catalog

from ..atomic import replacing
from ..export.quakeml import build_pick, creation_info, unassociated_event
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
        name = re.sub(r"[^A-Za-z0-9.]+", "-", pick.id)
        built = build_pick(
            pick.trace_id,
            pick.phase,
            pick.time,
            pick.weight or "unnamed",
            name=name,
            probability=pick.probability,
            uncertainty=pick.time_uncertainty,
            evaluation_status=pick.status,
            creation_info=creation_info(obspy.UTCDateTime()),
        )
        catalog = Catalog([unassociated_event([built])])
        day = self.folder / pick.id.rpartition("/")[2][:10]
        with replacing(day / f"{name}.xml") as partial:
            catalog.write(str(partial), format="QUAKEML")
