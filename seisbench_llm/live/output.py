"""Live picks as lines and files that are whole at any time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TextIO

from obspy.core.event import CreationInfo, ResourceIdentifier
from seisbench.util import Pick

from ..export.quakeml import picks_to_catalog
from .picker import LivePick


class JsonLines:
    """
    One JSON object per line, each written at once.

    :param file: Open text file.
    """

    def __init__(self, file: TextIO):
        self.file = file

    def __call__(self, pick: LivePick) -> None:
        self.file.write(pick.to_json() + "\n")
        self.file.flush()


class QuakeMLFiles:
    """
    One QuakeML file per pick, in one folder per day; what is said of the pick later replaces it.

    The file appears under its name when it is complete; the status is QuakeML's own
    (``evaluationStatus``: preliminary, confirmed, rejected).

    :param folder: Folder for the files.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, pick: LivePick) -> None:
        plain = Pick(
            trace_id=pick.trace_id,
            start_time=pick.time,
            end_time=pick.time,
            peak_time=pick.time,
            peak_value=pick.probability,
            phase=pick.phase,
        )
        catalog = picks_to_catalog([plain], pick.weight or "unnamed")
        name = re.sub(r"[^A-Za-z0-9.]+", "-", pick.id)
        written = catalog[0].picks[0]
        written.evaluation_status = pick.status
        written.resource_id = ResourceIdentifier(f"smi:local/seisbench_llm/pick/{name}")
        written.creation_info = CreationInfo(
            author="seisbench_llm", creation_time=catalog[0].creation_info.creation_time
        )
        day = self.folder / pick.id.rpartition("/")[2][:10]
        day.mkdir(exist_ok=True)
        partial = day / f".{name}.part"
        catalog.write(str(partial), format="QUAKEML")
        os.replace(partial, day / f"{name}.xml")
