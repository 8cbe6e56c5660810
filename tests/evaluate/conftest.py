"""Records to evaluate on."""

import pytest

from seisbench_llm.data.synthetic.records import Synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "records"
    Synthetic(40, seed=3).write(path)
    return path
