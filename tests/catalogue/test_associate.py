"""A catalogue block by block: the same wherever the cuts are, whenever it was stopped."""

import os
import signal

import pandas as pd
import pytest
import seisbench
from obspy.io.quakeml.core import _validate as validate_quakeml

from seisbench_llm.archive import ConfigurationError
from seisbench_llm.catalogue import associate
from seisbench_llm.export import picks_to_dataframe, read_events, read_picks
from seisbench_llm.export.files import write_parquet
from seisbench_llm.export.tables import ARRIVAL_TYPES, EVENT_TYPES
from seisbench_llm.monitor import associate as associate_at_once
from seisbench_llm.monitor.quality import without_poor
from seisbench_llm.stations import Stations
from tests.helpers import processes
from tests.helpers.catalogue import DAY, make_catalogue, match
from tests.helpers.monitor import NETWORK, START, make_pick

pytest.importorskip("pyocto")
pytest.importorskip("pyarrow")

FILES = ["arrivals.csv", "arrivals.parquet", "catalog.xml", "events.csv", "events.parquet"]
FILES += ["picks.csv", "picks.parquet"]
ALL = ("csv", "parquet", "quakeml")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Sources, a file of their picks over midnights, and the catalogue of days."""
    root = tmp_path_factory.mktemp("made")
    at = [DAY - 3, DAY + 400, 2 * DAY - 30, 2 * DAY + 5000, 1.5 * DAY, 0.99 * DAY, 1.01 * DAY]
    sources, table = make_catalogue(0, 2.2, noise=3, at=at)
    write_parquet(table, root / "picks.parquet")
    NETWORK.to_csv(root / "stations.csv", index=False)
    result = associate(root / "picks.parquet", root / "days", root / "stations.csv", formats=ALL)
    return sources, table, root, result


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_events_are_found_and_written(made):
    sources, table, root, result = made
    assert sorted(result.files) == FILES and result.blocks == result.new == 5
    events = read_events(root / "days" / "events.parquet")
    assert match(events, sources, within=4.0) == (len(sources), 0)
    assert result.events == len(events) == len(sources)
    assert {name: str(kind) for name, kind in events.dtypes.items()} == EVENT_TYPES
    picks = read_picks(root / "days" / "picks.parquet")
    assert result.picks == len(picks) == len(table)
    assert list(picks["time"]) == sorted(table["time"])
    arrivals = pd.read_parquet(root / "days" / "arrivals.parquet")
    assert list(arrivals) == list(ARRIVAL_TYPES)
    assert result.associated == len(arrivals) == picks["event_id"].notna().sum()
    assert list(picks["event_id"][arrivals["pick"]]) == list(arrivals["event_id"])
    assert list(arrivals["event_id"].unique()) == list(events["event_id"])
    for name in ("events", "picks"):
        read = read_events if name == "events" else read_picks
        csv = read(root / "days" / f"{name}.csv")
        pd.testing.assert_frame_equal(
            csv, read(root / "days" / f"{name}.parquet"), check_dtype=False
        )


def test_quakeml_is_that_of_the_tables(made):
    root = made[2]
    assert validate_quakeml(str(root / "days" / "catalog.xml"))
    read, own = (read_events(root / "days" / name) for name in ("catalog.xml", "events.csv"))
    assert list(read["event_id"]) == list(own["event_id"])
    assert list(read["picks"]) == list(own["picks"])
    picks = read_picks(root / "days" / "catalog.xml")
    assert len(picks) == own["picks"].sum()
    assert set(picks["event_id"]) == set(own["event_id"])


def test_the_monitor_finds_the_same(made):
    _, table, root, _ = made
    events, arrivals = associate_at_once(table, Stations.read(NETWORK))
    events, arrivals, _ = without_poor(events, arrivals)
    ours = read_events(root / "days" / "events.parquet")
    assert list(ours["event_id"]) == list(events["event_id"])
    pd.testing.assert_series_equal(ours["latitude"], events["latitude"])


@pytest.mark.parametrize("block", [6 * 3600.0, 17 * 3600.0 + 11.5, 10.0 * DAY])
def test_a_catalogue_is_the_same_for_any_blocks(made, tmp_path, block):
    root = made[2]
    associate(root / "picks.parquet", tmp_path, root / "stations.csv", formats=ALL, block=block)
    ours, expected = contents(tmp_path), contents(root / "days")
    for name in FILES:
        if name.endswith(".parquet"):
            # Row groups are those of the blocks.
            pd.testing.assert_frame_equal(
                pd.read_parquet(tmp_path / name), pd.read_parquet(root / "days" / name)
            )
        else:
            assert ours[name] == expected[name], name


def associate_or_die(names, left):
    """Associate until so many files were renamed, and die before the next."""
    replace = os.replace

    def replace_or_die(*files):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*files)

    os.replace = replace_or_die
    associate(*names, formats=ALL)


def test_killed_at_any_time_it_goes_on(made, tmp_path):
    """Killed before it renames a file of any stage: of blocks, then of the catalogue."""
    root = made[2]
    names = [root / "picks.parquet", tmp_path, root / "stations.csv"]
    for number, blocks in ((3, 0), (6, 1), (16, 5)):
        said = tmp_path.with_suffix(".txt")
        process = processes.start(associate_or_die, names, number, out=said)
        process.join()
        assert process.exitcode == -signal.SIGKILL, said.read_text()
        assert len(list(tmp_path.glob("blocks/*.json"))) == blocks
        assert list(tmp_path.glob("**/.part-*"))
    associate(*names, formats=ALL)
    assert contents(tmp_path) == contents(root / "days")
    assert not list(tmp_path.glob("**/.part-*"))


def test_only_what_is_new_is_done(made, tmp_path):
    _, table, root, result = made
    out = tmp_path / "out"
    early = table[table["time"] < table["time"].min() + pd.Timedelta(days=1.5)]
    file = tmp_path / "picks.parquet"
    write_parquet(early, file)
    assert associate(file, out, NETWORK, formats=ALL).new == 4
    assert associate(file, out, NETWORK, formats=ALL).new == 0
    write_parquet(table, file)
    again = associate(file, out, NETWORK, formats=ALL)
    assert 0 < again.new < result.blocks
    assert contents(out) == contents(root / "days")


def test_another_configuration_is_an_error(made, tmp_path):
    root = made[2]
    picks, stations = root / "picks.parquet", root / "stations.csv"
    few = tmp_path / "few.parquet"
    write_parquet(made[1][:300], few)
    associate(few, tmp_path / "out", stations)
    with pytest.raises(ConfigurationError, match="keep_poor was False and is True"):
        associate(few, tmp_path / "out", stations, keep_poor=True)
    (tmp_path / "layers.csv").write_text("depth_km,vp\n0,5\n10,6\n")
    with pytest.raises(ConfigurationError, match="layers.vp was .* and is .5.0, 6.0."):
        associate(few, tmp_path / "out", stations, velocity_model=tmp_path / "layers.csv")
    with pytest.raises(ConfigurationError, match="picks was"):
        associate(picks, tmp_path / "out", stations)
    anew = associate(few, tmp_path / "out", stations, keep_poor=True, overwrite=True)
    assert anew.new == anew.blocks and anew.left_out == 0


def test_what_is_skipped_is_told_once_per_cause(made, tmp_path, monkeypatch):
    others = [make_pick(f"YY.S{i}.", "P", START + 3600 * i) for i in range(50)]
    odd = picks_to_dataframe([*others, make_pick("XX.S0.00", "PmP", START + 60)])
    both, said = pd.concat([made[1], odd], ignore_index=True), []
    monkeypatch.setattr(seisbench.logger, "warning", said.append)
    result = associate(both, tmp_path, NETWORK, formats=["csv"])
    assert result.skipped == {"neither P nor S": 1, "not in the stations file": 50}
    assert said[0] == "1 picks are skipped, neither P nor S: XX.S0."
    assert said[1].startswith("50 picks are skipped, not in the stations file: YY.S0, YY.S1, ")
    assert said[1].endswith(" and 40 more.") and len(said) == 2
    assert len(read_picks(tmp_path / "picks.csv")) == len(both)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"formats": ["xml"]}, "Unknown format 'xml'"),
        ({"block": 0}, "block=0 is not possible"),
        ({"stations": NETWORK[:2]}, "2 stations with coordinates. Association needs 3"),
    ],
)
def test_impossible_arguments(made, tmp_path, arguments, message):
    arguments = {"stations": NETWORK, **arguments}
    with pytest.raises(ValueError, match=message):
        associate(made[1][:100], tmp_path, **arguments)


def test_no_events_are_empty_tables(tmp_path):
    picks = [make_pick(f"XX.S{i}.00", "P", START + 1000 * i) for i in range(8)]
    result = associate(picks_to_dataframe(picks), tmp_path, NETWORK, formats=ALL)
    assert result.events == 0 and result.picks == 8
    assert list(read_events(tmp_path / "events.csv")) == list(EVENT_TYPES)
    assert len(read_events(tmp_path / "catalog.xml")) == 0
    assert len(pd.read_parquet(tmp_path / "arrivals.parquet")) == 0
    assert "event_id" in pd.read_parquet(tmp_path / "picks.parquet")


def test_two_runs_do_not_share_a_folder(made, tmp_path):
    from seisbench_llm.archive.store import Store

    with Store(tmp_path).lock(), pytest.raises(OSError, match="Another run is writing"):
        associate(made[1][:100], tmp_path, NETWORK)
    assert os.listdir(tmp_path) == [".lock"]
