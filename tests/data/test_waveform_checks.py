"""Dead components, clipping, and lengths of one record."""

import numpy as np

from seisbench_llm.data.waveform_checks import clipped_component, is_dead, waveform_defects

ROW = {"trace_npts": 3000, "trace_sampling_rate_hz": 100.0, "trace_p_arrival_sample": 1000.0}


def record(top=np.inf):
    rng = np.random.default_rng(1)
    data = rng.normal(size=(3, 3000))
    times = np.arange(2000) / 100
    data[:, 1000:] += 1000 * np.sin(2 * np.pi * 2 * times) * np.exp(-times / 5)
    return np.clip(data, -top, top)


def test_a_good_record_has_no_defect():
    assert waveform_defects(record(), ROW) == []
    assert waveform_defects(record()[:, :2000], ROW) == [
        ("length", "2000 samples, trace_npts 3000")
    ]


def test_clipping_is_found_where_it_matters():
    assert clipped_component(record(), 1000, 100.0) == 0
    assert clipped_component(record(500.0), 1000, 100.0) == 1
    one = record()
    one[2] = record(500.0)[2]
    assert waveform_defects(one, ROW) == [
        ("clipped", "trace_p_arrival_sample 1000, component 3 of 3")
    ]
    # Quantised noise repeats its largest value, too.
    noise = np.round(np.random.default_rng(2).normal(size=(3, 3000)))
    assert clipped_component(noise, 1000, 100.0) == 0


def test_dead_components():
    data = record()
    data[:, 900:1100] = 5
    assert is_dead(data, 1000, 100.0) and not is_dead(data, 2000, 100.0)
    assert waveform_defects(data, ROW) == [("dead", "trace_p_arrival_sample 1000")]
    data[0] = record()[0]
    assert not is_dead(data, 1000, 100.0)
    assert waveform_defects(np.zeros((3, 3000)), {"trace_npts": 3000}) == [
        ("dead", "the whole record")
    ]
