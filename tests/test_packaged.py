"""The packaged weights on real earthquakes."""

import json
from pathlib import Path

import numpy as np
import obspy
import pytest
import seisbench.models as sbm
from obspy import UTCDateTime
from typer.testing import CliRunner

from benchmarks.common.records import load_set
from seisbench_llm import cli, weights
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.monitor.monitor import SeismicMonitor
from seisbench_llm.tasks import TASKS

START = UTCDateTime("2009-08-24T00:20:03")


@pytest.fixture(scope="module")
def picker():
    return SeisMoLLM.from_pretrained("compact_picking")


def test_every_packaged_weight_has_a_full_record_and_loads():
    assert weights.packaged_names() == sorted(f"compact_{task}" for task in TASKS)
    total = 0
    for name in weights.packaged_names():
        model = SeisMoLLM.from_pretrained(name)
        record = model.record
        assert record.name == name and record.task == model.task.name
        assert record.sampling_rate == model.sampling_rate
        assert record.window == model.in_samples / model.sampling_rate
        assert record.data and record.licence and record.figures and record.limits
        metadata = json.loads((weights.PACKAGED / f"{name}.json").read_text())
        assert len(metadata["sha256"]) == 64
        assert "/" not in str(metadata["model_args"]["backbone"]).removeprefix(
            "sentence-transformers/"
        )
        total += (weights.PACKAGED / f"{name}.safetensors").stat().st_size
    assert total < 30e6


def test_rjob(picker):
    # Onsets read from the plot: P on EHZ 4.70 s and S on EHE 5.68 s after the start.
    result = picker.classify(obspy.read())
    assert [p.phase for p in result.picks] == ["P", "S"]
    p, s = result.picks
    assert abs(p.peak_time - (START + 4.70)) < 0.15
    assert abs(s.peak_time - (START + 5.68)) < 0.3
    assert len(result.detections) >= 1


def test_five_answers_at_rjob():
    monitor = SeismicMonitor.from_pretrained("compact", strict=True)
    row = monitor.classify(obspy.read()).table.iloc[0]
    # EHZ falls from 370 to 199 counts before it rises.
    assert row["polarity"] == "D" and row["polarity_probability"] > 0.8
    # S comes 0.98 s after P: 8 km from the source.
    assert 2 < row["distance_km"] < 20
    assert -1 < row["magnitude"] < 3
    for name in ("magnitude", "distance", "back_azimuth"):
        assert row[f"{name}_spread"] > 0


def test_uh_array(picker):
    # Two local earthquakes in four minutes, seen at all four stations.
    stream = uh_array()
    picks = picker.classify(stream).picks
    assert {p.trace_id for p in picks} == {f"BW.UH{i}." for i in (1, 2, 3, 4)}
    assert sum(p.phase == "P" for p in picks) >= 8


@pytest.mark.parametrize("unit", [1e-9, 1e-16])
def test_physical_units(picker, unit):
    stream = obspy.read()
    for trace in stream:
        trace.data = trace.data.astype(float) * unit
    scaled, counts = picker.annotate(stream), picker.annotate(obspy.read())
    for one, other in zip(scaled, counts, strict=True):
        np.testing.assert_allclose(one.data, other.data, atol=1e-5)


def uh_array(stations="?"):
    folder = Path(obspy.__file__).parent / "signal" / "tests" / "data"
    stream = obspy.Stream()
    for file in sorted(folder.glob(f"BW.UH{stations}*.cut.slist.gz")):
        stream += obspy.read(str(file))
    return stream


def test_phasenet_fails_in_metres_and_this_does_not(picker, shared):
    phasenet = sbm.PhaseNet.load(shared / "weights" / "phasenet" / "original", version_str="1")
    stream = uh_array("3")
    expected = len(picker.classify(stream).picks)
    assert expected >= 2 and len(phasenet.classify(stream).picks) >= 2
    for trace in stream:
        trace.data = trace.data.astype(float) * 1e-16
    assert len(phasenet.classify(stream).picks) == 0
    assert len(picker.classify(stream).picks) == expected


def test_picks_move_with_the_stream(picker, shared):
    """Cutting off any number of samples ahead of the windows' grid leaves picks where they were."""
    sets = ("phasenet_ncedc154", "eqcorrscan_nz")
    records = [r for name in sets for r in load_set(shared / "data", name) if r.split == "test"]
    rng = np.random.default_rng(0)
    moved = []
    for record in records:
        start = record.stream[0].stats.starttime
        reference = picker.classify(record.stream).picks
        for shift in rng.integers(1, 2000, 2):
            shifted = picker.classify(record.stream.slice(start + shift / 100)).picks
            for pick in reference:
                if pick.peak_time - start < 25:
                    continue
                same = [q for q in shifted if q.phase == pick.phase]
                moved.append(min((abs(q.peak_time - pick.peak_time) for q in same), default=99.0))
    assert len(moved) > 100
    # Of PhaseNet's, three of four do.
    assert np.mean(np.array(moved) <= 0.0201) >= 0.92
    assert np.quantile(moved, 0.9) <= 0.0101


def test_half_a_window_is_picked(picker, shared):
    # 32.5 s in a 60 s model; EQTransformer returns nothing here.
    records = load_set(shared / "data", "quakemigrate_iceland")[:10]
    assert sum(bool(picker.classify(r.stream).picks) for r in records) >= 9


def test_demo(tmp_path):
    result = CliRunner().invoke(cli.app, ["demo", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "BW.RJOB." in result.output
    written = {f.name for f in tmp_path.iterdir()}
    assert written == {"waveforms.mseed", "picks.csv", "picks.xml", "picks.png"}
