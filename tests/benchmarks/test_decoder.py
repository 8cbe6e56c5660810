"""The study with a decoder: what is masked, and how records are split."""

import numpy as np
import pandas as pd

from benchmarks.quality import decoder
from seisbench_llm.data import Synthetic
from seisbench_llm.data.datasets import open_dataset


def test_records_end_at_one_time_after_p(tmp_path):
    Synthetic(6, seconds=30, seed=1).write(tmp_path / "records")
    filtered = decoder.filtered(tmp_path / "records", tmp_path / "filtered")
    given = open_dataset(filtered, sampling_rate=100)
    found = open_dataset(decoder.masked(filtered, tmp_path / "out"), sampling_rate=100)
    p, s = (given.metadata[f"trace_{phase}_arrival_sample"] for phase in "ps")
    there = np.flatnonzero(s > p + 120)
    assert len(found) == len(there) > 0
    for i, j in enumerate(there):
        (before, _), (after, row) = given.get_sample(int(j)), found.get_sample(i)
        end = round(row["trace_p_arrival_sample"]) + 100
        np.testing.assert_allclose(after[:, :end], before[:, :end], rtol=1e-6)
        assert end > 0 and not after[:, end + 1 :].any() and before[:, end + 1 :].any()


def test_real_records_have_a_split_of_their_own(tmp_path):
    real = pd.Series(["train", "test", "dev"])
    data = decoder.Mixed([tmp_path / "a", tmp_path / "b"], tmp_path / "c", real, 0)
    assert data._split(pd.DataFrame({"split": ["dev"] * 3})).tolist() == real.tolist()
    assert data._split(pd.DataFrame({"split": ["dev"] * 4})).tolist() == ["dev"] * 4
