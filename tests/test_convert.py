"""Checkpoints that are damaged, odd or hostile; what published ones give is in test_parity."""

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from seisbench_llm.convert import load_published
from seisbench_llm.weights import WeightsError

WPE, QKV = "llm_blocks.llm.wpe.weight", "llm_blocks.llm.h.0.attn.c_attn.weight"


def assert_refused(file, match=None):
    with pytest.raises(WeightsError, match=match) as error:
        load_published(file, "picking", merge_lora=True)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize(
    "content",
    [
        [],
        3,
        "text",
        None,
        torch.zeros(3),
        {},
        {"model_dict": 3},
        {"model_dict": [1, 2]},
        {"model_dict": {}},
        {"model_dict": {1: torch.zeros(3)}},
        {"epoch": 3},
        {WPE: torch.zeros(8, 32)},
        {WPE: torch.zeros(8), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(8, 32), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(0, 0), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(8, 768 * 30), QKV: torch.zeros(3)},
        {WPE: torch.zeros(8, 32), QKV: "text"},
        {WPE: torch.full((8, 32), torch.nan), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(1).expand(10**6, 10**6), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(8, 32), QKV: torch.zeros(1).expand(10**6, 10**6)},
        {WPE: torch.zeros(8, 32, device="meta"), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(8, 32).to_sparse(), QKV: torch.zeros(32, 96)},
        {WPE: torch.zeros(8, 32), "llm_blocks.llm.h.0.lora_A.default.weight": torch.zeros(0)},
        {
            WPE: torch.zeros(8, 768),
            "llm_blocks.llm.h.0.attn.c_attn.lora_A.default.weight": torch.zeros(2, 768),
        },
    ],
)
def test_odd_checkpoints_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    assert_refused(tmp_path / "a.pth", r"a\.pth |[Tt]he checkpoint ")


def test_damaged_checkpoints_are_refused(tmp_path):
    torch.save({WPE: torch.randn(8, 32), QKV: torch.randn(32, 96)}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[: int(share * len(whole))] for share in (0, 0.1, 0.5, 0.99)]
    for place in rng.integers(0, len(whole), 20):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.integers(8)
        damaged.append(bytes(flipped))
    for content in damaged:
        (tmp_path / "a.pth").write_bytes(content)
        assert_refused(tmp_path / "a.pth")


def test_nothing_is_executed_or_unpacked(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "executed"),))

    torch.save({"model_dict": Evil()}, tmp_path / "a.pth")
    assert_refused(tmp_path / "a.pth", r"a\.pth is not a safe and complete weight file")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Evil()))
    assert_refused(tmp_path / "b.pth", r"b\.pth is not a safe and complete weight file")
    assert not (tmp_path / "executed").exists()

    torch.save({WPE: torch.zeros(1000, 1000)}, tmp_path / "c.pth")
    with zipfile.ZipFile(tmp_path / "c.pth") as whole:
        with zipfile.ZipFile(tmp_path / "d.pth", "w", zipfile.ZIP_DEFLATED) as packed:
            for name in whole.namelist():
                packed.writestr(name, whole.read(name))
    assert (tmp_path / "d.pth").stat().st_size < 100_000
    assert_refused(tmp_path / "d.pth", "it is compressed")
    assert_refused(tmp_path / "nothing.pth", "nothing.pth")
