import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


def test_resample_refuses_odd_ratios():
    with pytest.raises(ValueError, match="ratio of integers"):
        resample(np.zeros(10), 99.98765, 100)
