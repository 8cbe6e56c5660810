"""A language model out of a GGUF file is the one that was put in."""

import zipfile

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from benchmarks.making.language_model import dequantise
from seisbench_llm.network import language
from seisbench_llm.network.backbone import Backbone

gguf = pytest.importorskip("gguf", reason="needs the package gguf")
WIDTH, HEADS, KV_HEADS, HIDDEN, LAYERS, WORDS = 32, 4, 2, 64, 3, 16
# Hugging Face's name -> that of GGUF, in a block.
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def paired(weight, heads):
    """Rows as llama.cpp has them: the two features of a rotary pair side by side."""
    rows = weight.reshape(heads, 2, len(weight) // heads // 2, -1).transpose(1, 2)
    return rows.reshape(weight.shape)


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        intermediate_size=HIDDEN,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
    )
    model = LlamaModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def write(model, path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(model.config.rms_norm_eps)
    writer.add_rope_freq_base(500.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(WORDS)
    state = model.state_dict()
    writer.add_tensor("token_embd.weight", state["embed_tokens.weight"].numpy())
    writer.add_tensor("output_norm.weight", state["norm.weight"].numpy())
    for i in range(LAYERS):
        for theirs, name in NAMES.items():
            value = state[f"layers.{i}.{theirs}.weight"]
            heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(name)
            value = paired(value, heads) if heads else value
            writer.add_tensor(f"blk.{i}.{name}.weight", value.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_first_blocks_of_a_file(model, tmp_path):
    write(model, tmp_path / "tiny.gguf")
    with zipfile.ZipFile(tmp_path / "tiny.whl", "w") as wheel:
        wheel.write(tmp_path / "tiny.gguf", "package/tiny.gguf")
    assert dequantise(tmp_path / "tiny.whl", tmp_path / "two", 2) == 2
    config, state = language.read_pretrained(str(tmp_path / "two"))
    ours = Backbone(config).eval()
    ours.load_state_dict(state)
    assert (config.layers, config.kv_heads, config.rotary_theta) == (2, 2, 500)
    x = torch.randn(2, 9, WIDTH)
    del model.layers[2:]
    with torch.no_grad():
        expected = model(inputs_embeds=x).last_hidden_state
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="has 3 blocks, not 9"):
        dequantise(tmp_path / "tiny.gguf", tmp_path / "nine", 9)


def test_a_wheel_without_a_model(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("package/__init__.py", "")
    with pytest.raises(ValueError, match="holds 0 GGUF files"):
        dequantise(tmp_path / "other.whl", tmp_path / "out")
