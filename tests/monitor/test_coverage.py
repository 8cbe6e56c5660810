"""
Share of epicentres within the stated 68 % regions, for 3 to 12 stations.

``python -m tests.monitor.test_coverage`` prints the table of docs/how-to/monitor.md.
"""

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.monitor import associate
from seisbench_llm.monitor.association import MODEL_ERROR, SMALLEST_RESIDUAL
from seisbench_llm.monitor.location import import_geod
from seisbench_llm.stations import Stations
from tests.helpers.monitor import START, VP, VP_VS, make_pick

CENTRE = 10.0, 50.0


def measure(n_stations, n_events, seed):
    """
    Locate events within 20 km of the middle of stations at 5 to 40 km, 3 to 15 km deep.

    Travel times have the errors that the uncertainties are made for.

    :return: For each event, whether it is within its region, and whether its depth is told.
    """
    rng, geod = np.random.default_rng(seed), import_geod()
    east, north = (np.full(n_stations, value) for value in CENTRE)
    away = rng.uniform(0, 360, n_stations), rng.uniform(5e3, 40e3, n_stations)
    longitudes, latitudes, _ = geod.fwd(east, north, *away)
    ids = [f"XX.S{i}" for i in range(n_stations)]
    network = pd.DataFrame({"id": ids, "latitude": latitudes, "longitude": longitudes})
    picks, sources = [], []
    for number in range(n_events):
        x, y, _ = geod.fwd(*CENTRE, rng.uniform(0, 360), 20e3 * np.sqrt(rng.uniform()))
        depth, origin = rng.uniform(3, 15), START + 200 * number
        sources.append((origin.timestamp, x, y))
        for name, longitude, latitude in zip(ids, longitudes, latitudes, strict=True):
            way = np.hypot(geod.inv(x, y, longitude, latitude)[2] / 1e3, depth)
            for phase, speed in (("P", VP), ("S", VP / VP_VS)):
                error = np.hypot(SMALLEST_RESIDUAL, MODEL_ERROR * way / speed)
                time = origin + way / speed + rng.normal(0, error)
                picks.append(make_pick(f"{name}.00", phase, time))
    sources = np.array(sources)
    events, _ = associate(picks, Stations.read(network), VP, VP_VS)
    inside = []
    for event in events.itertuples():
        _, x, y = sources[np.argmin(abs(sources[:, 0] - event.time.timestamp()))]
        azimuth, _, metres = geod.inv(event.longitude, event.latitude, x, y)
        angle = np.radians(azimuth - event.ellipse_azimuth)
        along, across = metres / 1e3 * np.array([np.cos(angle), np.sin(angle)])
        square = (along / event.ellipse_major_km) ** 2 + (across / event.ellipse_minor_km) ** 2
        inside.append(square <= 1)
    return np.array(inside), events["depth_km"].notna().to_numpy()


@pytest.mark.parametrize("n_stations", [4, 10])
def test_stated_regions_hold_about_what_they_say(n_stations):
    results = [measure(n_stations, 40, seed) for seed in range(5)]
    inside = np.concatenate([result[0] for result in results])
    assert len(inside) > 180
    assert 0.6 < inside.mean() < 0.87


if __name__ == "__main__":
    for count in (3, 4, 6, 8, 12):
        parts = [measure(count, 50, seed) for seed in range(20)]
        shares = [np.concatenate(part).mean() for part in zip(*parts, strict=True)]
        print(f"| {count} | {shares[0]:.0%} | {shares[1]:.0%} |")
