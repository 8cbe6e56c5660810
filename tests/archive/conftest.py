"""Small archives of spikes, and a run over one that nothing disturbed."""

import shutil

import pytest

from tests.helpers.archive_stub import (
    run_stub,
    spiky_stream,
    write_sds,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("sds")
    write_sds(spiky_stream(), root)
    return root


@pytest.fixture
def sds(original, tmp_path):
    """An archive of two stations and three days of its own for each test."""
    return shutil.copytree(original, tmp_path / "sds")


@pytest.fixture(scope="module")
def undisturbed(original, scheduler, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    run_stub(original, out, scheduler=scheduler)
    return out
