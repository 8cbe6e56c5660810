"""What works without the extras, in an interpreter that cannot import them."""

import os
import subprocess
import sys

import pytest

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)

sys.meta_path.insert(0, Blocked())
"""
EXTRAS = {"transformers", "huggingface_hub", "tokenizers", "peft", "lightning", "jsonargparse"}
EXTRAS |= {"tensorboard", "dask", "distributed", "pyarrow", "pyocto", "pyproj", "onnx"}
EXTRAS |= {"onnxruntime", "pytest", "hypothesis"}


def run_without(names, script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(names=names) + script],
        capture_output=True,
        text=True,
        timeout=200,
        env={
            **os.environ,
            "SEISBENCH_CACHE_ROOT": str(tmp_path),
            "OMP_NUM_THREADS": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(200)
def test_a_picker_needs_no_extra(tmp_path):
    out = run_without(
        EXTRAS,
        """
import obspy
from seisbench_llm import SeisMoLLM
model = SeisMoLLM.from_pretrained("compact_picking")
print([pick.phase for pick in model.classify(obspy.read()).picks])
for make in (SeisMoLLM, lambda: SeisMoLLM.from_pretrained("org/name")):
    try:
        make()
    except ImportError as error:
        print(error)
""",
        tmp_path,
    )
    picks, *errors = out.splitlines()
    assert picks == "['P', 'S']"
    assert len(errors) == 2
    assert all("pip install 'seisbench_llm[language]'" in error for error in errors)
