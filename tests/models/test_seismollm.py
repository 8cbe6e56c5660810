import inspect
import json

import pytest
import torch

from seisbench_llm.models.presets import PRESETS
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.network.config import NetworkConfig
from seisbench_llm.network.embedder import compress, embedder_input, with_polarisation
from seisbench_llm.tasks import TASKS
from tests.helpers.models import tiny_model, varied_windows


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("samples", [3000, 3001, 2047])
def test_output_shapes_and_ranges(task, samples):
    out = tiny_model(task)(torch.randn(2, 3, samples))
    spec = TASKS[task]
    shape = (
        (2, len(spec.outputs), samples) if spec.output_type == "array" else (2, len(spec.outputs))
    )
    assert out.shape == shape
    low = -1 if task == "back_azimuth" else spec.value_range[0]
    high = 1 if task == "back_azimuth" else spec.value_range[1]
    assert out.min() >= low and out.max() <= high
    if task == "polarity":
        torch.testing.assert_close(out.sum(dim=1), torch.ones(2))


@pytest.mark.parametrize("task", TASKS)
def test_arguments_rebuild_the_model(task):
    model = tiny_model(task, filter_args=["highpass"], filter_kwargs={"freq": 1.0})
    arguments = json.loads(json.dumps(model.get_model_args()))
    known = {*inspect.signature(SeisMoLLM).parameters, *NetworkConfig.__dataclass_fields__}
    assert set(arguments) <= known | {"filter_args", "filter_kwargs"}
    again = SeisMoLLM(**arguments).eval()
    again.load_state_dict(model.state_dict())
    assert again.get_model_args() == model.get_model_args()
    x = torch.randn(1, 3, 3000)
    torch.testing.assert_close(again(x), model(x))


def test_presets():
    paper = SeisMoLLM.from_preset("paper", pretrained=False)
    assert paper.network.backbone.config.layers == 3
    compact = SeisMoLLM.from_preset("compact", task="distance", pretrained=False)
    assert sum(p.numel() for p in compact.parameters()) < 5e6
    convolutional = SeisMoLLM.from_preset("convolutional", task="distance")
    assert not list(convolutional.network.backbone.parameters())
    assert set(PRESETS) == {"paper", "compact", "convolutional"}
    with pytest.raises(ValueError, match="preset 'huge'. Known presets: paper, compact, conv"):
        SeisMoLLM.from_preset("huge")


def test_models_do_not_share_state():
    # A mutable default made the second model of a process fail in the research code.
    first = tiny_model()
    first.default_args["P_threshold"] = 0.9
    first.get_model_args()["embedder_channels"].append(1)
    second = tiny_model()
    assert second.default_args == {}
    assert second.get_model_args()["embedder_channels"] == [4, 4, 4]


def test_no_backbone():
    model = SeisMoLLM(backbone=None, width=32, in_samples=3000, head_channels=(8, 8, 8, 4))
    assert model(torch.randn(1, 3, 3000)).shape == (1, 3, 3000)
    assert model.get_model_args()["backbone_config"] is None


def test_head_skips():
    model = tiny_model(head_skips=True)
    assert model.get_model_args()["head_skips"] is True
    assert model(torch.randn(2, 3, 3001)).shape == (2, 3, 3001)
    # The last stage sees the waveform: a change of one sample stays a change near that sample.
    x = varied_windows(3000)[:1]
    changed = x.clone()
    changed[0, 0, 1500] += 3
    with torch.no_grad():
        difference = (model(changed) - model(x)).abs().amax(dim=(0, 1))
    assert 1490 <= difference.argmax() <= 1510
    with pytest.raises(ValueError, match="as many head stages as embedder blocks"):
        tiny_model(head_skips=True, head_channels=(4, 4), head_kernels=(3, 3))
    assert not tiny_model("magnitude", head_skips=True).network.skips


def test_compressed_input_shows_what_is_small():
    model = tiny_model(compressed=True, polarisation=True)
    x = torch.randn(2, 3, 500)
    seen = embedder_input(x, model.network.config)
    assert seen.shape == (2, 8, 500)
    assert torch.equal(seen[:, :5], with_polarisation(x))
    # Odd, linear where waves are a thousand times smaller than S, and growing throughout.
    assert torch.equal(compress(-x), -compress(x))
    small = torch.tensor([1e-4, 2e-4])
    assert (compress(small) / small).tolist() == pytest.approx([20, 20], rel=0.02)
    assert compress(torch.linspace(-10, 10, 1000)).diff().min() > 0
    assert model.get_model_args()["compressed"] is True
    assert SeisMoLLM(**model.get_model_args()).network.config == model.network.config


def test_hidden_layer_of_the_pooled_head_tells_when():
    x = torch.zeros(2, 3, 2048)
    # Large, as the network is new; apart by a whole number of strides of embedder and head.
    x[0, :, 700], x[1, :, 700 + 2 * 8 * 16] = 1e5, 1e5
    for hidden in (None, 16):
        torch.manual_seed(0)
        arguments = {"backbone": None, "width": 64, "in_samples": 2048, "pooled_hidden": hidden}
        model = SeisMoLLM(task="distance", pooled_kernel=4, pred_sample=100, **arguments).eval()
        with torch.no_grad():
            one, other = model(x, logits=True)[:, 0].tolist()
        assert (one == pytest.approx(other, rel=1e-4)) == (hidden is None)


def test_logits_are_before_the_nonlinearity():
    x = torch.randn(1, 3, 3000)
    picking, magnitude = tiny_model(), tiny_model("magnitude")
    torch.testing.assert_close(torch.sigmoid(picking(x, logits=True)), picking(x))
    torch.testing.assert_close(8 * torch.sigmoid(magnitude(x, logits=True)), magnitude(x))


def test_meta_device():
    # Nothing in forward may assume a device.
    model = tiny_model().to("meta")
    assert model(torch.empty(2, 3, 3000, device="meta")).shape == (2, 3, 3000)


def test_to_preferred_device_and_str():
    model = tiny_model()
    model.to_preferred_device()
    assert "SeisMoLLM" in str(model)
    assert "arXiv:2502.19960" in model.citation
