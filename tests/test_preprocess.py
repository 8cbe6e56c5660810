import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from seisbench_llm.preprocess import normalize, resample


def test_mean_and_standard_deviation():
    x = normalize(torch.randn(2, 3, 500) * 7 + 3)
    torch.testing.assert_close(x.mean(dim=-1), torch.zeros(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(x.std(dim=-1, correction=0), torch.ones(2, 3))


@given(st.floats(-30, 30))
def test_scale_free(exponent):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 400))).float()
    torch.testing.assert_close(normalize(x * 10.0**exponent), normalize(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("scale", [1e-37, 1e-30, 1e30, 1e35, 5e37])
def test_huge_and_tiny_amplitudes(scale, joint):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 6000))).float()
    torch.testing.assert_close(normalize(x * scale, joint), normalize(x, joint), atol=1e-5, rtol=0)
    # All of the range of single precision, and one sample that is corrupted.
    x[0, 0] = torch.finfo(torch.float32).max * torch.sign(x[0, 0])
    x[0, 1, 2900] = 1.36e35
    assert normalize(x, joint).isfinite().all()


@pytest.mark.parametrize("joint", [False, True])
@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.integers(1, 7000),
)
def test_a_dead_component_is_zero_whatever_its_offset(joint, offset, samples):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, samples))).float()
    x[0, 1], x[0, 2] = offset, 0.0
    out = normalize(x, joint)
    assert (out[0, 1:] == 0).all()
    alone = x.clone()
    alone[0, 1] = 0.0
    assert torch.equal(out, normalize(alone, joint))


def test_one_sample_or_none_moving():
    assert (normalize(torch.full((2, 3, 1), 5.0)) == 0).all()
    x = torch.full((1, 1, 100), 1e6)
    x[..., 50] = float(np.nextafter(np.float32(1e6), np.float32(2e6)))
    assert normalize(x).amax() == pytest.approx(99**0.5, rel=1e-3)


@pytest.mark.parametrize("rate", [20, 40, 50, 62.5, 80, 125, 200, 250])
def test_resample_keeps_time(rate):
    t = np.arange(int(60 * rate)) / rate
    pulse = np.exp(-(((t - 30.0) / 0.3) ** 2))
    out = resample(pulse, rate, 100)
    assert abs(out.size - 6000) <= 1
    # The peak of a smooth pulse stays where it was, to a fraction of a sample.
    near = np.abs(np.arange(out.size) / 100 - 30) < 0.2
    centre = np.average(np.arange(out.size)[near] / 100, weights=out[near])
    assert abs(centre - 30) < 0.002


def test_resample_removes_what_would_alias():
    t = np.arange(25000) / 250
    out = resample(np.sin(2 * np.pi * 90 * t), 250, 100)
    assert np.abs(out[500:-500]).max() < 0.05


@pytest.mark.parametrize("rate", [99.98765, 100_100.0, 100 * (1 + 1.1e-9), 1e9])
def test_resample_refuses_odd_ratios(rate):
    with pytest.raises(ValueError, match="ratio of integers"):
        resample(np.zeros(10), rate, 100)


def test_resample_takes_ratios_up_to_a_thousand():
    assert resample(np.ones(3000), 100_000.0, 100.0).tolist() == pytest.approx([1, 1, 1])
    data = np.ones(4)
    # A millisecond in ten days.
    assert resample(data, 100 * (1 + 0.9e-9), 100) is data


@pytest.mark.parametrize("rate", [20, 31.25, 50, 62.5, 80, 125, 200])
def test_resample_leaves_no_image_of_an_offset(rate):
    """scipy's own filter leaves 500 of a million, up and down by turns."""
    np.testing.assert_allclose(resample(np.full((2, 1), 7.0), rate, 100), 7.0)
    # A slope is continued by the line through its ends.
    line = np.arange(500) * 3.0 + 1e6
    out = resample(line, rate, 100)
    np.testing.assert_allclose(out, 1e6 + np.arange(out.size) * 3 * rate / 100, atol=0.02, rtol=0)


def test_a_line_through_two_samples_goes_on():
    np.testing.assert_allclose(resample(np.array([0.0, 1.0]), 50, 100), [0, 0.5, 1, 1.5], atol=1e-6)


def test_resample_is_that_of_scipy_but_for_images():
    data = np.random.default_rng(0).standard_normal(2000)
    for rate, (up, down) in {200: (1, 2), 50: (2, 1), 62.5: (8, 5)}.items():
        expected = resample_poly(data, up, down, padtype="line")
        atol = 1e-12 if up == 1 else 5e-3
        np.testing.assert_allclose(resample(data, rate, 100), expected, rtol=0, atol=atol)
    # The kept filter is not changed by its use.
    np.testing.assert_array_equal(resample(data, 50, 100), resample(data, 50, 100))
    assert resample(data.astype("f4"), 50, 100).dtype == np.float32
    assert resample(np.arange(9), 50, 100).dtype == np.float64
