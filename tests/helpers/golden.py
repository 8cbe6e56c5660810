"""
Picks and estimates of the packaged weights on the earthquakes that come with ObsPy.

    python -m tests.helpers.golden

writes what they are now to golden.json, against which tests/test_golden.py compares. To be run
when packaged weights have changed, or when an answer was wrong.
"""

import json
from collections.abc import Callable, Iterable
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


def answers(
    names: Iterable[str] = (), change: Callable[[SeisMoLLM], None] | None = None
) -> dict[str, dict]:
    """
    Name of a weight -> its ``version`` and ``answers``, numbers by what they belong to.

    :param names: Weights; by default all that are packaged.
    :param change: What to do with each model first.
    """
    golden = {}
    for name in names or packaged_names():
        model = SeisMoLLM.from_pretrained(name)
        if change is not None:
            change(model)
        golden[name] = {"version": model.weights_version, "answers": {}}
        for example, stream in examples().items():
            golden[name]["answers"].update(_answers(model, stream, ONSETS[example]))
    return golden


def differing(golden: dict, now: dict, tolerance: float) -> list[tuple]:
    """
    What differs between answers: picks that only one has, and numbers.

    :param tolerance: Of probabilities and estimates, relative and absolute.
    """
    found = []
    for name in golden.keys() | now.keys():
        one, other = (of.get(name, {"answers": {}}) for of in (golden, now))
        if one.get("version") != other.get("version"):
            found.append((name, "version", one.get("version"), other.get("version")))
        for key in one["answers"].keys() | other["answers"].keys():
            pair = one["answers"].get(key), other["answers"].get(key)
            if None in pair or not all(
                abs(a - b) <= tolerance * max(1, abs(a)) for a, b in zip(*pair, strict=True)
            ):
                found.append((name, key, *pair))
    return found


def _answers(model: SeisMoLLM, stream: obspy.Stream, onsets: list[tuple[str, str]]) -> dict:
    if model.task.name == "picking":
        picks = model.classify(stream).picks
        return {f"{p.trace_id} {p.phase} {p.peak_time}": [p.peak_value] for p in picks}
    times = [(trace_id, obspy.UTCDateTime(time)) for trace_id, time in onsets]
    picks = [Pick(trace_id, time, time, time, 1.0, "P") for trace_id, time in times]
    found = {}
    # With the textbook, an answer may not depend on the network at all.
    for textbook in sorted({False, model.default_args.get("textbook", False)}):
        estimates = model.classify(stream, picks=picks, textbook=textbook).estimates
        kind = " textbook" if textbook else ""
        found |= {f"{e.trace_id} {e.time}{kind}": [e.value, e.spread] for e in estimates}
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(answers(), indent=1) + "\n")
