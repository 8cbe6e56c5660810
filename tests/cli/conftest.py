"""Waveforms and a tiny weight, as arguments of a command."""

import pytest

from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


@pytest.fixture
def files(tmp_path):
    stream = make_stream(9000) + make_stream(9000, components="Z", station="TWO")
    stream.write(tmp_path / "waves.mseed", format="MSEED")
    tiny_model().save(tmp_path / "tiny", version_str=None)
    return [str(tmp_path / "waves.mseed"), "--weights", str(tmp_path / "tiny")]
