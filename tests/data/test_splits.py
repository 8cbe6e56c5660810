"""No event on two sides, and the published split to the row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seisbench_llm.data.splits import (
    PUBLISHED_FEW_SHOT,
    check_leakage,
    few_shot,
    split_by_event,
    split_by_row,
    split_by_station,
)


@pytest.fixture(scope="module")
def metadata():
    """20,000 records of events of 1 to some 100 records each."""
    rng = np.random.default_rng(0)
    event = np.repeat(np.arange(4000), rng.geometric(0.1, 4000))[:20_000]
    return pd.DataFrame(
        {
            "trace_name": [f"trace{i}" for i in range(len(event))],
            "source_id": event,
            "station_network_code": "AA",
            "station_code": rng.integers(0, 300, len(event)),
        }
    )


# s[1] of train, dev, test; any change to this breaks everybody's splits.
EXPECTED = "rrerereeer"


def shares(split):
    return split.value_counts(normalize=True)


def test_fractions_are_of_records_and_events_stay_whole(metadata):
    split = split_by_event(metadata)
    largest = metadata["source_id"].value_counts().max() / len(metadata)
    for name, fraction in {"train": 0.8, "dev": 0.1, "test": 0.1}.items():
        assert abs(shares(split)[name] - fraction) < largest
    check_leakage(metadata, split)
    assert split.groupby(metadata["source_id"]).nunique().eq(1).all()


def test_seed_decides_and_nothing_else(metadata):
    split = split_by_event(metadata, seed=1)
    assert split.equals(split_by_event(metadata, seed=1))
    assert (split != split_by_event(metadata, seed=2)).mean() > 0.2
    # Not the order of the rows, nor the type of the identifier.
    shuffled = metadata.sample(frac=1, random_state=0)
    assert split_by_event(shuffled, seed=1).loc[metadata.index].equals(split)
    as_float = metadata.assign(source_id=metadata["source_id"].astype(float))
    as_text = metadata.assign(source_id=metadata["source_id"].astype(str))
    assert split_by_event(as_float, seed=1).equals(split)
    assert split_by_event(as_text, seed=1).equals(split)


def test_split_is_the_same_everywhere():
    metadata = pd.DataFrame({"source_id": [f"ev{i}" for i in range(10)]})
    split = split_by_event(metadata, (0.5, 0.3, 0.2), seed=3)
    assert "".join(name[1] for name in split) == EXPECTED


def test_a_few_events_more_leave_the_others_where_they_were(metadata):
    split = split_by_event(metadata)
    most = metadata[metadata["source_id"] % 50 != 0]
    assert (split_by_event(most) == split[most.index]).mean() > 0.97


def test_records_without_an_event(metadata, caplog):
    some = metadata.assign(source_id=metadata["source_id"].where(metadata.index % 10 != 0))
    split = split_by_event(some)
    assert "2000 of 20000 rows have no source_id" in caplog.text
    alone = split[some["source_id"].isna()]
    assert abs(shares(alone)["train"] - 0.8) < 0.05
    check_leakage(some, split)
    none = metadata.assign(source_id=None)
    assert abs(shares(split_by_event(none))["dev"] - 0.1) < 1e-3
    assert split_by_event(none.drop(columns="trace_name")).notna().all()


def test_a_swarm_goes_to_the_largest_side():
    metadata = pd.DataFrame({"source_id": [0] * 500 + list(range(1, 501))})
    for seed in range(20):
        split = split_by_event(metadata, seed=seed)
        assert split[0] == "train"
        assert abs(shares(split)["test"] - 0.1) < 0.01


def test_too_few_events_are_mentioned(caplog):
    split = split_by_event(pd.DataFrame({"source_id": [1, 1, 2]}))
    assert len(split) == 3
    assert "too few" in caplog.text


@settings(deadline=None, max_examples=50)
@given(
    events=st.lists(st.integers(0, 30), min_size=1, max_size=200),
    cuts=st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted),
    seed=st.integers(0, 2**40),
)
def test_never_a_leak(events, cuts, seed):
    metadata = pd.DataFrame({"source_id": events})
    fractions = (cuts[0] / 10, (cuts[1] - cuts[0]) / 10, 1 - cuts[1] / 10)
    split = split_by_event(metadata, fractions, seed)
    check_leakage(metadata, split)
    for name, fraction in zip(("train", "dev", "test"), fractions, strict=True):
        assert fraction > 1e-9 or name not in set(split)


def test_by_station(metadata):
    station = split_by_station(metadata)
    columns = ("station_network_code", "station_code")
    check_leakage(metadata, station, columns)
    with pytest.raises(ValueError, match="source_id"):
        check_leakage(metadata, station)


def test_published_split_is_that_of_the_published_loader(metadata):
    # The published code, in its own words: shuffle with pandas, then cut.
    shuffled = metadata.sample(frac=1, replace=False, random_state=0)
    split = split_by_row(metadata)
    assert set(split.index[split == "train"]) == set(shuffled.index[:16_000])
    assert set(split.index[split == "dev"]) == set(shuffled.index[16_000:18_000])
    assert set(split.index[split == "test"]) == set(shuffled.index[18_000:])
    few = split_by_row(metadata, PUBLISHED_FEW_SHOT)
    assert few.value_counts().to_dict() == {"train": 2000, "dev": 1000, "test": 17_000}
    with pytest.raises(ValueError, match="more than one side.*not by row"):
        check_leakage(metadata, split)


def test_few_shot_keeps_the_test_set_and_whole_events(metadata):
    split = split_by_event(metadata)
    few = few_shot(metadata, split)
    assert (few[split == "test"] == "test").all()
    assert set(split[few == "train"]) == {"train"} and set(split[few == "dev"]) == {"dev"}
    assert abs(shares(few)["train"] - 0.10) < 0.005
    assert abs(shares(few)["dev"] - 0.05) < 0.005
    check_leakage(metadata, few)
    whole = few.groupby(metadata["source_id"]).nunique()
    assert whole.eq(1).all()
    assert few.equals(few_shot(metadata, split))
    assert not few.equals(few_shot(metadata, split, seed=1))
    assert (few_shot(metadata, split, train=0, dev=0) != "train").all()


def test_few_shot_takes_no_more_than_there_is(metadata):
    split = split_by_event(metadata)
    with pytest.raises(ValueError, match="dev is to be 30%"):
        few_shot(metadata, split, dev=0.3)
    with pytest.raises(ValueError, match="rows"):
        few_shot(metadata, split[:-1])


def test_leakage_names_the_events():
    metadata = pd.DataFrame({"source_id": [7, 7, 8, 9, 9, None, None]})
    split = pd.Series(["train", "test", "train", "dev", "unused", "train", "test"])
    with pytest.raises(ValueError, match=r"1 values of source_id .*: 7 \(test/train\)\."):
        check_leakage(metadata, split)
    check_leakage(metadata, split.where(split != "test"))


def test_arguments_are_checked(metadata):
    with pytest.raises(ValueError, match="add to one"):
        split_by_event(metadata, (0.8, 0.1, 0.2))
    with pytest.raises(ValueError, match="add to one"):
        split_by_row(metadata, (0.9, 0.1))
    with pytest.raises(ValueError, match="no column event"):
        split_by_event(metadata, event_column="event")


def test_index_of_a_filtered_data_set_is_kept(metadata):
    part = metadata[metadata["station_code"] < 100]
    for split in (split_by_event(part), split_by_row(part)):
        assert split.index.equals(part.index) and split.notna().all()
