import itertools

import pytest
import torch

from seisbench_llm.network import Network, NetworkConfig
from seisbench_llm.network.embedder import with_polarisation
from seisbench_llm.network.heads import stage_sizes
from seisbench_llm.network.patches import from_tokens, to_tokens
from seisbench_llm.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_takes_one_configuration(task):
    config = NetworkConfig(task=task, width=64, in_samples=3000, component_order="ZN")
    network = Network(config)
    assert network.config is config
    samples = (3000,) if TASKS[task].head == "curves" else ()
    x = torch.randn(2, 2, 3000)
    assert network(x).shape == (2, len(TASKS[task].outputs), *samples)


def test_polarisation_points_along_the_horizontal_of_p():
    pulse = torch.randn(500)
    azimuth = torch.deg2rad(torch.tensor(70.0))
    # Away from a source in the back-azimuth: up, and so horizontally away from it.
    for sign in (1, -1):
        z, n, e = sign * pulse, -sign * azimuth.cos() * pulse, -sign * azimuth.sin() * pulse
        x = torch.stack([z, n, e])[None]
        joined = with_polarisation(x)
        assert joined.shape == (1, 5, 500)
        assert torch.equal(joined[:, :3], x)
        north, east = -joined[0, 3:].mean(dim=-1)
        assert torch.atan2(east, north).item() == pytest.approx(azimuth.item(), abs=1e-4)
    assert with_polarisation(torch.zeros(1, 3, 10)).isfinite().all()


def test_tokens_are_channel_major_and_invertible():
    x = torch.arange(2 * 3 * 19.0).reshape(2, 3, 19)
    tokens = to_tokens(x, 8)
    assert tokens.shape == (2, 2, 24)
    torch.testing.assert_close(tokens[0, 1, 8:16], x[0, 1, 8:16])
    torch.testing.assert_close(from_tokens(tokens, 8), x[..., :16])


def test_stage_sizes_are_geometric():
    assert stage_sizes(744, 6000, 4)[-1] == 6000
    sizes = [744, *stage_sizes(744, 6000, 4)]
    ratios = [b / a for a, b in itertools.pairwise(sizes)]
    assert max(ratios) - min(ratios) < 0.01
