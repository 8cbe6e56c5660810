"""Picks by day, from tables, files and archive runs."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.archive.station_days import StationDay
from seisbench_llm.archive.store import Store
from seisbench_llm.catalogue import open_picks
from seisbench_llm.catalogue.windows import DAY, Windows, day_start
from seisbench_llm.export.files import import_pyarrow, to_arrow, write_csv
from seisbench_llm.monitor.sites import Sites
from seisbench_llm.stations import Stations
from tests.helpers.catalogue import make_catalogue
from tests.helpers.monitor import NETWORK

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def table():
    return make_catalogue(0, days=3.0, noise=30, at=[40_000.0, 90_000.0])[1]


def write_run(folder, table, state="done"):
    """The folder of an archive run with these picks."""
    store, days = Store(folder), table["time"].dt.strftime("%Y-%m-%d")
    names = sorted(set(table["trace_id"]))
    first = date(2020, 1, 1)
    config = {"model": {"weights": "compact_picking", "version": "4"}}
    store.write_plan(config, [f"{n}.HH" for n in names], first, first + timedelta(days=3))
    for (day, name), part in table.groupby([days, "trace_id"]):
        store.write(StationDay(*name.split("."), "HH?", day), {"picks": part}, {"state": state})
    return folder


def write_groups(table, file, rows):
    arrow = to_arrow(table)
    import_pyarrow().parquet.write_table(arrow, file, row_group_size=rows)
    return file


def test_all_sources_have_the_same_days(table, tmp_path):
    shuffled = table.sample(frac=1, random_state=1)
    write_csv(shuffled, tmp_path / "picks.csv")
    sources = [
        open_picks(shuffled),
        open_picks(tmp_path / "picks.csv"),
        open_picks(write_groups(shuffled, tmp_path / "a.parquet", 100)),
        open_picks(write_groups(table, tmp_path / "b.parquet", 50)),
        open_picks(write_run(tmp_path / "run", shuffled)),
    ]
    assert [source.methods["picking"] for source in sources] == ["unknown"] * 4 + [
        "compact_picking/4"
    ]
    columns = ["trace_id", "phase", "time", "probability"]
    for source in sources:
        assert source.days() == ["2020-01-01", "2020-01-02", "2020-01-03"]
        whole = pd.concat([source.read(day) for day in source.days()], ignore_index=True)
        pd.testing.assert_frame_equal(whole[columns], table[columns], check_dtype=False)


def test_only_row_groups_of_a_day_are_read(table, tmp_path, monkeypatch):
    source = open_picks(write_groups(table, tmp_path / "picks.parquet", 50))
    read, original = [], import_pyarrow().parquet.ParquetFile.read_row_groups

    def watched(file, groups, *args, **kwargs):
        read.append(list(groups))
        return original(file, groups, *args, **kwargs)

    monkeypatch.setattr(import_pyarrow().parquet.ParquetFile, "read_row_groups", watched)
    rows = [len(source.read(day)) for day in source.days()]
    assert sum(rows) == len(table) > 600
    assert all(len(groups) * 50 < count + 100 for groups, count in zip(read, rows, strict=True))


def test_an_incomplete_run_is_told(table, tmp_path, warnings_of):
    run = write_run(tmp_path / "run", table)
    write_run(tmp_path / "run", table[table["time"] > table["time"].iloc[-1].floor("D")], "failed")
    assert open_picks(run).days() == ["2020-01-01", "2020-01-02"]
    assert f"{run} is incomplete: 0 station-days are pending, 8 failed." in warnings_of()


def test_what_cannot_be_read_is_named(table, tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder of 'archive run'"):
        open_picks(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        open_picks(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"bad\.parquet cannot be read as a file of picks"):
        open_picks(tmp_path / "bad.parquet")
    run = write_run(tmp_path / "run", table)
    (run / "picks" / "day=2020-01-01").rename(run / "other")
    (run / "picks" / "day=2020-01-02").rename(run / "picks" / "day=2020-01-01")
    with pytest.raises(ValueError, match="has a pick of 2020-01-02.* on 2020-01-01"):
        open_picks(run).read("2020-01-01")


def test_windows_are_those_of_all_picks(table, tmp_path):
    """Between any times, with a few days in memory."""
    stations = Stations.read(NETWORK)
    windows = Windows(open_picks(table), stations)
    whole = Sites(stations).prepare(table)
    rng, start = np.random.default_rng(0), day_start("2020-01-01")
    for first, last in rng.uniform(-0.5, 3.5, (30, 2)) * DAY:
        first, last = (start + int(t) for t in sorted((first, last)))
        expected = whole[(whole["us"] >= first) & (whole["us"] < last)]
        found = windows.between(first, last)
        assert list(found.index) == list(expected.index)
        assert list(found["us"]) == list(expected["us"])
    rows = [5, 700, 3, 300]
    picks = windows.rows_of(rows)
    assert list(picks.index) == sorted(rows)
    assert list(picks["time"]) == list(table["time"][sorted(rows)])
    assert windows.rows[-1] == len(table) and set(windows.places) == set(NETWORK["id"])


def test_digests_follow_the_picks(table):
    stations, start = Stations.read(NETWORK), day_start("2020-01-01")
    windows = Windows(open_picks(table), stations)
    changed = table.copy()
    changed.loc[changed.index[-1], "probability"] = 0.123
    other = Windows(open_picks(changed), stations)
    assert windows.digest(start, start + 2 * DAY) == other.digest(start, start + 2 * DAY)
    assert windows.digest(start, start + 2 * DAY + 1) != other.digest(start, start + 2 * DAY + 1)
