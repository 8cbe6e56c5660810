from types import SimpleNamespace

import pytest

from seisbench_llm.archive import StationDay, cluster
from seisbench_llm.archive import store as archive_store
from seisbench_llm.archive.cluster import Cluster, write_failure

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_a_second_cluster_says_nothing(recwarn):
    for _ in range(2):
        with Cluster(workers=1).connect(1) as first, Cluster(workers=1).connect(1) as second:
            assert first.nthreads() and second.nthreads()
    assert not [str(w.message) for w in recwarn if "Port" in str(w.message)]


def test_workers_that_die_again_and_again_are_a_failure(tmp_path):
    from distributed.scheduler import KilledWorker

    killed = KilledWorker("x", SimpleNamespace(address="tcp://x"), 3)
    store = archive_store.Store(tmp_path)
    station_day = StationDay("XX", "ONE", "", "BH?", "2020-01-01")
    assert write_failure(store, station_day, killed) == "failed"
    assert store.states() == {("2020-01-01", "XX.ONE..BH"): ("failed", 0)}
    assert "more memory" in store.manifest("2020-01-01", "XX.ONE..BH", "failed")["message"]
    with pytest.raises(ZeroDivisionError):
        write_failure(store, station_day, ZeroDivisionError())


def test_a_cluster_without_workers_is_given_up(tmp_path, monkeypatch):
    """Dask does not start a worker again that died while it started."""
    from distributed import Client, LocalCluster

    monkeypatch.setattr(cluster, "WORKERLESS_S", 0.5)
    store, pending = (
        archive_store.Store(tmp_path),
        [StationDay("XX", "ONE", "", "BH?", "2020-01-01")],
    )
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as none,
        Client(none) as client,
        pytest.raises(OSError, match="No worker process is left, and none could be started"),
    ):
        cluster.process_all(client, store, "{}", pending, print)
    assert store.states() == {}
