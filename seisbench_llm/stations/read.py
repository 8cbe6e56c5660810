"""Reading stations from files and services: StationXML, dataless SEED, CSV, FDSN."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import obspy
import pandas as pd

from ..obspy_files import read_inventory
from .table import NUMBERS, TEXTS, check_table

# Parameters that a request to an FDSN station service may have here.
_FDSN_PARAMETERS = (
    *("network", "station", "location", "channel", "starttime", "endtime"),
    *("minlatitude", "maxlatitude", "minlongitude", "maxlongitude"),
    *("latitude", "longitude", "minradius", "maxradius"),
)


def read_stations(path: str | Path) -> obspy.Inventory | pd.DataFrame:
    """
    Read stations from a file (CSV, or any inventory that ObsPy reads) or an FDSN service.

    :param path: Name of a file, or address of a service. A name that ends with ``.csv`` is a table,
        see :py:func:`~seisbench_llm.stations.check_table`. An address such as
        ``fdsn://GFZ?network=CX&station=PB01,PB02`` has a name or address that ObsPy's client takes,
        and parameters of its ``get_stations``.
    :raises FileNotFoundError: If the file does not exist.
    :raises ValueError: If the file cannot be read, or if coordinates are impossible. The message
        has the file's name.
    :raises OSError: If the service does not answer.
    """
    if str(path).startswith("fdsn:"):
        return read_inventory_of(str(path))
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        if path.suffix.lower() != ".csv":
            return read_inventory(path)
        # Codes are text: location 00 is not zero, and network NA is not a missing value.
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXTS, str),
            index_col=False,
            keep_default_na=False,
            na_values={name: ["", "nan", "NaN"] for name in NUMBERS},
            skipinitialspace=True,
        )
    except Exception as error:
        # The readers raise exceptions of any kind on a broken file.
        raise ValueError(f"{path} cannot be read as a station file: {error}") from error
    try:
        return check_table(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_inventory_of(address: str) -> obspy.Inventory:
    """
    Read stations and their responses from an FDSN service.

    :param address: ``fdsn://NAME?network=...&station=...``, see :py:func:`read_stations`.
    :raises ValueError: If the address is incomplete, or if the service has no such stations.
    :raises OSError: If the service does not answer.
    """
    from obspy.clients import fdsn
    from obspy.clients.fdsn.header import FDSNException, FDSNNoDataException

    parts = urlsplit(address)
    wanted = dict(parse_qsl(parts.query))
    unknown = sorted(set(wanted) - set(_FDSN_PARAMETERS))
    if not parts.netloc or unknown or not ("network" in wanted or "minlatitude" in wanted):
        cause = f"there is no parameter {unknown[0]}" if unknown else "it names no network"
        raise ValueError(
            f"{address} does not say which stations: {cause}. Give an address such as "
            f"fdsn://GFZ?network=CX&station=PB01,PB02."
        )
    try:
        times = {name: obspy.UTCDateTime(wanted[name]) for name in wanted if name.endswith("time")}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{address} has an invalid time: {error}") from error
    routers = ("eida-routing", "earthscope-federator", "iris-federator")
    try:
        if parts.netloc in routers:
            client = fdsn.RoutingClient(parts.netloc)
        else:
            client = fdsn.Client(parts.netloc)
        return client.get_stations(level="response", **{**wanted, **times})
    except FDSNNoDataException as error:
        raise ValueError(f"{address}: the service has no such stations.") from error
    except (FDSNException, ValueError) as error:
        cause = str(error).partition("\n")[0]
        raise OSError(f"{address} does not answer: {type(error).__name__}: {cause}") from error
