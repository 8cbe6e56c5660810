"""DiTing's files that several tests read."""

import pytest

from seisbench_llm.data.diting import DiTing
from tests.helpers.diting import published_rows, write_part


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """1,000 sound rows in two parts."""
    folder = tmp_path_factory.mktemp("diting")
    for part, first in ((0, 1), (1, 900)):
        write_part(folder, published_rows(part, 500, first), part)
    return folder


@pytest.fixture(scope="session")
def dataset(published):
    return DiTing(published, parts=[0, 1], progress=False)
