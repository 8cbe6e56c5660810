"""Stations: coordinates, directions of components and responses, from inventories and tables."""

from .read import read_inventory_of, read_stations
from .stations import Channel, Station, Stations, warn_of_missing
from .table import check_table, stations_to_dataframe

__all__ = [
    "Channel",
    "Station",
    "Stations",
    "check_table",
    "read_inventory_of",
    "read_stations",
    "stations_to_dataframe",
    "warn_of_missing",
]
