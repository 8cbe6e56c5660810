"""The report of results that are made here, also as a browser shows it."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.benchmark import provenance
from seisbench_llm.benchmark.datasets import open_for_benchmark
from seisbench_llm.benchmark.making import make_targets
from seisbench_llm.benchmark.pickers import BenchmarkPicker
from seisbench_llm.benchmark.report import write_report
from seisbench_llm.benchmark.report.examples import choose, make_examples, write_examples
from seisbench_llm.benchmark.report.measures import auc
from seisbench_llm.benchmark.report.page import table_rows, verdict
from seisbench_llm.benchmark.report.results import _draw, gather
from tests.helpers.benchmark import write_records
from tests.helpers.browser import faults, open_browser, press, resize, wait
from tests.helpers.models import tiny_model

# Model -> seconds that its onsets are off, and how much its scores tell.
MODELS = {
    "good_phasenet": (0.02, 3.0),
    "alike_phasenet": (0.0202, 2.9),
    "bad_seismollm": (0.5, 0.5),
}
HOSTILE = "<script>alert(1)</script>"
THIRD_TABLE = "document.querySelectorAll('table.sortable')[2]"
NAMES = f"[...{THIRD_TABLE}.tBodies[0].rows].map((row) => row.cells[0].textContent)"


def write_predictions(folder, config, off, strength):
    rng = np.random.default_rng(len(config))
    path = folder / "pred_cross" / f"{config}_toy" / "version_0"
    path.mkdir(parents=True)
    for side, count in (("dev", 40), ("test", 120)):
        names = [f"{side}{i // 2}" for i in range(count)]
        table = pd.DataFrame({"trace_name": names, "sampling_rate": 100, "start_sample": 0})
        positive = np.arange(count) % 4 < 2
        score = strength * positive + rng.normal(0, 1, count)
        table["trace_type"] = np.where(positive, "earthquake", "noise")
        table.assign(score_detection=score).to_csv(path / f"{side}_task1.csv", index=False)
        table["phase_label"] = np.where(positive, "P", "S")
        table["phase_onset"] = rng.integers(100, 900, count)
        away = 100 * off * rng.choice([-1, 1], count) * rng.uniform(0.5, 1.5, count)
        onset = table["phase_onset"] + away
        table = table.assign(score_p_or_s=np.exp(score), p_sample_pred=onset, s_sample_pred=onset)
        table.to_csv(path / f"{side}_task23.csv", index=False)
        truth = rng.uniform(1, 4, count)
        table = pd.DataFrame({"trace_name": names, "magnitude": truth})
        table["magnitude_pred"] = truth + off * rng.normal(0, 1, count)
        table.to_csv(path / f"{side}_task_magnitude.csv", index=False)
    provenance.write(path, provenance.provenance({"weights": HOSTILE}, 7))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for config, (off, strength) in MODELS.items():
        write_predictions(folder, config, off, strength)
    names = [f"{side}{i}" for side in ("dev", "test") for i in range(60)]
    events = [f"ev{i // 3}" for i in range(len(names))]
    (folder / "targets" / "toy").mkdir(parents=True)
    traces = pd.DataFrame({"trace_name": names, "source_id": events})
    traces.to_csv(folder / "targets" / "toy" / "traces.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def page(results):
    records = results / "records"
    records.mkdir()
    write_records(records)
    make_targets(str(records), results / "other", ["23"])
    targets = pd.read_csv(results / "other" / "task23.csv")
    targets = targets[targets["trace_split"] == "test"].reset_index(drop=True)
    pickers = {"good phasenet": BenchmarkPicker(tiny_model())}
    examples = make_examples(pickers, open_for_benchmark(str(records)), targets, [0, 3])
    write_examples(results, examples)
    return write_report(results, results / "report.html", "Toy", draws=30)


def test_measures_and_verdict(results):
    found = gather(results, draws=40)
    assert [q.name for q in found.questions] == [
        "Detection",
        "P or S",
        "Onset of P",
        "Onset of S",
        "Magnitude",
    ]
    onset = found.questions[2]
    assert onset.ranking[-1] == "bad seismollm"
    assert onset.values["bad seismollm"]["mae"] == pytest.approx(0.5, rel=0.1)
    low, high = onset.intervals["bad seismollm"]["mae"]
    assert low < onset.values["bad seismollm"]["mae"] < high
    # As there are 20 earthquakes, not 60 windows.
    assert len(np.unique(onset.events)) == 20
    assert onset.as_good_as_best() and "bad seismollm" not in onset.as_good_as_best()

    said = {entry["name"]: entry["text"] for entry in verdict(found)}
    assert "phasenet is best of 3 models" in said["Onset of P"]
    assert "Not distinguishable from it" in said["Onset of P"]
    assert "The best SeisMoLLM, bad seismollm, is number 3" in said["Onset of P"]
    assert "An answer without any waveform reaches" in said["Magnitude"]
    rows = table_rows(onset)
    assert rows[0]["cells"][-1]["text"] == "-" and rows[-1]["cells"][-1]["text"].startswith("+0.4")
    assert gather(results, draws=40).questions[2].intervals == onset.intervals


def test_auc():
    rng = np.random.default_rng(0)
    truth, score = rng.random(50) < 0.4, rng.integers(0, 9, 50)
    pairs = score[truth][:, None] - score[~truth][None]
    assert auc(truth, score) == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_examples_are_chosen_by_rule():
    table = pd.DataFrame(
        {
            "trace_name": ["a", "a", "b", "c", "d"],
            "phase_label": "P",
            "phase_onset": 100,
            "sampling_rate": 100,
            "p_sample_pred": [100, 101, 130, 110, 190],
            "s_sample_pred": 0,
        }
    )
    # From the easiest to the hardest, one window of a record.
    assert choose({"model": table}, 3) == [0, 2, 4]
    assert choose({"model": table}, 9) == [0, 3, 2, 4]


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.text, self.inside = [], set(), [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.ids.add(attributes.get("id"))
        self.links += [attributes[k] for k in ("src", "href") if k in attributes]
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not set(self.inside) & {"script", "style"}:
            self.text.append(data)


def test_page(page):
    reader = Reader()
    reader.feed(page.read_text())
    text = " ".join(" ".join(reader.text).split())
    # The verdict comes first, and nothing from elsewhere.
    assert text.index("Verdict") < text.index("best of 3 models") < text.rindex("Reader's guide")
    assert all(link.startswith(("#", "data:")) for link in reader.links)
    assert all(link[1:] in reader.ids for link in reader.links if link.startswith("#"))
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("table") == 5 and tags.count("figure") == 5 + 2
    buttons = [a for tag, a in reader.tags if tag == "th" and "aria-sort" in a]
    assert len(buttons) == tags.count("button") > 20
    # What files say is text.
    assert HOSTILE not in page.read_text() and "alert(1)" in text
    assert '"seed": 7' in text and "data-value" in page.read_text()


@pytest.mark.timeout(300)
def test_in_a_browser(page, tmp_path):
    with open_browser(tmp_path / "profile") as driver:
        run = driver.execute_script
        driver.get(page.as_uri())
        wait(driver, "document.querySelectorAll('.plot .main-svg').length >= 7")
        assert faults(driver) == []
        # A pale word is a fault, or the check would not see one.
        run("document.querySelector('h1').style.color = '#bbb'")
        assert [fault.split(":")[0] for fault in faults(driver)] == ["Toy"]
        run("document.querySelector('h1').style.color = ''")

        # With the keyboard alone: the first stop leads past the navigation, then heads sort.
        press(driver, "\ue004")
        assert run("return document.activeElement.textContent") == "Skip to the verdict"
        run(f"{THIRD_TABLE}.querySelectorAll('th button')[1].focus()")
        orders = []
        for _ in range(2):
            press(driver, "\ue007")
            orders.append(run(f"return {NAMES}"))
        assert orders[0][-1] == "bad seismollm" and orders[1] == orders[0][::-1]
        assert run("return document.activeElement.parentNode.ariaSort") == "descending"
        # One sees where one is.
        assert run("return getComputedStyle(document.activeElement).outlineStyle") != "none"

        resize(driver, 390, 844)
        assert faults(driver) == []


def test_nothing_to_report(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no predictions"):
        write_report(tmp_path, tmp_path / "report.html")


def test_earthquakes_are_drawn_whole_also_if_some_have_no_row():
    """Numbers of earthquakes may have gaps: records without an answer are left out."""
    events = np.repeat(np.arange(0, 60, 3), 2)
    drawn = _draw(events, 20, 0)
    assert len(drawn) == 20
    for rows in drawn:
        assert len(rows) == 40
        counts = np.bincount(rows, minlength=40).reshape(-1, 2)
        assert (counts[:, 0] == counts[:, 1]).all()
    assert len({tuple(rows) for rows in drawn}) == 20
