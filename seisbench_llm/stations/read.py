"""Files and services that know stations: StationXML, dataless SEED, CSV, FDSN."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import obspy
import pandas as pd

from ..obspy_files import read_inventory
from .table import NUMBERS, TEXTS, check_table

# What a request to an FDSN station service may ask for here.
_FDSN_PARAMETERS = (
    *("network", "station", "location", "channel", "starttime", "endtime"),
    *("minlatitude", "maxlatitude", "minlongitude", "maxlongitude"),
    *("latitude", "longitude", "minradius", "maxradius"),
)


def read_stations(path: str | Path) -> obspy.Inventory | pd.DataFrame:
    """
    Stations of a file (a CSV table, or whatever inventory ObsPy can read) or of an FDSN service.

    :param path: A name that ends with ``.csv`` means a table, see
        :py:func:`~seisbench_llm.stations.check_table`. ``fdsn://GFZ?network=CX&station=PB01,PB02``
        asks a service, by any name or address that ObsPy's client takes, with the parameters of
        its ``get_stations``.
    :raises FileNotFoundError: If there is no such file.
    :raises ValueError: If it is neither, or coordinates are impossible, with the file's name.
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
        # Codes are text: location 00 is no zero, and network NA is not a missing value.
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(TEXTS, str),
            keep_default_na=False,
            na_values={name: ["", "nan", "NaN"] for name in NUMBERS},
            skipinitialspace=True,
        )
    except Exception as error:
        # The readers raise whatever comes to them on a broken file.
        raise ValueError(f"{path} is no station file that can be read: {error}") from error
    try:
        return check_table(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_inventory_of(address: str) -> obspy.Inventory:
    """
    Stations of an FDSN service with their responses.

    :param address: ``fdsn://NAME?network=...&station=...``, see :py:func:`read_stations`.
    :raises ValueError: If the address says too little, or the service has nothing like that.
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
        raise ValueError(f"{address} has a time that is none: {error}") from error
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
        raise OSError(f"{address} cannot be had: {type(error).__name__}: {cause}") from error
