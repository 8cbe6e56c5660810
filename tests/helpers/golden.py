"""
Picks and estimates of the packaged weights on the earthquakes that come with ObsPy.

    python -m tests.helpers.golden

writes what they are now to golden.json, against which tests/test_golden.py compares. To be run
when packaged weights have changed, or when an answer was wrong.
"""

import json
from pathlib import Path

import obspy
from seisbench.util import Pick

from seisbench_llm import SeisMoLLM
from seisbench_llm.weights import packaged_names

FILE = Path(__file__).with_name("golden.json")
# P at which the other models answer; not those of the picker, with which the answers would change.
ONSETS = {
    "RJOB": [("BW.RJOB.", "2009-08-24T00:20:07.72")],
    "UH": [("BW.UH3.", "2010-05-27T16:24:33.14"), ("BW.UH3.", "2010-05-27T16:27:30.00")],
}


def examples() -> dict[str, obspy.Stream]:
    """An earthquake at one station, and two at an array."""
    folder = Path(obspy.__file__).parent / "signal" / "tests" / "data"
    array = obspy.Stream()
    for file in sorted(folder.glob("BW.UH*.cut.slist.gz")):
        array += obspy.read(str(file))
    return {"RJOB": obspy.read(), "UH": array}


def answers() -> dict[str, dict]:
    """Name of a weight -> its ``version`` and ``answers``, numbers by what they belong to."""
    golden = {}
    for name in packaged_names():
        model = SeisMoLLM.from_pretrained(name)
        golden[name] = {"version": model.weights_version, "answers": {}}
        for example, stream in examples().items():
            golden[name]["answers"].update(_answers(model, stream, ONSETS[example]))
    return golden


def _answers(model: SeisMoLLM, stream: obspy.Stream, onsets: list[tuple[str, str]]) -> dict:
    if model.task.name == "picking":
        picks = model.classify(stream).picks
        return {f"{p.trace_id} {p.phase} {p.peak_time}": [p.peak_value] for p in picks}
    times = [(trace_id, obspy.UTCDateTime(time)) for trace_id, time in onsets]
    picks = [Pick(trace_id, time, time, time, 1.0, "P") for trace_id, time in times]
    estimates = model.classify(stream, picks=picks).estimates
    return {f"{e.trace_id} {e.time}": [e.value, e.spread] for e in estimates}


if __name__ == "__main__":
    FILE.write_text(json.dumps(answers(), indent=1) + "\n")
