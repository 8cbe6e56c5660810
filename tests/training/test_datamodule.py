import shutil

import numpy as np
import pandas as pd
import pytest

from tests.helpers.training import fit

pytest.importorskip("lightning")

from seisbench_llm.training.datamodule import EpochSampler


def test_empty_side_is_an_error(config):
    with pytest.raises(ValueError, match="left for 'dev'"):
        fit(config, "--data.fractions=[1.0, 0.0, 0.0]")


def test_records_without_any_onset(config, records, tmp_path, warnings_of):
    metadata = pd.read_csv(records / "metadata.csv").drop(columns="trace_category")
    onsets = [c for c in metadata if c.endswith("_arrival_sample")]
    shutil.copytree(records, tmp_path / "unpicked")
    metadata.assign(**dict.fromkeys(onsets, np.nan)).to_csv(
        tmp_path / "unpicked" / "metadata.csv", index=False
    )
    with pytest.raises(ValueError, match="unpicked to train on has an onset of P or S"):
        fit(config, f"--data.dataset={tmp_path / 'unpicked'}")
    late = dict.fromkeys([c for c in onsets if c.startswith("trace_s")], np.nan)
    metadata.assign(**late).to_csv(tmp_path / "unpicked" / "metadata.csv", index=False)
    fit(config, f"--data.dataset={tmp_path / 'unpicked'}", "--fast-dev-run")
    assert "has an onset of S" in warnings_of() and "trace_s_unlabelled" in warnings_of()


class TestEpochSampler:
    def test_every_record_once(self):
        numbers = [number for _, number in EpochSampler([5, 7])]
        assert sorted(numbers) == list(range(12))

    def test_epochs_and_seeds_differ(self):
        sampler, other = EpochSampler([50], seed=1), EpochSampler([50], seed=2)
        first = list(sampler)
        assert first == list(sampler)
        assert [n for _, n in first] != [n for _, n in other]
        sampler.set_epoch(1)
        assert [n for _, n in sampler] != [n for _, n in first]
        assert not set(sampler) & set(first)

    def test_processes_share(self):
        parts = [[n for _, n in EpochSampler([11], rank=r, world_size=2)] for r in range(2)]
        assert len(parts[0]) == len(parts[1]) == 5
        assert not set(parts[0]) & set(parts[1])

    def test_goes_on_within_an_epoch(self):
        sampler = EpochSampler([20])
        whole = list(sampler)
        sampler.skip = 8
        assert list(sampler) == whole[8:]
        assert list(sampler) == whole

    def test_shares(self):
        sampler = EpochSampler([10, 1000, 0], shares=[3, 1, 5], samples=4000)
        numbers = np.array([n for _, n in sampler])
        assert np.mean(numbers < 10) == pytest.approx(0.75, abs=0.03)
        assert numbers.max() < 1010
        # Drawn often, but never augmented alike.
        assert len(set(sampler)) == 4000
