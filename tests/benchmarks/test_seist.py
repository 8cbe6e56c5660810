"""SeisT answers as the published code does."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.peers.seist import SeisT
from tests.helpers.paths import SHARED
from tests.helpers.streams import make_stream

# What the published code answers, with the published weights, to the windows of ``probe``.
PUBLISHED = json.loads((Path(__file__).parent / "data" / "seist.json").read_text())


def probe() -> torch.Tensor:
    """Three wave packets, shape (1, 3, 8192)."""
    time = torch.arange(8192) / 50
    packets = [
        torch.sin(2 * torch.pi * frequency * time) * torch.exp(-(((time - 60) / width) ** 2))
        for frequency, width in ((3, 20), (2, 30), (1.5, 40))
    ]
    return torch.stack(packets)[None]


@pytest.mark.parametrize("name", PUBLISHED)
def test_answers_are_the_published_ones(name):
    path = SHARED / "weights" / "seist" / name
    if not path.exists():
        pytest.skip("the published weights of SeisT are not here")
    answer = SeisT.from_safetensors(path).predict(probe())[0].numpy()
    expected = np.array(PUBLISHED[name])
    if expected.ndim == 2:
        answer = answer[:, ::512]
    np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=2e-5)


def test_it_is_a_seisbench_model():
    torch.manual_seed(0)
    model = SeisT("dpk", "s").eval()
    annotations = model.annotate(make_stream(20000))
    assert {trace.stats.channel for trace in annotations} == {
        "SeisT_Detection",
        "SeisT_P",
        "SeisT_S",
    }
    assert len({np.round(trace.data.std(), 9) for trace in annotations}) == 3


def test_a_name_that_tells_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="weights.safetensors: the name"):
        SeisT.from_safetensors(tmp_path / "weights.safetensors")
