"""Records that are made worse, and F1 of what pickers find in them."""

import numpy as np
import obspy
import pytest

from benchmarks.common.cases import signal_to_noise
from benchmarks.common.records import AnalystRecord
from benchmarks.quality.robustness import by_bins, changed, components, counts_of, gappy, noisier

START = obspy.UTCDateTime(2020, 1, 1)
P, S = 30.0, 36.0


@pytest.fixture
def record():
    rng, rate = np.random.default_rng(0), 100.0
    times = np.arange(6000) / rate
    stream = obspy.Stream()
    for component in "ZNE":
        wave = rng.standard_normal(times.size)
        for onset, size in ((P, 30.0), (S, 90.0)):
            after = np.clip(times - onset, 0, None)
            wave += size * (times >= onset) * np.exp(-after / 3) * np.sin(2 * np.pi * 6 * after)
        header = {"network": "XX", "station": "STA", "channel": f"HH{component}"}
        stream.append(obspy.Trace(wave, header | {"sampling_rate": rate, "starttime": START}))
    return AnalystRecord(
        "hamm_mining_loki",
        "toy",
        "XX.STA",
        "event",
        stream,
        {"P": [START + P], "S": [START + S]},
        truths={"magnitude": 4.5, "distance": 40.0, "back_azimuth": np.nan},
    )


def test_noise_brings_p_to_the_ratio_asked_for(record):
    before = record.stream.copy()
    assert signal_to_noise(record.stream, START + P) > 20
    for decibel in (5.0, 10.0):
        ratio = signal_to_noise(noisier(record, decibel), START + P)
        assert ratio == pytest.approx(decibel, abs=1.0)
    assert noisier(record, 40.0) is None
    assert record.stream == before


def test_gaps_keep_away_from_picks(record):
    left = gappy(record)
    gaps = left.get_gaps()
    assert len(gaps) == 3 * 3
    for *_, begin, end, _seconds, _samples in gaps:
        assert all(not begin - 0.9 < START + onset < end + 0.9 for onset in (P, S))
    assert left[0].stats.starttime == START


def test_records_that_a_condition_does_not_change_are_left_out(record):
    vertical = AnalystRecord(**{**vars(record), "stream": record.stream.select(component="Z")})
    rows, left = changed([record, vertical], lambda r: components(r, "Z"))
    assert rows == [0] and [t.stats.channel for t in left[0].stream] == ["HHZ"]
    with pytest.raises(ValueError, match="toy: the stream begins 5 s later"):
        changed([record], lambda r: r.stream.slice(START + 5))


def test_figures_by_what_is_known(record):
    hit = {"P": np.array([[P + 0.1, 0.9]]), "S": np.array([[S + 2.0, 0.9]])}
    counts = {phase: counts_of([hit], [record], phase) for phase in "PS"}
    assert counts["P"].tolist() == [[1, 0, 0]] and counts["S"].tolist() == [[0, 1, 1]]
    bins = by_bins(counts["P"], [record])
    assert bins["S minus P, s"] == {"6 to 12": {"picks": 1, "F1": 1.0, "limits": [1.0, 1.0]}}
    assert list(bins["distance, km"]) == ["30 to 60"] and list(bins["magnitude"]) == ["4 to 5"]
