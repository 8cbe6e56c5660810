"""Configurations by name."""

import pytest
import yaml

from seisbench_llm.training import configs


def test_names_become_files_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = str(configs.FOLDER / "finetune.yaml")
    assert configs.resolve(["--config", "finetune", "--task", "distance"]) == [
        *("--config", file),
        *("--task", "distance"),
    ]
    assert configs.resolve(["--config=finetune"]) == [f"--config={file}"]
    # A file that is there comes first, and what is no configuration is left alone.
    (tmp_path / "finetune").write_text("")
    for args in (["--config", "finetune"], ["--task", "finetune"], ["--config"], ["--help"]):
        assert configs.resolve(args) == args
    with pytest.raises(FileNotFoundError, match="no configuration file no.yaml, and no .*finetune"):
        configs.resolve(["--config", "no.yaml"])


def test_each_says_how_it_is_called():
    assert configs.names() == ["compact", "few-shot", "finetune", "paper-diting", "paper-stead"]
    for name in configs.names():
        text = (configs.FOLDER / f"{name}.yaml").read_text()
        assert f"seisbench-llm fit --config {name} " in text
        assert yaml.safe_load(text)["run"]
