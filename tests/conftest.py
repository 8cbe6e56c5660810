"""Shared fixtures; functions to make models and streams are in tests/helpers."""

import ipaddress
import os
import sys

import pytest
import seisbench
import torch

from tests.helpers.paths import SHARED

# No test may reach for the network, whatever the machine offers.
os.environ["HF_HUB_OFFLINE"] = "1"


def _refuse_network(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = host == "localhost"
        if not local:
            raise OSError(f"tests use no network, not even {arguments[1]}")


sys.addaudithook(_refuse_network)

# Tiny models gain nothing from threads, and lose much when several processes fight for cores.
torch.set_num_threads(1)


@pytest.fixture
def shared():
    """Folder of parity data, peers' weights and real records."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared evaluation data beside the repository")
    return SHARED


@pytest.fixture(autouse=True)
def isolated_cache(tmp_path, monkeypatch):
    """An empty SeisBench cache, and a repository that cannot be reached."""
    monkeypatch.setattr(seisbench, "cache_root", tmp_path / "cache")
    monkeypatch.setattr(seisbench, "cache_model_root", tmp_path / "cache" / "models" / "v3")
    monkeypatch.setattr(seisbench, "remote_model_root", "http://127.0.0.1:9/models/")


@pytest.fixture(autouse=True)
def same_loudness():
    """A script called in a test makes SeisBench quiet for as long as its process lives."""
    level = seisbench.logger.level
    yield
    seisbench.logger.setLevel(level)


@pytest.fixture
def warnings_of(caplog):
    """What SeisBench's logger, which does not propagate, has warned of."""
    seisbench.logger.addHandler(caplog.handler)
    yield lambda: caplog.text
    seisbench.logger.removeHandler(caplog.handler)


@pytest.fixture(scope="module")
def scheduler():
    """Address of a scheduler with two threads in this process."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address
