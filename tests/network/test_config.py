import json
from dataclasses import FrozenInstanceError, replace

import pytest

from seisbench_llm.network import BackboneConfig, Network, NetworkConfig
from tests.helpers.models import TINY_SHAPE


def test_the_defaults_are_those_published():
    config = NetworkConfig()
    assert (config.width, config.tokens, config.latent_channels) == (768, 93, 96)
    assert (config.in_channels, replace(config, polarisation=True).in_channels) == (3, 5)


def test_tokens_are_those_of_the_network():
    # Strides round up one by one, patches down.
    config = NetworkConfig(width=8, in_samples=1013, embedder_strides=(2, 3, 1, 2), patch=4)
    network, seen = Network(config), []
    network.backbone.register_forward_hook(lambda module, x, out: seen.append(out.shape[1]))
    network(network.embedder[0].branches[0].project.weight.new_zeros(1, 3, 1013))
    assert seen == [config.tokens] == [21]


def test_flat_and_json_safe():
    config = NetworkConfig(backbone_config=TINY_SHAPE, embedder_channels=[4, 4, 4])
    assert isinstance(config.backbone_config, BackboneConfig) and config.width == 32
    flat = config.to_dict()
    rest = {"kv_heads": None, "rotary_theta": None, "rms_norm": False, "gated": False, "bias": True}
    assert flat["backbone_config"] == {**TINY_SHAPE, "dropout": 0.1, **rest}
    again = NetworkConfig(**json.loads(json.dumps(flat)))
    assert again == config and hash(again) == hash(config)
    # What is handed out is not what is kept.
    flat["embedder_channels"].append(1)
    assert config.to_dict()["embedder_channels"] == [4, 4, 4]


def test_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        NetworkConfig().width = 3


@pytest.mark.parametrize(
    "change, message",
    [
        ({"task": "volcano"}, "Unknown task 'volcano'"),
        ({"width": 0}, "width=0 is not possible: it must be 1 to"),
        ({"width": 64.0}, "width=64.0 is not possible"),
        ({"in_samples": True}, "in_samples=True is not possible"),
        ({"patch": 5}, "The width 768 is not a multiple of the patch length 5"),
        ({"pooled_hidden": -1}, "pooled_hidden=-1 is not possible"),
        ({"embedder_branches": 1000}, "embedder_branches=1000 is not possible"),
        ({"embedder_kernels": (3, 3)}, "embedder_kernels needs 4 entries, one more than"),
        ({"embedder_strides": (2, 2, 0, 1)}, "embedder_strides=0 is not possible"),
        ({"head_channels": (8, 8)}, "head_channels and head_kernels need one entry per stage"),
        ({"head_channels": (), "head_kernels": ()}, "need one entry per stage"),
        (
            {"head_channels": (8, 8), "head_kernels": (3, 3), "head_skips": True},
            "head_skips needs as many head stages as embedder blocks",
        ),
        ({"in_samples": 50}, "50 samples makes 0 tokens; the model takes at least 1"),
        ({"task": "distance", "in_samples": 500}, "makes 7 tokens; the model takes at least 10"),
        ({"backbone_config": TINY_SHAPE, "width": 64}, "The backbone is 32 wide, width is 64"),
        ({"backbone_config": TINY_SHAPE, "in_samples": 9000}, "the model takes 1 to 128"),
        ({"backbone_config": {"width": 32}}, "backbone_config: .* missing"),
        ({"backbone_config": {**TINY_SHAPE, "layers": 0}}, "at least one layer"),
        ({"backbone_config": {**TINY_SHAPE, "layers": 10**6}}, "layers=1000000 is not possible"),
    ],
)
def test_impossible_sizes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**change)


def test_what_a_head_does_not_have_is_not_checked():
    NetworkConfig(task="distance", head_channels=(8, 8), head_skips=True)
