import numpy as np
import pytest

from seisbench_llm.amplitudes import SCALES, local_magnitude, read_corrections
from seisbench_llm.amplitudes.magnitude import COMMON, STATION_ERROR, event_magnitude, fuse


def test_iaspei():
    """Hutton and Boore's anchor: ML 3 is 1 mm (gain 2080) at 100 km."""
    assert local_magnitude(1e6 / 2080, 100.0) == pytest.approx(3.0, abs=0.01)
    assert local_magnitude(10.0, 50.0) == pytest.approx(1 + 1.11 * np.log10(50) + 0.0945 - 2.09)
    assert np.isnan(local_magnitude([0.0, np.nan, 5.0], [1.0, 1.0, 0.0])).all()


def test_scales():
    for scale in SCALES:
        assert 2 < local_magnitude(500.0, 100.0, scale) < 4
    # Near the source, IASPEI's is too large.
    assert local_magnitude(500.0, 3.0, "near") < local_magnitude(500.0, 3.0) - 0.5
    with pytest.raises(ValueError, match="Unknown magnitude scale 'mars'. Known scales: iaspei"):
        local_magnitude(1.0, 1.0, "mars")


def test_corrections(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("id,correction\nXX.A,0.2\nNA.B.00,-0.1\n")
    assert read_corrections(path) == {"XX.A": 0.2, "NA.B": -0.1} and read_corrections(None) == {}
    for text in ("id,x\nA,1\n", "id,correction\nXX.A,much\n", "id,correction\nXX.A,9\n",
                 "id,correction\nXX.A,0.1\nXX.A.00,0.2\n"):  # fmt: skip
        path.write_text(text)
        with pytest.raises(ValueError, match=r"c\.csv"):
            read_corrections(path)
    with pytest.raises(FileNotFoundError, match="none"):
        read_corrections(tmp_path / "none")


def test_an_outlier_does_not_move_the_median():
    value, error = event_magnitude([2.0, 2.1, 1.9, 2.05, 5.0])
    assert value == 2.05 and error < np.hypot(0.15, COMMON)
    assert event_magnitude([2.0])[1] == STATION_ERROR > COMMON
    assert np.isnan(event_magnitude([np.nan])[0])


def test_more_stations_do_not_remove_what_they_share():
    rng = np.random.default_rng(0)
    errors = [event_magnitude(rng.normal(2, 0.3, count))[1] for count in (10, 100, 1000)]
    assert errors[0] > errors[1] > errors[2] > COMMON
    assert errors[2] == pytest.approx(COMMON, abs=0.001)


def test_fusion_is_by_variance():
    value, error = fuse({"a": (2.0, 0.1), "b": (4.0, 2.0), "c": (9.0, np.nan)})
    assert value == pytest.approx(2.005, abs=1e-3) and error == pytest.approx(0.0999, abs=1e-3)
    assert np.isnan(fuse({})[0])
