import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

from seisbench_llm.monitor.velocity import VelocityModel, look_up

TWO = VelocityModel((-9.0, 5.0), (5.0, 7.0), (3.0, 4.0))


@pytest.mark.parametrize("elevation", [0.0, 1.2, -2.0])
def test_homogeneous_times_are_straight_lines(elevation):
    model = VelocityModel.homogeneous(6.0, 1.75)
    depths, distances = np.array([-1.2, 0.0, 7.3, 25.0]), np.array([0.0, 0.4, 17.0, 180.0])
    away = np.hypot(depths[:, None] + elevation, distances)
    for phase, speed in (("P", 6.0), ("S", 6.0 / 1.75)):
        assert np.allclose(
            model.times(phase, elevation, depths, distances), away / speed, atol=2e-3
        )


@pytest.mark.parametrize(("depth", "distance"), [(10, 30), (10, 5), (6, 100), (30, 60)])
def test_rays_bend_as_fermat_says(depth, distance):
    def way(x):
        return np.hypot(x, 5.5) / 5 + np.hypot(distance - x, depth - 5) / 7

    least = minimize_scalar(way, bounds=(0, distance), method="bounded").fun
    assert TWO.times("P", 0.5, [depth], [distance])[0, 0] == pytest.approx(least, abs=1e-3)


@pytest.mark.parametrize(("depth", "distance"), [(2.0, 10.0), (2.0, 80.0), (5.0, 40.0)])
def test_head_waves_overtake(depth, distance):
    cosine = np.sqrt(1 - (5 / 7) ** 2)
    legs = 5.5 + 5 - depth
    direct, head = np.hypot(distance, depth + 0.5) / 5, distance / 7 + legs * cosine / 5
    critical = legs * (5 / 7) / cosine
    expected = min(direct, head) if distance >= critical else direct
    assert TWO.times("P", 0.5, [depth], [distance])[0, 0] == pytest.approx(expected, abs=1e-3)


def test_no_head_wave_below_a_faster_layer():
    """What lies above is faster: a slow layer below guides nothing."""
    slow = VelocityModel((-9.0, 5.0), (7.0, 5.0), (4.0, 3.0))
    assert slow.times("P", 0.0, [2.0], [100.0])[0, 0] == pytest.approx(
        np.hypot(100, 2) / 7, abs=1e-3
    )


def test_tables_give_the_times():
    model = VelocityModel.crust()
    depths = np.linspace(-1, 30, 63)
    rng = np.random.default_rng(0)
    depth, distance = rng.uniform(-1, 30, 50), rng.uniform(0, 250, 50)
    for phase in "PS":
        table = model.table(phase, 0.61, depths, 260)
        got = look_up([table], depths, depth, distance)[0]
        exact = [
            model.times(phase, 0.6, [z], [x])[0, 0] for z, x in zip(depth, distance, strict=True)
        ]
        assert np.abs(got - exact).max() < 0.03


def test_read(tmp_path):
    path = tmp_path / "layers.csv"
    path.write_text("# from a paper\nDepth, Vp, Vs\n-2.0, 3.18, 1.85\n0.0, 3.47, 2.01\n")
    model = VelocityModel.read(path)
    assert model.tops == (-2.0, 0.0) and model.vs == (1.85, 2.01) and model.name == "layers.csv"
    table = pd.DataFrame({"depth_km": [0.0, 5.0], "vp": [5.0, 6.0]})
    assert VelocityModel.read(table, vp_vs=2.0).vs == (2.5, 3.0)
    assert VelocityModel.read(None).name.startswith("continental crust")
    assert VelocityModel.read(model) is model


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("depth_km,vs\n0,3\n", "no column vp"),
        ("depth_km,vp\n0,5\n0,6\n", "must ascend"),
        ("depth_km,vp\n5,5\n0,6\n", "must ascend"),
        ("depth,vp\n0,5\n10000,6\n", "depth of 10000 km; depths are in km, not in m"),
        ("depth_km,vp,vs\n0,5,6\n", "vp above vs"),
        ("depth_km,vp\n0,5000\n", "below 15"),
        ("depth_km,vp\n0,fast\n", "must ascend"),
        ("", "not a table of velocities"),
    ],
)
def test_what_is_no_model_is_said(tmp_path, rows, message):
    path = tmp_path / "bad.csv"
    path.write_text(rows)
    with pytest.raises(ValueError, match=message) as error:
        VelocityModel.read(path)
    assert "bad.csv" in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.csv"):
        VelocityModel.read(tmp_path / "nowhere.csv")
