"""What a shell completes."""

import subprocess
import sys

import pytest

from seisbench_llm import weights
from seisbench_llm.cli import complete
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.training import configs


def test_names_of_weights_are_those_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SEISBENCH_CACHE_ROOT", str(tmp_path))
    assert complete.weight_names("") == weights.packaged_names()
    assert complete.weight_names("compact_p") == ["compact_picking", "compact_polarity"]
    folder = tmp_path / "models" / "v3" / "seismollm"
    folder.mkdir(parents=True)
    (folder / "compact_mine.json.v1").write_text("{}")
    assert "compact_mine" in complete.weight_names("compact_m")
    assert complete.family_names("") == ["compact"]
    assert SeisMoLLM._model_path().parts[-3:] == folder.parts[-3:]


def test_names_of_configurations():
    assert complete.config_names("") == configs.names()
    assert complete.config_names("fin") == ["finetune"]


SCRIPT = """
import sys
from seisbench_llm.cli import app
sys.argv = ["seisbench-llm"]
app(prog_name="seisbench-llm")
"""


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("seisbench-llm pick --weights compact_pi", "compact_picking"),
        ("seisbench-llm weights show compact_di", "compact_distance"),
        ("seisbench-llm monitor --weights com", "compact"),
        ("seisbench-llm fit --config fine", "finetune"),
        ("seisbench-llm live --dashb", "--dashboard"),
    ],
)
def test_in_bash(line, wanted, monkeypatch):
    words = line.split()
    environment = {
        "_SEISBENCH_LLM_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert wanted in done.stdout.split(), done.stderr
    assert "torch" not in done.stderr


def test_models_are_not_loaded_for_it():
    code = "import sys, seisbench_llm.cli.complete as c; c.weight_names('');"
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
