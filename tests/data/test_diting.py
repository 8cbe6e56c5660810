"""DiTing on files of the published layout, small ones with faults and a large one."""

import json
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
from seisbench.data import WaveformDataset

from seisbench_llm.data import diting_index
from seisbench_llm.data.diting import DiTing, light_subset
from seisbench_llm.data.splits import check_leakage, split_by_event, split_by_row

SAMPLES = 4000
SNR = [f"{c}_{p}_{k}_snr" for c in "ZNE" for p in "PS" for k in ("amplitude", "power")]


def published_keys(part: int, count: int, first_event: int = 1) -> pd.DataFrame:
    """Four records of each event."""
    event = first_event + np.arange(count) // 4
    keys = [f"{e:06d}.{i % 4 + 1:04d}" for i, e in enumerate(event)]
    return pd.DataFrame({"part": str(part), "key": keys, "ev_id": event.astype(str)})


def published_rows(part: int, count: int, first_event: int = 1) -> pd.DataFrame:
    """Metadata as text, the way the published files have them: padded with blanks, "-" for none."""
    rng = np.random.default_rng(part)
    event = first_event + np.arange(count) // 4
    p = rng.integers(600, 2000, count)
    rows = {
        **published_keys(part, count, first_event),
        "evmag": (event % 40) / 10,
        "mag_type": rng.choice(["ML", " Ms", "mb", "ml"], count),
        "p_pick": p,
        "p_clarity": rng.choice(["I", "E", " "], count),
        "p_motion": rng.choice(["U", "C", "D", "R", "n", " "], count),
        "s_pick": p + rng.integers(50, 1500, count),
        "net": "AA",
        "sta_id": rng.integers(1, 2000, count),
        "dis": rng.uniform(1, 330, count).round(2),
        "st_mag": (event % 30) / 10,
        "baz": rng.uniform(-20, 380, count).round(1),
        **{name: rng.uniform(-3, 30, count).round(3) for name in SNR},
        "P_residual": rng.choice(["-", "0.10", " -0.04"], count),
        "S_residual": rng.choice(["0.00", "2.24"], count),
    }
    return pd.DataFrame(rows).astype(str)


def waveform(key: str) -> np.ndarray:
    """A record, shape (samples, 3), that one recognises."""
    start = float(key.replace(".", ""))
    return (start + np.arange(SAMPLES * 3)).reshape(SAMPLES, 3)


def write_part(folder, rows: pd.DataFrame, part: int, skip=(), shapes=None) -> None:
    rows.to_csv(folder / f"DiTing330km_part_{part}.csv")
    with h5py.File(folder / f"DiTing330km_part_{part}.hdf5", "w") as file:
        group = file.create_group("earthquake")
        for key in dict.fromkeys(rows["key"]):
            if key in skip or not key[:1].isdigit():
                continue
            data = waveform(key)
            group[key] = data.reshape((shapes or {}).get(key, data.shape))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """1,000 sound rows in two parts."""
    folder = tmp_path_factory.mktemp("diting")
    for part, first in ((0, 1), (1, 900)):
        write_part(folder, published_rows(part, 500, first), part)
    return folder


@pytest.fixture(scope="module")
def dataset(published):
    return DiTing(published, parts=[0, 1], progress=False)


def faulty(tmp_path, change, **kwargs):
    """A part of 40 rows after ``change(rows)``, opened."""
    rows = published_rows(0, 40)
    change(rows)
    write_part(tmp_path, rows, 0, **kwargs)
    return DiTing(tmp_path, parts=[0], progress=False)


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


def test_resampling_moves_the_onsets_along(published):
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
    local = diting_index.to_local_magnitude(magnitude, pd.Series(["ML", "MS", "Mb", "Mw"]))
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


def test_index_is_plain_seisbench_and_survives_a_move(published, dataset, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(published, moved)
    plain = WaveformDataset(moved / "seisbench_index", component_order="ZNE")
    np.testing.assert_array_equal(plain.get_waveforms(600), dataset.get_waveforms(600))
    written = (moved / "seisbench_index" / "metadata_part_00.csv").stat().st_mtime_ns
    assert len(DiTing(moved, parts=[0, 1], progress=False)) == 1000
    assert (moved / "seisbench_index" / "metadata_part_00.csv").stat().st_mtime_ns == written


def test_index_elsewhere_follows_the_data(published, dataset, tmp_path):
    data, index = tmp_path / "data", tmp_path / "index"
    shutil.copytree(published, data, ignore=shutil.ignore_patterns("seisbench_index"))
    DiTing(data, index=index, parts=[0, 1], progress=False)
    assert not (data / "seisbench_index").exists()
    data.rename(tmp_path / "elsewhere")
    again = DiTing(tmp_path / "elsewhere", index=index, parts=[0, 1], progress=False)
    np.testing.assert_array_equal(again.get_waveforms(999), dataset.get_waveforms(999))


def test_some_parts_of_an_index(published, dataset):
    assert len(DiTing(published, parts=[1], progress=False)) == 500


def test_missing_files_are_all_named(published, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        DiTing(published, progress=False)
    assert "part_2.csv" in str(error.value) and "part_27.hdf5" in str(error.value)
    (tmp_path / "DiTing330km_part_0.csv").write_text("key\n")
    with pytest.raises(FileNotFoundError, match="part_0.hdf5"):
        DiTing(tmp_path, parts=[0])
    with pytest.raises(ValueError, match="28"):
        DiTing(published, parts=[28])


def test_other_files_want_another_index(tmp_path):
    faulty(tmp_path, lambda rows: None)
    write_part(tmp_path, published_rows(0, 20), 0)
    write_part(tmp_path, published_rows(1, 20, 500), 1)
    with pytest.raises(ValueError, match="part_0.csv.*rebuild=True"):
        DiTing(tmp_path, parts=[0])
    with pytest.raises(ValueError, match="no part 1"):
        DiTing(tmp_path, parts=[1])
    assert len(DiTing(tmp_path, parts=[0, 1], rebuild=True, progress=False)) == 40


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    write_part(tmp_path, published_rows(0, 4), 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not empty"):
        DiTing(tmp_path, index=tmp_path / "mine", parts=[0])
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_a_failed_build_leaves_nothing_behind(tmp_path):
    rows = published_rows(0, 40)
    write_part(tmp_path, rows, 0)
    rows.drop(columns="baz").to_csv(tmp_path / "DiTing330km_part_0.csv")
    with pytest.raises(ValueError, match="part_0.csv has no column baz"):
        DiTing(tmp_path, parts=[0], progress=False)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".csv", ".hdf5"]


def test_another_process_may_be_faster(tmp_path, monkeypatch):
    write_part(tmp_path, published_rows(0, 8), 0)
    index_part = diting_index._index_part

    def others_first(*args):
        monkeypatch.setattr(diting_index, "_index_part", index_part)
        diting_index.build_index(tmp_path, tmp_path / "seisbench_index", [0], progress=False)
        return index_part(*args)

    monkeypatch.setattr(diting_index, "_index_part", others_first)
    assert len(DiTing(tmp_path, parts=[0], progress=False)) == 8
    assert sum(file.is_dir() for file in tmp_path.iterdir()) == 1


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
        ("number", "dis that is no number", "path_ep_distance_km"),
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


def test_waveforms_missing_or_of_wrong_shape(tmp_path):
    shapes = {"000003.0001": (3, SAMPLES), "000003.0002": (3 * SAMPLES,)}
    dataset = faulty(tmp_path, lambda rows: None, skip=("000002.0004",), shapes=shapes)
    assert len(dataset) == 37
    assert dataset.problems["row without a waveform"]["examples"] == [
        "DiTing330km_part_0.csv line 9 (key 000002.0004)"
    ]
    assert dataset.problems["waveform not of shape (samples, 3)"]["count"] == 2
    for i in range(len(dataset)):
        assert dataset.get_waveforms(i).shape == (3, SAMPLES)


def test_a_key_of_an_earlier_part_is_a_duplicate(tmp_path):
    write_part(tmp_path, published_rows(0, 8), 0)
    write_part(tmp_path, published_rows(1, 8), 1)
    dataset = DiTing(tmp_path, parts=[0, 1], progress=False, shapes="some")
    assert dataset.problems["key that was there before"]["count"] == 8
    assert "part_1.csv line 2" in dataset.problems["key that was there before"]["examples"][0]


def test_strict_stops_at_the_first_problem(tmp_path):
    rows = published_rows(0, 8)
    rows.loc[2, "mag_type"] = "Mw"
    write_part(tmp_path, rows, 0)
    with pytest.raises(ValueError, match="unknown mag_type.*line 4"):
        DiTing(tmp_path, parts=[0], strict=True, progress=False)


def test_broken_files_are_named(tmp_path):
    write_part(tmp_path, published_rows(0, 8), 0)
    csv, hdf5 = diting_index.published_files(tmp_path, 0)
    whole = hdf5.read_bytes()
    hdf5.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="part_0.hdf5 is not a complete"):
        DiTing(tmp_path, parts=[0], progress=False)
    with h5py.File(hdf5, "w") as file:
        file.create_group("noise")
    with pytest.raises(ValueError, match="part_0.hdf5 has no group"):
        DiTing(tmp_path, parts=[0], progress=False)
    hdf5.write_bytes(whole)
    csv.write_bytes(b"\xff\xfe" + csv.read_bytes())
    with pytest.raises(ValueError, match="part_0.csv cannot be read"):
        DiTing(tmp_path, parts=[0], progress=False)
    csv.write_text("")
    with pytest.raises(ValueError, match="part_0.csv cannot be read"):
        DiTing(tmp_path, parts=[0], progress=False)
    with pytest.raises(ValueError, match="shapes"):
        DiTing(tmp_path, parts=[0], shapes="few")


MEASURE = """
import json, resource, sys, time
from seisbench_llm.data.diting import DiTing

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 * (
        1 if sys.platform == "linux" else 1 / 1024
    )

base = peak()
dataset = DiTing(sys.argv[1], parts=range(3), progress=False)
built = peak()
start = time.perf_counter()
dataset = DiTing(sys.argv[1], parts=range(3))
seconds = time.perf_counter() - start
shape = dataset.get_waveforms(len(dataset) - 1).shape
print(json.dumps([len(dataset), built - base, seconds, shape, dataset.problems]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_scale(tmp_path):
    """300,000 rows; a process of its own, so that its memory can be measured."""
    count = 100_000
    rows = published_rows(0, count)
    for part in range(3):
        first = 1 + 40_000 * part
        rows[["part", "key", "ev_id"]] = published_keys(part, count, first)
        rows.to_csv(tmp_path / f"DiTing330km_part_{part}.csv")
        with h5py.File(tmp_path / f"DiTing330km_part_{part}.hdf5", "w", libver="latest") as file:
            group = file.create_group("earthquake")
            keys = rows["key"].tolist()
            group[keys[0]] = waveform(keys[0])
            # One record under all names: as many records would be 10 GB.
            for key in keys[1:]:
                group.id.link(keys[0].encode(), key.encode())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    rows, gigabytes, seconds, shape, problems = json.loads(done.stdout.splitlines()[-1])
    assert (rows, shape, problems) == (3 * count, [3, SAMPLES], {})
    # Building and opening; 2.7 million rows are to stay under 4 GiB.
    assert gigabytes < 0.5
    assert seconds < 15
