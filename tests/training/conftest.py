"""Records and the configuration of a small run."""

import pytest

from tests.helpers.training import run_config, synthetic_records


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return synthetic_records(tmp_path_factory.mktemp("records"))


@pytest.fixture
def config(records, tmp_path):
    return run_config(tmp_path / "config.yaml", records)
