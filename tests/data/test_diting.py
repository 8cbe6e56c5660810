"""DiTing on small files of the published layout, sound and faulty."""

import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset

from seisbench_llm.data.diting import DiTing, light_subset
from seisbench_llm.data.diting_metadata import to_local_magnitude
from seisbench_llm.data.splits import check_leakage, split_by_event, split_by_row
from tests.helpers.diting import SAMPLES, faulty, published_rows, waveform, write_part


def test_every_row_becomes_a_trace(dataset):
    assert len(dataset) == 1000
    assert dataset.problems == {}
    assert isinstance(dataset, WaveformDataset)
    assert dataset.metadata["trace_sampling_rate_hz"].eq(50).all()
    assert dataset.metadata["source_id"].dtype == np.int64


def test_waveforms_are_those_of_the_key_in_component_order(dataset):
    for i in (0, 499, 500, 999):
        data, metadata = dataset.get_sample(i)
        expected = waveform(metadata["trace_name"].removeprefix("earthquake/"))
        np.testing.assert_array_equal(data, expected.T)
        assert metadata["trace_npts"] == SAMPLES
    reversed_order = dataset.copy()
    reversed_order.component_order = "ENZ"
    np.testing.assert_array_equal(reversed_order.get_waveforms(3), dataset.get_waveforms(3)[::-1])


def test_resampling_moves_the_onsets_along(published, dataset):
    # The index is there with both parts: one of the first alone would be in the way of others.
    dataset = DiTing(published, parts=[0], sampling_rate=100, progress=False)
    data, metadata = dataset.get_sample(7)
    assert data.shape == (3, 2 * SAMPLES)
    onset = dataset.metadata["trace_p_arrival_sample"].iloc[7]
    assert metadata["trace_p_arrival_sample"] == 2 * onset


def test_metadata_are_those_published(dataset):
    raw = pd.concat([published_rows(0, 500, 1), published_rows(1, 500, 900)], ignore_index=True)
    found = dataset.metadata.reset_index(drop=True)
    kind = raw["mag_type"].str.strip().str.lower()
    magnitude = raw["evmag"].astype(float)
    expected = magnitude.where(kind == "ml", (magnitude + 1.08) / 1.13)
    expected = expected.where(kind != "mb", (1.17 * magnitude + 0.67) / 1.13)
    np.testing.assert_allclose(found["source_magnitude"], expected, atol=1e-6)
    np.testing.assert_allclose(found["source_magnitude_published"], magnitude)
    assert found["source_magnitude_type"].eq("ML").all()
    assert (found["source_magnitude_type_published"] == raw["mag_type"].str.strip()).all()

    for ours, theirs in {
        "trace_p_arrival_sample": "p_pick",
        "trace_s_arrival_sample": "s_pick",
        "path_ep_distance_km": "dis",
        "trace_n_s_power_snr": "N_S_power_snr",
        "station_code": "sta_id",
        "source_id": "ev_id",
    }.items():
        np.testing.assert_allclose(found[ours].astype(float), raw[theirs].astype(float))
    np.testing.assert_allclose(
        found["path_back_azimuth_deg"], raw["baz"].astype(float) % 360, atol=1e-9
    )
    polarity = {"U": "U", "C": "U", "D": "D", "R": "D", "n": "N"}
    assert (found["trace_polarity"].fillna("") == raw["p_motion"].map(polarity).fillna("")).all()
    assert (found["path_p_residual_sec"].isna() == (raw["P_residual"] == "-")).all()
    assert (found["trace_p_clarity"].isna() == (raw["p_clarity"] == " ")).all()


def test_relations_between_magnitudes():
    magnitude = pd.Series([3.0, 5.0, 5.0, 5.0])
    local = to_local_magnitude(magnitude, pd.Series(["ML", "MS", "Mb", "Mw"]))
    np.testing.assert_allclose(local, [3.0, 6.08 / 1.13, (5.85 + 0.67) / 1.13, np.nan])


def test_keys_that_lost_their_zeros_are_padded(tmp_path):
    rows = published_rows(0, 12)
    write_part(tmp_path, rows, 0)
    rows["key"] = [f"{float(key):.4f}".rstrip("0") for key in rows["key"]]
    rows.loc[0, "key"] = "1.0001"
    rows.to_csv(tmp_path / "DiTing330km_part_0.csv")
    dataset = DiTing(tmp_path, parts=[0], progress=False)
    assert len(dataset) == 12
    np.testing.assert_array_equal(dataset.get_waveforms(0), waveform("000001.0001").T)


def test_light_subset_follows_the_published_rule(dataset):
    raw = pd.concat([published_rows(0, 500, 1), published_rows(1, 500, 900)], ignore_index=True)
    raw = raw.apply(lambda column: column.str.replace(" ", ""))
    expected = (
        ~(raw == "").any(axis=1)
        & (raw["P_residual"] != "-")
        & (raw["p_motion"] != "n")
        & (raw["p_pick"].astype(int) < raw["s_pick"].astype(int))
    )
    mask = light_subset(dataset.metadata)
    assert 0 < mask.sum() < len(mask)
    assert (mask.to_numpy() == expected.to_numpy()).all()
    light = dataset.light()
    assert len(light) == mask.sum() and len(dataset) == 1000
    assert light.get_waveforms(0).shape == (3, SAMPLES)


def test_light_subset_wants_ordered_onsets(dataset):
    metadata = dataset.metadata[light_subset(dataset.metadata)].head(4).copy()
    metadata["trace_s_arrival_sample"] = [
        metadata["trace_p_arrival_sample"].iloc[0],  # not after P
        9000,  # past the end
        np.nan,
        8999,
    ]
    assert light_subset(metadata).tolist() == [False, False, False, True]
    with pytest.raises(ValueError, match="trace_polarity"):
        light_subset(metadata.drop(columns="trace_polarity"))


def test_splits_of_the_index(dataset):
    check_leakage(dataset.metadata, split_by_event(dataset.metadata))
    with pytest.raises(ValueError, match="more than one side"):
        check_leakage(dataset.metadata, split_by_row(dataset.metadata))


FAULTS = {
    "duplicate": (lambda r: r.__setitem__("key", r["key"].where(r.index != 7, r["key"][3])), 39),
    "malformed": (lambda r: r.__setitem__("key", r["key"].where(r.index != 7, "abc")), 39),
    "other part": (lambda r: r.__setitem__("part", r["part"].where(r.index != 7, "5")), 39),
    "mag_type": (lambda r: r.__setitem__("mag_type", r["mag_type"].where(r.index != 7, "Mw")), 40),
    "p_motion": (lambda r: r.__setitem__("p_motion", r["p_motion"].where(r.index != 7, "Q")), 40),
    "number": (lambda r: r.__setitem__("dis", r["dis"].where(r.index != 7, "far")), 40),
    "onset": (lambda r: r.__setitem__("p_pick", r["p_pick"].where(r.index != 7, "9000")), 40),
    "event": (lambda r: r.__setitem__("ev_id", r["ev_id"].where(r.index != 7, " ")), 40),
}


@pytest.mark.parametrize(
    ("fault", "kind", "column"),
    [
        ("duplicate", "key that was there before", None),
        ("malformed", "key not like 000001.0001", None),
        ("other part", "row of another part", None),
        ("mag_type", "unknown mag_type", "source_magnitude"),
        ("p_motion", "unknown p_motion", "trace_polarity"),
        ("number", "dis that is not a number", "path_ep_distance_km"),
        ("onset", "p_pick outside the record", "trace_p_arrival_sample"),
        ("event", "no ev_id", "source_id"),
    ],
)
def test_faults_are_counted_with_file_and_line(tmp_path, caplog, fault, kind, column):
    change, left = FAULTS[fault]
    dataset = faulty(tmp_path, change)
    assert list(dataset.problems) == [kind]
    problem = dataset.problems[kind]
    assert problem["count"] == 1
    # The eighth row is on the ninth line.
    assert problem["examples"][0].startswith("DiTing330km_part_0.csv line 9 (key ")
    assert len(dataset) == left
    assert problem["examples"][0] in caplog.text
    if column:
        assert pd.isna(dataset.metadata[column].iloc[7])
        assert dataset.metadata[column].drop(dataset.metadata.index[7]).notna().any()
