import numpy as np
import pytest
from obspy.core.inventory import InstrumentSensitivity
from obspy.core.inventory.response import Response
from scipy.signal import lsim, lti

from seisbench_llm.amplitudes.response import (
    ResponseError,
    check_response,
    to_motion,
    wood_anderson,
)

RATE = 100.0


def flat(gain=1e6, units="M/S"):
    return Response(
        instrument_sensitivity=InstrumentSensitivity(
            value=gain, frequency=1.0, input_units=units, output_units="COUNTS"
        )
    )


def burst(frequency=3.0, size=1e-6, seconds=40.0):
    """Displacement in m: a wave packet in the middle, and its derivatives."""
    time = np.arange(0, seconds, 1 / RATE) - seconds / 2
    envelope = np.exp(-((time / 2) ** 2))
    displacement = size * envelope * np.sin(2 * np.pi * frequency * time)
    return displacement, np.gradient(displacement, 1 / RATE)


@pytest.mark.parametrize("units", ["M", "M/S", "M/S**2"])
def test_motion_is_what_it_was(units):
    displacement, velocity = burst()
    motion = {"M": displacement, "M/S": velocity, "M/S**2": np.gradient(velocity, 1 / RATE)}[units]
    found = to_motion(motion * 1e6, RATE, flat(units=units))
    assert np.abs(found["displacement"]).max() == pytest.approx(1e-6, rel=0.03)
    assert np.abs(found["velocity"]).max() == pytest.approx(np.abs(velocity).max(), rel=0.03)
    assert np.corrcoef(found["displacement"], displacement)[0, 1] > 0.999


def test_wood_anderson_is_the_pendulum():
    """Against the differential equation of the pendulum, integrated in time."""
    displacement, velocity = burst(1.5)
    acceleration = np.gradient(velocity, 1 / RATE)
    natural = 2 * np.pi * 1.25
    pendulum = lti([1.0], [1.0, 2 * 0.7 * natural, natural**2])
    time = np.arange(len(displacement)) / RATE
    _, relative, _ = lsim(pendulum, acceleration, time)
    found = to_motion(velocity * 1e6, RATE, flat())["wood_anderson"]
    assert np.abs(found).max() == pytest.approx(np.abs(relative).max(), rel=0.03)


def test_wood_anderson_response():
    high, corner, low = np.abs(wood_anderson(np.array([50.0, 1.25, 0.0125])))
    assert high == pytest.approx(1, abs=0.01) and corner == pytest.approx(1 / 1.4)
    assert low == pytest.approx(1e-4, rel=0.01)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (None, "no response"),
        (Response(), "no response"),
        (flat(0.0), "gain of zero"),
        (flat(units="PA"), "PA, not to ground motion"),
        (flat(np.nan), "gain of zero"),
    ],
)
def test_responses_that_cannot_be_used(response, message):
    with pytest.raises(ResponseError, match=message):
        check_response(response, RATE)


def test_a_response_of_another_channel():
    import obspy

    response = obspy.read_inventory()[0][0][0].response
    stage = next(s for s in reversed(response.response_stages) if s.decimation_input_sample_rate)
    rate = stage.decimation_input_sample_rate / stage.decimation_factor
    assert check_response(response, rate) is response
    with pytest.raises(ResponseError, match="channel of"):
        check_response(response, 3 * rate)
