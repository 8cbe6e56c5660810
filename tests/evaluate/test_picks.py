"""All picks of a window, and which of them count."""

import numpy as np

from seisbench_llm.evaluate.picks import judged, matched


def test_each_onset_and_each_pick_in_one_pair():
    assert matched([100, 150], [110, 112, 145], 50) == {2: -5, 0: 10}
    assert matched([100], [200], 50) == {} == matched([], [1], 5)


def test_what_is_judged():
    picks, labelled, none = np.array([100, 1000, 1290, 2000]), np.array([1000, 1100]), np.array([])

    def flags(**changes):
        given = {"labelled": labelled, "unsure": none, "complete": False, "unlabelled": False}
        return judged(picks, **{**given, **changes}, sampling_rate=100.0).tolist()

    assert flags() == [False, True, True, False]
    assert flags(complete=True) == [True] * 4
    assert flags(complete=True, unsure=np.array([1950.0])) == [True, True, True, False]
    assert flags(unlabelled=True) == [False] * 4 == flags(labelled=none)
