"""Tiny models whose output varies."""

import copy

import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.preprocess import normalize

TINY_SHAPE = {
    "width": 32,
    "layers": 1,
    "heads": 2,
    "mlp_width": 64,
    "positions": 128,
    "causal": True,
    "norm_first": True,
    "tanh_gelu": True,
    "norm_eps": 1e-5,
}


TINY = {
    "backbone": "tiny",
    "pretrained": False,
    "backbone_layers": 1,
    "backbone_config": TINY_SHAPE,
    "in_samples": 3000,
    "pred_sample": 500,
    "embedder_channels": (4, 4, 4),
    "embedder_branches": 2,
    "head_channels": (8, 8, 8, 4),
    "pooled_kernel": 4,
}


def tiny_model(task="picking", **kwargs):
    """A model of the published structure that runs in milliseconds and whose output varies."""
    arguments = {**TINY, **kwargs}
    key = task, repr(sorted(arguments.items()))
    if key not in _MADE:
        _MADE[key] = _calibrated(task, arguments), torch.get_rng_state()
    model, state = _MADE[key]
    # What a test draws does not depend on whether another one made the model before.
    torch.set_rng_state(state)
    return copy.deepcopy(model)


# Task and arguments -> the model, and PyTorch's generator after it was made, which takes a second.
_MADE = {}


def _calibrated(task, arguments):
    torch.manual_seed(0)
    model = SeisMoLLM(task=task, **arguments)
    # A fresh network answers nearly the same to everything, which would let any test of its
    # answers pass: calibrate BatchNorm, and scale the last layer to answers all over the range.
    x = varied_windows(model.in_samples)
    with torch.no_grad():
        for _ in range(30):
            model(x)
        logits = model.eval()(x, logits=True).transpose(0, 1).flatten(1)
        head = model.network.head
        last = head.out if task == "picking" else head.linear
        scale = 1.5 / logits.std(dim=1)
        last.bias.sub_(logits.mean(dim=1)).mul_(scale)
        last.weight.mul_(scale.reshape(-1, *[1] * (last.weight.ndim - 1)))
    return model


def varied_windows(samples):
    """Normalised noise of many colours, each component on its own, with a pulse somewhere."""
    generator = torch.Generator().manual_seed(0)
    frequency = torch.linspace(0.02, 1, samples // 2 + 1)
    x = torch.fft.rfft(torch.randn(16, 3, samples, generator=generator))
    x = torch.fft.irfft(
        x * frequency ** (2 * torch.rand(16, 3, 1, generator=generator) - 2), samples
    )
    x = normalize(x)
    for i in range(16):
        onset = samples * i // 17
        x[i, :, onset : onset + 100] += 10 * torch.randn(3, 1, generator=generator)
    return normalize(x)


def soft_model(**kwargs):
    """A picker without probabilities of exactly one: which of two equal peaks is kept is open."""
    model = tiny_model(**kwargs)
    with torch.no_grad():
        model.network.head.out.weight.mul_(0.4)
        model.network.head.out.bias.mul_(0.4)
    return model


def save_family(folder, tasks):
    for task in tasks:
        tiny_model(task).save(folder / f"tiny_{task}")
    return str(folder / "tiny")
