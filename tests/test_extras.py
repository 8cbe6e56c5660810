"""What works without the extras, in an interpreter that cannot import them."""

import ast
import configparser
import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

import seisbench_llm
from seisbench_llm import extras
from seisbench_llm.extras import install_command

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
EXTRAS |= {"onnxruntime", "plotly", "pytest", "hypothesis"}


def run_without(names, script, tmp_path):
    return run(BLOCKED.format(names=names) + script, tmp_path)[0]


def run(script, cache):
    environment = {**os.environ, "SEISBENCH_CACHE_ROOT": str(cache), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


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
    assert all("pip install 'transformers<" in error for error in errors)


@pytest.mark.timeout(200)
def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path):
    (tmp_path / "file").write_text("")
    out, errors = run(
        """
import os
from seisbench_llm import SeisMoLLM
print(repr(SeisMoLLM.from_pretrained("compact_polarity")))
print(os.environ["SEISBENCH_CACHE_ROOT"])
""",
        tmp_path / "file" / "cache",
    )
    model, folder = out.splitlines()
    assert model.startswith("SeisMoLLM(task='polarity', window=5.12 s, sampling_rate=100 Hz, ")
    assert not os.path.exists(folder)
    assert errors.count("file/cache is not writable") == 1


def test_hints_name_packages_that_pip_finds_wherever_this_one_came_from():
    """A clone is on no index, so its own name would be of no use."""
    for extra in ("language", "train", "archive", "monitor", "export"):
        command = install_command(extra)
        assert command.startswith("pip install '") and "seisbench_llm" not in command
    assert "'jsonargparse[signatures]<5,>=4.30'" in install_command("train")


def test_hints_of_a_clone_that_is_not_installed_name_its_folder(monkeypatch, tmp_path):
    def requires(name):
        raise extras.PackageNotFoundError

    monkeypatch.setattr(extras, "requires", requires)
    clone = Path(__file__).parents[1]
    assert install_command("monitor") == f"pip install '{clone}[monitor]'"
    monkeypatch.setattr(extras, "__file__", str(tmp_path / "seisbench_llm" / "extras.py"))
    assert install_command("monitor") == "pip install 'seisbench_llm[monitor]'"


# Modules that no requirement is named after -> the requirement that brings them.
BROUGHT_BY = {
    "tqdm": "seisbench",
    "h5py": "seisbench",
    "lxml": "obspy",
    "matplotlib": "obspy",
    "jinja2": "torch",
    "packaging": "matplotlib",
    "yaml": "PyYAML",
    "sklearn": "scikit-learn",
}
# Used if they are there: of older versions of typer, and for coastlines.
OPTIONAL = {"click", "cartopy"}


def imported():
    """Modules of others that the package imports, at any place."""
    for file in Path(seisbench_llm.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module.partition(".")[0]


def test_what_is_imported_is_required():
    """Also what another package brings: it may stop to do so, as typer did with click."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    lines = [line for text in lists for line in text.splitlines() if line]
    declared = {re.split(r"[\[ <>=]", line)[0].lower().replace("-", "_") for line in lines}
    others = set(imported()) - sys.stdlib_module_names - {"seisbench_llm"} - OPTIONAL
    others.discard("mpl_toolkits")  # a part of Matplotlib
    assert {name for name in others if name.lower() not in declared} == BROUGHT_BY.keys()
    for name, by in BROUGHT_BY.items():
        if name not in ("sklearn", "yaml"):
            needs = [line.lower() for line in requires(by) if "extra ==" not in line]
            assert any(re.match(rf"{name}\b", line) for line in needs), (name, by)


@pytest.mark.timeout(200)
def test_the_command_line_needs_no_extra(tmp_path):
    script = "from seisbench_llm.cli import main; import sys; sys.argv = ['x', '--help']; main()"
    script = f"try:\n    exec({script!r})\nexcept SystemExit as end:\n    assert not end.code"
    assert "pick" in run_without(EXTRAS | {"click"}, script, tmp_path)
