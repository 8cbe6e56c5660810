"""Checkpoints in the names and layout of the published research code, of any size."""

import re

import numpy as np
import pytest
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.tasks import TASKS

# Ours -> published, applied in order.
_NAMES = (
    (r"^backbone\.positions\.", "backbone.wpe."),
    (r"^backbone\.norm\.", "backbone.ln_f."),
    (r"^backbone\.blocks\.", "backbone.h."),
    (r"(backbone\.h\.\d+)\.norm([12])\.", r"\1.ln_\2."),
    (r"\.attn\.qkv\.", ".attn.c_attn."),
    (r"\.attn\.out\.", ".attn.c_proj."),
    (r"\.mlp\.up\.", ".mlp.c_fc."),
    (r"\.mlp\.down\.", ".mlp.c_proj."),
    (r"^backbone\.", "llm_blocks.llm.base_model.model."),
    (r"^embedder\.(\d+)\.branches\.(\d+)\.project\.", r"convs.\1.convs.\2.in_proj."),
    (r"^embedder\.(\d+)\.branches\.(\d+)\.", r"convs.\1.convs.\2."),
    (r"^embedder\.(\d+)\.project\.", r"convs.\1.out_proj."),
    (r"^embedder\.(\d+)\.norm\.", r"convs.\1.norm."),
    (r"^head\.stages\.", "out_head.up_layers."),
    (r"^head\.out\.", "out_head.out_conv."),
    (r"^head\.linear\.", "out_head.lin."),
    (r"^head\.", "out_head."),
)


def published_model(task, width=48, layers=1, positions=128, seed=0, **kwargs):
    """
    A model of the published structure with adapters that do something.

    :param task: Our name or the published one.
    """
    pytest.importorskip("peft")
    task = next((spec.name for spec in TASKS.values() if spec.published == task), task)
    torch.manual_seed(seed)
    shape = {"width": width, "layers": layers, "heads": 12, "mlp_width": 4 * width}
    shape |= {"positions": positions, "causal": True, "norm_first": True, "tanh_gelu": True}
    model = SeisMoLLM(
        task,
        pretrained=False,
        backbone_layers=layers,
        backbone_config={**shape, "norm_eps": 1e-5},
        **kwargs,
    )
    model.add_lora()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def published_state(model):
    """The state dict of a model in published names and layout, with the emptied table of words."""
    state = {}
    for name, value in model.network.state_dict().items():
        linear = re.search(r"backbone\.blocks\.\d+\.(attn|mlp)\.\w+\.base_layer\.weight$", name)
        for ours, theirs in _NAMES:
            name = re.sub(ours, theirs, name)
        state[name] = value.T.contiguous() if linear else value
    width = model.network.config.width
    return {"llm_blocks.llm.base_model.model.wte.weight": torch.zeros(0, width), **state}


def training_checkpoint(model, prefix="module."):
    """All that the research code saves beside the weights while it trains on several cards."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, 1e-3)
    sum(p.sum() for p in trained).backward()
    optimizer.step()
    optimizer.zero_grad()
    scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-4, 1e-3, cycle_momentum=False)
    return {
        "epoch": 3,
        "model_dict": {prefix + name: value for name, value in published_state(model).items()},
        "optimizer_dict": optimizer.state_dict(),
        "scheduler_dict": scheduler.state_dict(),
        "loss": np.float64(0.25),
        "use_compile": False,
        "use_ddp": True,
    }
