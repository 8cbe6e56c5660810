"""A StationXML with the response of a real instrument."""

import copy

import obspy


def write_stationxml(path, station, directions, code="HH"):
    """
    Write ObsPy's example instrument (BW.RJOB, 200 Hz) under other codes.

    :param station: NET.STA.LOC.
    :param directions: Component -> azimuth and dip in degrees.
    :param code: Band and instrument code.
    """
    inventory = obspy.read_inventory().select(station="RJOB", channel="EHZ")
    network = inventory[0]
    network.code, name, location = station.split(".")
    place = next(one for one in network if one.end_date is None)
    place.code, first = name, place[0]
    place.start_date = None
    place.channels = []
    for component, (azimuth, dip) in directions.items():
        channel = copy.deepcopy(first)
        channel.code, channel.location_code = code + component, location
        channel.azimuth, channel.dip, channel.start_date = azimuth, dip, None
        place.channels.append(channel)
    network.stations, inventory.networks = [place], [network]
    inventory.write(str(path), format="STATIONXML")
    return path
