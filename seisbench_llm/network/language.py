"""Pre-trained language models of the Hugging Face family, read into a plain backbone."""

from dataclasses import replace
from pathlib import Path

import torch

from ..extras import install_command
from ..weight_files import read_tensors
from . import checkpoints
from .config import BackboneConfig

# Shapes that are needed without a download, for example for a control with random weights.
KNOWN_SHAPES = {
    "gpt2": checkpoints.GPT2,
    "sentence-transformers/all-MiniLM-L6-v2": BackboneConfig(
        width=384,
        layers=6,
        heads=12,
        mlp_width=1536,
        positions=512,
        causal=False,
        norm_first=False,
        tanh_gelu=False,
        norm_eps=1e-12,
    ),
}


_ACTIVATIONS = {"gelu": False, "gelu_new": True, "gelu_pytorch_tanh": True}


def backbone(
    name: str | None, pretrained: bool, layers: int, config: dict | None
) -> tuple[BackboneConfig | None, dict[str, torch.Tensor] | None]:
    """
    Shape of a backbone and, if it is pre-trained, its state dict.

    :param name: Hugging Face id, local folder, or None for no backbone.
    :param layers: Number of blocks to keep.
    :param config: Shape as a dictionary. By default it is the shape of the language model.
    :raises ValueError: If ``config`` is given for a pre-trained backbone, or does not fit.
    """
    if name is None:
        return None, None
    if pretrained and config is not None:
        raise ValueError(
            "backbone_config is a shape without weights; use it with pretrained=False."
        )
    if pretrained:
        return read_pretrained(name, layers)
    shape = read_config(name) if config is None else BackboneConfig.from_dict(config)
    return truncate(shape, layers), None


def read_config(name: str) -> BackboneConfig:
    """
    Shape of a language model.

    :param name: Hugging Face id or local folder.
    :raises ValueError: If the model is of another family than GPT-2, BERT and Llama.
    :raises OSError: If it is neither known, cached nor reachable.
    """
    if name in KNOWN_SHAPES:
        return KNOWN_SHAPES[name]
    if Path(name).is_file():
        return checkpoints.language_model(read_tensors(name))[0]
    return _translate_config(_fetch("AutoConfig", name), name)


def read_pretrained(
    name: str, layers: int | None = None
) -> tuple[BackboneConfig, dict[str, torch.Tensor]]:
    """
    First blocks of a pre-trained language model.

    The Hugging Face cache is tried first, then the network.

    :param name: Hugging Face id, such as ``gpt2``, a local folder with a config.json and a
        model.safetensors, or a checkpoint of the published research code, whose GPT-2 blocks are
        taken (:py:func:`seisbench_llm.network.checkpoints.language_model`).
    :param layers: Number of blocks to keep, all by default.
    :return: Shape and state dict of a :py:class:`~seisbench_llm.network.backbone.Backbone`.
    :raises ValueError: If the model is of another family than GPT-2, BERT and Llama.
    :raises OSError: If it is neither cached nor reachable, with instructions.
    :raises ImportError: If the extra ``language`` is not installed.
    """
    if Path(name).is_file():
        return checkpoints.language_model(read_tensors(name), layers)
    model = _fetch("AutoModel", name, use_safetensors=True)
    config = truncate(_translate_config(model.config, name), layers)
    return config, _TRANSLATIONS[model.config.model_type](model.state_dict(), config)


def truncate(config: BackboneConfig, layers: int | None) -> BackboneConfig:
    """The same shape with only its first ``layers`` blocks."""
    if layers is None:
        return config
    if layers > config.layers:
        raise ValueError(f"The language model has {config.layers} blocks, not {layers}.")
    return replace(config, layers=layers)


def _fetch(auto_class: str, name: str, **kwargs):
    try:
        import transformers
    except ImportError as error:
        raise ImportError(
            f"The language model '{name}' is read by transformers: "
            f"{install_command('language')}. Trained SeisMoLLM weights need no language model."
        ) from error

    loader = getattr(transformers, auto_class).from_pretrained
    try:
        return loader(name, local_files_only=True, **kwargs)
    except (OSError, ValueError):
        pass
    try:
        return loader(name, **kwargs)
    except (OSError, ValueError) as error:
        raise OSError(
            f"The language model '{name}' is not a local folder with safetensors weights. It is "
            f"not in the Hugging Face cache, and it cannot be downloaded. Download it on a machine "
            f"with a connection: huggingface_hub.snapshot_download('{name}'). Then pass the folder "
            f"with its config.json and model.safetensors as backbone=... Or start from random "
            f"weights: pretrained=False. Trained SeisMoLLM weights need no language model."
        ) from error


def _translate_config(config, name: str) -> BackboneConfig:
    if config.model_type == "gpt2":
        known = {
            "width": config.n_embd,
            "layers": config.n_layer,
            "heads": config.n_head,
            "mlp_width": config.n_inner or 4 * config.n_embd,
            "positions": config.n_positions,
            "norm_eps": config.layer_norm_epsilon,
            "dropout": config.resid_pdrop,
        }
        activation = config.activation_function
    elif config.model_type == "bert":
        known = {
            "width": config.hidden_size,
            "layers": config.num_hidden_layers,
            "heads": config.num_attention_heads,
            "mlp_width": config.intermediate_size,
            "positions": config.max_position_embeddings,
            "norm_eps": config.layer_norm_eps,
            "dropout": config.hidden_dropout_prob,
        }
        activation = config.hidden_act
    elif config.model_type == "llama":
        return _translate_llama_config(config, name)
    else:
        raise ValueError(
            f"'{name}' is a {config.model_type} model; backbones are of the GPT-2, BERT or Llama "
            f"family."
        )
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"'{name}' uses the activation {activation}; known are {', '.join(_ACTIVATIONS)}."
        )
    gpt = config.model_type == "gpt2"
    return BackboneConfig(causal=gpt, norm_first=gpt, tanh_gelu=_ACTIVATIONS[activation], **known)


def _translate_llama_config(config, name: str) -> BackboneConfig:
    # Where the base of rotary positions stands depends on the version of transformers.
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    theta = rotary.get("rope_theta", getattr(config, "rope_theta", 10000.0))
    kind = rotary.get("rope_type", rotary.get("type", "default"))
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    odd = {
        f"rotary positions of type {kind}": kind != "default",
        "biases": config.attention_bias or config.mlp_bias,
        f"the activation {config.hidden_act}": config.hidden_act != "silu",
        f"heads of width {size}": size * config.num_attention_heads != config.hidden_size,
    }
    if any(odd.values()):
        raise ValueError(
            f"'{name}' has {', '.join(what for what, there in odd.items() if there)}, which "
            f"backbones do not have."
        )
    return BackboneConfig(
        width=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        mlp_width=config.intermediate_size,
        positions=config.max_position_embeddings,
        causal=True,
        norm_first=True,
        tanh_gelu=False,
        norm_eps=config.rms_norm_eps,
        dropout=config.attention_dropout,
        kv_heads=config.num_key_value_heads,
        rotary_theta=float(theta),
        rms_norm=True,
        gated=True,
        bias=False,
    )


def _translate_gpt2(state: dict[str, torch.Tensor], config: BackboneConfig) -> dict:
    out = {
        "positions.weight": state["wpe.weight"],
        "norm.weight": state["ln_f.weight"],
        "norm.bias": state["ln_f.bias"],
    }
    for i in range(config.layers):
        for theirs, ours in checkpoints.GPT2_PARTS.items():
            weight = state[f"h.{i}.{theirs}.weight"]
            # GPT-2's Conv1D keeps (in, out), a Linear (out, in).
            out[f"blocks.{i}.{ours}.weight"] = weight.T if weight.ndim == 2 else weight
            out[f"blocks.{i}.{ours}.bias"] = state[f"h.{i}.{theirs}.bias"]
    return out


def _translate_bert(state: dict[str, torch.Tensor], config: BackboneConfig) -> dict:
    names = {
        "attention.output.LayerNorm": "norm1",
        "attention.output.dense": "attn.out",
        "output.LayerNorm": "norm2",
        "intermediate.dense": "mlp.up",
        "output.dense": "mlp.down",
    }
    out = {
        # Every token is of the first of BERT's two token types.
        "positions.weight": state["embeddings.position_embeddings.weight"]
        + state["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": state["embeddings.LayerNorm.weight"],
        "norm.bias": state["embeddings.LayerNorm.bias"],
    }
    for i in range(config.layers):
        layer = f"encoder.layer.{i}"
        for kind in ("weight", "bias"):
            for theirs, ours in names.items():
                out[f"blocks.{i}.{ours}.{kind}"] = state[f"{layer}.{theirs}.{kind}"]
            out[f"blocks.{i}.attn.qkv.{kind}"] = torch.cat(
                [state[f"{layer}.attention.self.{p}.{kind}"] for p in ("query", "key", "value")]
            )
    return out


def _translate_llama(state: dict[str, torch.Tensor], config: BackboneConfig) -> dict:
    out = {"norm.weight": state["norm.weight"]}
    # Ours -> theirs, one after the other where there are several.
    names = {
        "norm1": ("input_layernorm",),
        "attn.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "attn.out": ("self_attn.o_proj",),
        "norm2": ("post_attention_layernorm",),
        "mlp.up": ("mlp.gate_proj", "mlp.up_proj"),
        "mlp.down": ("mlp.down_proj",),
    }
    for i in range(config.layers):
        for ours, theirs in names.items():
            out[f"blocks.{i}.{ours}.weight"] = torch.cat(
                [state[f"layers.{i}.{name}.weight"] for name in theirs]
            )
    return out


_TRANSLATIONS = {"gpt2": _translate_gpt2, "bert": _translate_bert, "llama": _translate_llama}
