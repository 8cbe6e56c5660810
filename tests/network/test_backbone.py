import pytest
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.network import language, lora
from seisbench_llm.network.backbone import Backbone
from seisbench_llm.network.config import BackboneConfig
from tests.helpers.models import TINY, TINY_SHAPE, tiny_model

transformers = pytest.importorskip("transformers")
BertConfig = transformers.BertConfig
BertModel = transformers.BertModel
GPT2Config = transformers.GPT2Config
GPT2Model = transformers.GPT2Model
LlamaConfig = transformers.LlamaConfig
LlamaModel = transformers.LlamaModel
RobertaConfig = transformers.RobertaConfig
RobertaModel = transformers.RobertaModel


@pytest.fixture
def gpt2_folder(tmp_path):
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=11, n_positions=128, n_embd=32, n_layer=3, n_head=2)
    model = GPT2Model(config).eval()
    model.save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2", model


@pytest.fixture
def bert_folder(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=11,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert", model


LLAMA = {
    "vocab_size": 11,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 300.0},
    # As transformers before version 5 has it.
    "rope_theta": 300.0,
}


@pytest.fixture
def llama_folder(tmp_path):
    torch.manual_seed(0)
    model = LlamaModel(LlamaConfig(**LLAMA)).eval()
    model.save_pretrained(tmp_path / "llama")
    return tmp_path / "llama", model


def randomize(model):
    # Freshly made LayerNorms and biases are ones and zeros, which would hide a mix-up.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


@pytest.mark.parametrize("family", ["gpt2", "bert", "llama"])
@pytest.mark.parametrize("layers", [None, 1])
def test_same_output_as_transformers(family, layers, request):
    folder, theirs = request.getfixturevalue(f"{family}_folder")
    randomize(theirs)
    theirs.save_pretrained(folder)
    config, state = language.read_pretrained(str(folder), layers)
    ours = Backbone(config).eval()
    ours.load_state_dict(state)
    x = torch.randn(2, 9, 32)
    if layers:
        blocks = {"gpt2": "h", "bert": "encoder.layer", "llama": "layers"}[family]
        blocks = theirs.get_submodule(blocks)
        del blocks[layers:]
    with torch.no_grad():
        expected = theirs(inputs_embeds=x).last_hidden_state
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)


def test_model_starts_from_language_model(gpt2_folder):
    folder, theirs = gpt2_folder
    arguments = {**TINY, "backbone": str(folder), "pretrained": True, "backbone_config": None}
    model = SeisMoLLM(**{**arguments, "backbone_layers": 2})
    found = model.network.backbone.blocks[1].attn.qkv.weight
    torch.testing.assert_close(found, theirs.h[1].attn.c_attn.weight.T)
    assert len(model.network.backbone.blocks) == 2


def test_missing_language_model_is_an_error():
    with pytest.raises(OSError, match=r"snapshot_download\('nobody/nothing'\).*pretrained=False"):
        SeisMoLLM(backbone="nobody/nothing")


def test_never_unsafe_weights(tmp_path):
    config = GPT2Config(vocab_size=11, n_positions=128, n_embd=32, n_layer=1, n_head=2)
    config.save_pretrained(tmp_path)
    torch.save(GPT2Model(config).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        SeisMoLLM(
            **{**TINY, "backbone": str(tmp_path), "pretrained": True, "backbone_config": None}
        )


def test_other_families_are_refused(tmp_path):
    config = RobertaConfig(vocab_size=11, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    RobertaModel(config).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match="roberta model; backbones are of the GPT-2, BERT or Llama"
    ):
        language.read_pretrained(str(tmp_path))


def test_known_shapes_need_no_download():
    model = SeisMoLLM(backbone="gpt2", pretrained=False, backbone_layers=1)
    assert model.network.backbone.config.width == 768


def test_causality():
    x = torch.randn(1, 8, 32)
    changed = x.clone()
    changed[:, 5:] = torch.randn(1, 3, 32)
    for causal in (True, False):
        torch.manual_seed(0)
        backbone = Backbone(BackboneConfig(**{**TINY_SHAPE, "causal": causal})).eval()
        with torch.no_grad():
            same = torch.allclose(backbone(x)[:, :5], backbone(changed)[:, :5], atol=1e-6)
        assert same is causal


@pytest.mark.parametrize(
    "change, message",
    [
        ({"backbone_layers": 4}, "has 1 blocks, not 4"),
        ({"backbone_config": {**TINY_SHAPE, "heads": 3}}, "not divisible by 3 heads"),
        ({"backbone_config": {**TINY_SHAPE, "depth": 3}}, "Unknown entries.*depth"),
        ({"pretrained": True}, "use it with pretrained=False"),
        ({"width": 48}, "32 wide, width is 48"),
        ({"patch": 5}, "not a multiple of the patch"),
        ({"in_samples": 20000}, "tokens; the model takes 1 to 128"),
        ({"in_samples": 30}, "tokens; the model takes"),
        ({"task": "magnitude", "in_samples": 100, "pred_sample": 0}, "tokens; the model takes"),
        ({"task": "magnitude", "pred_sample": 3000}, "pred_sample 3000 is outside"),
        ({"task": "volcano"}, "Unknown task 'volcano'. Known tasks: picking"),
    ],
)
def test_impossible_sizes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        SeisMoLLM(**{**TINY, **change})


def test_lora_trains_what_the_paper_trains_and_merges():
    pytest.importorskip("peft")
    model = tiny_model()
    x = torch.randn(2, 3, 3000)
    with torch.no_grad():
        before = model(x)
    model.add_lora(rank=4, alpha=8)
    model.eval()
    trainable = {n for n, p in model.network.backbone.named_parameters() if p.requires_grad}
    assert all("lora_" in n or "norm" in n or "positions" in n for n in trainable)
    assert "blocks.0.attn.qkv.lora_A.default.weight" in trainable
    with torch.no_grad():
        torch.testing.assert_close(model(x), before)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.5)
        adapted = model(x)
        assert not torch.allclose(adapted, before, atol=1e-3)
        state = lora.merged_state_dict(model)
        model.merge_lora()
        assert not lora.has_lora(model)
        torch.testing.assert_close(model(x), adapted, atol=1e-5, rtol=1e-5)
        fresh = tiny_model()
        fresh.load_state_dict(state)
        torch.testing.assert_close(fresh(x), adapted, atol=1e-5, rtol=1e-5)


def test_lora_misuse():
    pytest.importorskip("peft")
    model = tiny_model()
    with pytest.raises(ValueError, match="Unknown LoRA targets"):
        model.add_lora(targets=("attn.everything",))
    model.add_lora(targets=("attn.qkv",))
    with pytest.raises(ValueError, match="already"):
        model.add_lora()
    with pytest.raises(ValueError, match="without a backbone"):
        SeisMoLLM(**{**TINY, "backbone": None, "backbone_config": None, "width": 32}).add_lora()


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"attention_bias": True}, "biases"),
        ({"hidden_act": "gelu"}, "the activation gelu"),
        ({"head_dim": 16}, "heads of width 16"),
        (
            {"rope_parameters": {"rope_type": "linear", "rope_theta": 300.0, "factor": 2.0}},
            "rotary positions of type linear",
        ),
    ],
)
def test_another_kind_of_llama_is_refused(tmp_path, change, problem):
    LlamaConfig(**{**LLAMA, **change}).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=f"has {problem}, which backbones do not have"):
        language.read_config(str(tmp_path))


def test_model_with_a_llama_backbone(llama_folder, tmp_path):
    pytest.importorskip("peft")
    folder, _ = llama_folder
    sizes = {k: v for k, v in TINY.items() if k not in ("pretrained", "backbone_config")}
    model = SeisMoLLM(**{**sizes, "backbone": str(folder), "backbone_layers": 2}).eval()
    x = torch.randn(2, 3, model.in_samples)
    plain = model(x)
    # Adapters change nothing before they are trained, and are folded in when it is saved.
    model.add_lora(rank=2)
    torch.testing.assert_close(model.eval()(x), plain)
    trained = [n for n, p in model.network.backbone.named_parameters() if p.requires_grad]
    assert all("lora_" in name or "norm" in name for name in trained) and len(trained) > 10
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    model.save(tmp_path / "weights", half=False)
    loaded = SeisMoLLM.load(tmp_path / "weights")
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), model(x), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(loaded.predict(x), loaded(x), atol=1e-4, rtol=1e-3)
    assert loaded.network.config.backbone_config.kv_heads == 2


def test_weights_without_the_newer_entries():
    """As they were saved before there were backbones of the Llama family."""
    config = BackboneConfig.from_dict(TINY_SHAPE)
    assert not config.gated and config.kv_heads is None and config.bias
    with pytest.raises(ValueError, match="4 heads cannot share 3 heads of keys"):
        BackboneConfig.from_dict({**TINY_SHAPE, "heads": 4, "kv_heads": 3})
    with pytest.raises(ValueError, match="rotary_theta cannot be 0"):
        BackboneConfig.from_dict({**TINY_SHAPE, "rotary_theta": 0})
