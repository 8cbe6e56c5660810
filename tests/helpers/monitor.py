"""A network of stations, picks of events there, and a monitor of models that answer as told."""

import numpy as np
import obspy
import pandas as pd
from obspy.geodetics import gps2dist_azimuth
from seisbench.util import ClassifyOutput, Pick, PickList

from seisbench_llm.monitor.monitor import SeismicMonitor
from seisbench_llm.monitor.posterior import ErrorModel
from seisbench_llm.monitor.velocity import VelocityModel
from seisbench_llm.streams.estimates import Estimate, EstimateList
from seisbench_llm.tasks import TASKS

START = obspy.UTCDateTime(2020, 1, 1)


VP, VP_VS = 6.0, 1.73


NETWORK = pd.DataFrame(
    {
        "id": [f"XX.S{i}" for i in range(8)],
        "latitude": 50 + 0.3 * np.sin(np.arange(8) * np.pi / 4) * (1 + np.arange(8) % 3 / 3),
        "longitude": 10 + 0.5 * np.cos(np.arange(8) * np.pi / 4),
        "elevation": np.arange(8) * 100.0,
    }
)


# Medium of the picks below, and errors that are next to none.
MEDIUM = VelocityModel.homogeneous(VP, VP_VS)
NO_ERRORS = ErrorModel(
    *(0.02, 0.02, 1e-3, 1e-3, 1e-3, 1e-2), freedom=5.0, depth=0.0, pick=0.1, shallow=np.inf
)
EXACT = {"layers": MEDIUM, "association": {"errors": NO_ERRORS}}


def make_pick(trace_id, phase, time, value=0.9):
    return Pick(trace_id, time, time, time, value, phase)


def picks_of(latitude, longitude, depth, time, stations=NETWORK, suffix=".00"):
    """Exact P and S of a source in a uniform medium."""
    picks = []
    for row in stations.itertuples():
        metres, _, _ = gps2dist_azimuth(latitude, longitude, row.latitude, row.longitude)
        away = np.hypot(metres / 1e3, depth + row.elevation / 1e3)
        picks.append(make_pick(row.id + suffix, "P", time + away / VP))
        picks.append(make_pick(row.id + suffix, "S", time + away / VP * VP_VS))
    return picks


class Stub:
    """Answers as a model of a task does, but as it is told: value and spread per trace id."""

    record, weights_version, name = None, "7", "Stub"

    def __init__(self, task, answer):
        self.task, self.answer, self.arguments = TASKS[task], answer, None

    def classify(self, stream, picks=None, **kwargs):
        self.arguments = kwargs
        if self.task.name == "picking":
            return ClassifyOutput("Stub", picks=PickList(self.answer))
        estimates = EstimateList()
        for pick in picks:
            if pick.phase != "P" or pick.trace_id not in self.answer:
                continue
            value, spread = self.answer[pick.trace_id]
            if self.task.name == "polarity":
                pick.polarity, pick.polarity_value = (
                    "U" if value > 0.5 else "D",
                    max(value, 1 - value),
                )
            estimates.append(
                Estimate(pick.trace_id, pick.peak_time, self.task.name, value, "x", spread)
            )
        return ClassifyOutput("Stub", estimates=estimates, picks=picks)


def stub_monitor(picks, errors=None, **answers):
    models = {task: Stub(task, answer) for task, answer in answers.items()}
    return SeismicMonitor(Stub("picking", picks), **models, errors=errors)


SOURCE = (50.1, 10.1, 8.0, START + 10)


def network_monitor(errors=None, noise=(0.0, 0.0)):
    """Picks of one event at eight stations, and a far-away P and S at the first one."""
    answers = {"polarity": {}, "magnitude": {}, "distance": {}, "back_azimuth": {}}
    for i, row in enumerate(NETWORK.itertuples()):
        metres, _, towards = gps2dist_azimuth(*SOURCE[:2], row.latitude, row.longitude)
        trace_id = f"{row.id}.00"
        answers["polarity"][trace_id] = (0.1 * i, 0.05)
        answers["magnitude"][trace_id] = (2 + 0.1 * i, 0.2)
        answers["distance"][trace_id] = (metres / 1e3 + noise[0], 3.0)
        answers["back_azimuth"][trace_id] = ((towards + noise[1]) % 360, 5.0)
    picks = picks_of(*SOURCE)
    picks += [make_pick("XX.S0.00", "P", START + 200), make_pick("XX.S0.00", "S", START + 207)]
    picks += [make_pick("XX.S1.00", "S", START + 300)]
    return stub_monitor(picks, errors, **answers)
