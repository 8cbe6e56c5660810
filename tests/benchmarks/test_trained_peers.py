"""Networks of other papers, trained with the data of the packaged weights."""

import numpy as np
import obspy
import pytest
import torch

from benchmarks.common.records import AnalystRecord
from benchmarks.quality import trained_peers
from seisbench_llm.data import Synthetic

START = obspy.UTCDateTime(2020, 1, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data sets that the configuration of polarity names, each a few synthetic records."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("first_motions", "synthetic", "noise")):
        Synthetic(64, seed, seconds=30, faults=False).write(folder / name)
    return folder


def test_a_peer_is_trained_by_the_configuration_of_the_packaged_weight(data):
    before = trained_peers.PEERS["polarity"]()
    torch.manual_seed(0)
    start = trained_peers.PEERS["polarity"]().state_dict()
    peer = trained_peers.train("polarity", data, seed=0, steps=2)
    assert type(peer) is type(before) and not peer.training
    moved = [name for name, value in peer.state_dict().items() if not value.equal(start[name])]
    assert len(moved) > 0.5 * len(start)
    again = trained_peers.train("polarity", data, seed=0, steps=2).state_dict()
    assert all(value.equal(again[name]) for name, value in peer.state_dict().items())


@pytest.mark.parametrize("task", trained_peers.PEERS)
def test_answers_at_the_analysts_p(task):
    rng = np.random.default_rng(0)
    header = {"network": "XX", "station": "STA", "sampling_rate": 100.0, "starttime": START}
    stream = obspy.Stream(
        obspy.Trace(rng.standard_normal(15000), header | {"channel": f"HH{component}"})
        for component in "ZNE"
    )
    picks = {"P": [START + 30], "S": []}
    record = AnalystRecord("toy", "toy", "XX.STA", "event", stream, picks)
    peer = trained_peers.PEERS[task]().eval()
    rule = trained_peers.rule_of(peer)
    value, spread = rule(record)
    assert np.isfinite(value) and np.isnan(spread)
    # It looks at P: other samples there change the answer, samples far away do not.
    moved = []
    for begin in (3000, 14900):
        other = stream.copy()
        for trace in other:
            trace.data[begin : begin + 50] *= 50
        changed = rule(AnalystRecord("toy", "toy", "XX.STA", "event", other, picks))[0]
        moved.append(abs(changed - value))
    # Resampling carries a little of anything to everywhere.
    assert moved[0] > 10 * moved[1]
    horizontals = AnalystRecord("toy", "toy", "XX.STA", "event", stream[1:], picks)
    assert np.isnan(rule(horizontals)[0])
