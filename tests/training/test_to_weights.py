import json

import pytest
import torch
import yaml

from seisbench_llm.models.seismollm import SeisMoLLM
from tests.helpers.training import WINDOW, fit

pytest.importorskip("lightning")

from seisbench_llm.training.module import TrainingModule
from seisbench_llm.training.to_weights import export_run


def test_export(config, tmp_path):
    run = fit(config)
    out = tmp_path / "weights" / "mine"
    export_run(run, out, licence="CC0-1.0", limits="A test.")
    model = SeisMoLLM.from_pretrained(str(out))
    assert (model.record.name, model.record.task, model.record.licence) == (
        "mine",
        "picking",
        "CC0-1.0",
    )
    assert model.record.language_model is None
    assert str(json.loads((run / "metrics.json").read_text())["steps"]) in model.record.data
    assert not any("lora" in name for name in model.state_dict())
    # The adapters, which the checkpoint keeps apart, are in the exported weight.
    module = TrainingModule(**yaml.safe_load((run / "config.yaml").read_text())["model"])
    state = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert any("lora_A" in name for name in state)
    module.load_state_dict(state)
    x = torch.randn(2, 3, WINDOW)
    torch.testing.assert_close(module.eval().model(x), model.eval()(x), rtol=1e-4, atol=1e-5)


def test_export_needs_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no checkpoint"):
        export_run(tmp_path, tmp_path / "out")
