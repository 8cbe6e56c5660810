"""What tests of several benchmarks start from."""

import pytest

from seisbench_llm.data.synthetic.records import Synthetic


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder as making/data.py writes it, of synthetic records alone."""
    folder = tmp_path_factory.mktemp("data")
    Synthetic(60, 0).write(folder / "synthetic")
    return folder
