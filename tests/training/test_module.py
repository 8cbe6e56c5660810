import pytest
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from tests.helpers.models import TINY

pytest.importorskip("lightning")

from seisbench_llm.training.losses import LOSSES
from seisbench_llm.training.module import TrainingModule, build_model


@pytest.mark.parametrize("language_model", ["lora", "full", "frozen"])
def test_language_model_is_trained_as_asked(language_model):
    module = TrainingModule(
        model_args={**TINY}, language_model=language_model, lora_rank=3, lora_targets=["attn.qkv"]
    )
    trained = {
        name
        for name, parameter in module.model.network.backbone.named_parameters()
        if parameter.requires_grad
    }
    weights = {name for name in trained if "norm" not in name and "positions" not in name}
    if language_model == "frozen":
        assert not trained
    elif language_model == "lora":
        assert weights == {name for name in weights if "lora_" in name and "attn.qkv" in name}
        assert module.model.network.backbone.get_parameter(sorted(weights)[0]).shape[0] == 3
    else:
        assert any("mlp.up" in name for name in weights)


def test_loss_of_choice():
    arguments = {"backbone": None, "width": 48, "patch": 8, "backbone_config": None}
    model = TrainingModule("distance", "compact", model_args=arguments, loss="log_huber")
    far, near = torch.tensor([[100.0]]), torch.tensor([[10.0]])
    batch = {"X": torch.zeros(1, 3, model.model.in_samples)}
    losses = []
    for truth in (far, near):
        model.prediction = lambda x, truth=truth: 1.2 * truth
        losses.append(model.loss({**batch, "y": truth})[0].item())
    # A fifth too far: the same ratio, but for what is small.
    assert 0 < losses[1] < losses[0] < 2 * losses[1]
    assert LOSSES["log_huber"](near, near).item() == 0
    with pytest.raises(ValueError, match="loss is"):
        TrainingModule("distance", "compact", model_args=arguments, loss="hubris")


def test_another_task_takes_over_what_fits():
    start = SeisMoLLM.from_pretrained("compact_picking")
    model = build_model("distance", "convolutional", "compact_picking", {})
    assert model.task.name == "distance"
    own, given = model.network.embedder, start.network.embedder
    for a, b in zip(own.parameters(), given.parameters(), strict=True):
        assert torch.equal(a, b)
    unlike = {"embedder_channels": [5] * 5}
    with pytest.raises(ValueError, match=r"Only \d+% of the weights"):
        build_model("distance", "convolutional", "compact_picking", unlike)
