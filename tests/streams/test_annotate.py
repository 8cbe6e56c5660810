"""What SeisBench checks for its own models, and what observatories' data ask for beyond."""

import asyncio

import numpy as np
import obspy
import pytest
import torch

from seisbench_llm.network.fused import FusedCache
from seisbench_llm.preprocess import normalize
from seisbench_llm.tasks import TASKS
from tests.helpers.models import tiny_model
from tests.helpers.streams import assert_same, make_stream

POINT_TASKS = [name for name, spec in TASKS.items() if spec.output_type == "point"]


@pytest.mark.parametrize("task", TASKS)
def test_annotate_and_classify(task):
    model, stream = tiny_model(task), obspy.read()
    before = stream.copy()
    annotations = model.annotate(stream)
    labels = [*TASKS[task].labels, *(["Detection"] if task == "picking" else [])]
    assert [t.stats.channel for t in annotations] == [f"SeisMoLLM_{label}" for label in labels]
    for trace in annotations:
        assert np.isfinite(trace.data).all()
        assert trace.data.dtype == np.float32
        assert trace.stats.instrument == "EH"
        assert abs(trace.stats.starttime - stream[0].stats.starttime) < 0.011
    result = model.classify(stream)
    assert result.creator == "SeisMoLLM"
    assert stream == before


def test_async_forms():
    model, stream = tiny_model(), obspy.read()
    assert_same(asyncio.run(model.annotate_async(stream)), model.annotate(stream))
    result = asyncio.run(model.classify_async(stream, P_threshold=0.01))
    assert len(result.picks) == len(model.classify(stream, P_threshold=0.01).picks) > 0


@pytest.mark.parametrize("task", TASKS)
def test_empty_stream(task):
    model = tiny_model(task)
    assert len(model.annotate(obspy.Stream())) == 0
    result = model.classify(obspy.Stream())
    assert len(result.picks if task == "picking" else result.estimates) == 0


def test_training_mode_is_restored():
    model = tiny_model().train()
    model.annotate(obspy.read())
    assert model.training


def test_detection_is_the_larger_curve_unless_trained():
    p, s, detection = tiny_model().annotate(make_stream())
    np.testing.assert_array_equal(detection.data, np.maximum(p.data, s.data))
    annotations = tiny_model(detection=True).annotate(make_stream())
    assert [t.stats.channel[10:] for t in annotations] == ["Detection", "P", "S"]
    assert not np.allclose(annotations[0].data, np.maximum(p.data, s.data), atol=1e-3)


@pytest.mark.parametrize("samples", [1, 50, 1500, 2999, 3000, 3001, 3500, 9000])
def test_annotation_covers_the_record_whatever_its_length(samples):
    model, stream = tiny_model(), make_stream(samples)
    if samples == 1:
        stream[0].data[:] = 1.0
    for trace in model.annotate(stream):
        assert trace.stats.npts == samples
        assert abs(trace.stats.starttime - stream[0].stats.starttime) < 1e-6


def test_window_sees_what_training_would_see(monkeypatch):
    # A stream of exactly one window that nothing is added to: the network gets normalize(data).
    model, stream = tiny_model(), make_stream(3000)
    seen = []
    predict = FusedCache.predict

    def spy(cache, network, window, precision):
        seen.append(window.clone())
        return predict(cache, network, window, precision)

    monkeypatch.setattr(FusedCache, "predict", spy)
    annotations = model.annotate(stream, blinding=(0, 0), strict=True)
    data = np.stack([stream.select(component=c)[0].data for c in "ZNE"])
    window = normalize(torch.from_numpy(data[None]).float())
    torch.testing.assert_close(seen[0], window, atol=1e-6, rtol=1e-6)
    with torch.no_grad():
        expected = model(window)[0, 1:].numpy()
    for trace, curve in zip(annotations, expected, strict=False):
        np.testing.assert_allclose(trace.data, curve, atol=1e-5)


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 750, 1500, 2999])
def test_overlap_as_fraction_and_samples(overlap):
    stream = make_stream(3100 if overlap == 2999 else 9000)
    blinding = (0, 0) if overlap == 0 else (100, 100)
    annotations = tiny_model().annotate(stream, overlap=overlap, blinding=blinding)
    assert annotations[0].stats.npts == stream[0].stats.npts
    assert np.isfinite(annotations[0].data).all()


def test_fraction_and_samples_agree():
    model, stream = tiny_model(), make_stream(9000)
    assert_same(model.annotate(stream, overlap=0.5), model.annotate(stream, overlap=1500))


def test_stacking_and_batch_size():
    model, stream = tiny_model(), make_stream(9000)
    average, largest = model.annotate(stream), model.annotate(stream, stacking="max")
    assert (largest[0].data >= average[0].data - 1e-6).all()
    assert not np.allclose(largest[0].data, average[0].data)
    assert_same(model.annotate(stream, batch_size=1), average)


def test_blinding_discards_predictions():
    model = tiny_model()
    batch = torch.rand(2, 3, 3000)
    out = model.annotate_batch_post(batch, None, {"blinding": (10, 20)})
    assert out.shape == (2, 3000, 2)
    assert out.dtype == torch.float32
    assert torch.isnan(out[:, :10]).all() and torch.isnan(out[:, -20:]).all()
    assert torch.isfinite(out[:, 10:-20]).all()


def test_blinding_that_leaves_holes_warns(warnings_of):
    tiny_model().annotate(make_stream(9000), overlap=0, blinding=(100, 100))
    assert "Blinding (100, 100) discards more samples than the windows overlap" in warnings_of()


@pytest.mark.parametrize(
    "name, value",
    [
        ("overlap", 3000),
        ("overlap", -1),
        ("overlap", "half"),
        ("overlap", 10.5),
        ("stacking", "median"),
        ("stacking", None),
        ("blinding", (2000, 1000)),
        ("blinding", 5),
        ("blinding", (-1, 0)),
        ("batch_size", 0),
        ("stride", 0),
        ("stride", 2.5),
        ("windows_per_pick", 0),
        ("window_jitter", -1),
        ("min_separation", -1),
        ("P_threshold", 1.5),
        ("detection_threshold", "low"),
    ],
)
def test_impossible_arguments_raise_before_anything_runs(name, value):
    with pytest.raises(ValueError, match=name):
        tiny_model().classify(make_stream(), **{name: value})


def test_unknown_argument_warns(warnings_of):
    tiny_model().annotate(obspy.read(), colour="blue")
    assert "Unknown argument 'colour'" in warnings_of()


@pytest.mark.parametrize(
    "hook",
    ["forward", "annotate_batch_pre", "annotate_batch_post", "stream_to_array"]
    + ["_cut_fragments_array", "_predictions_to_stream"],
)
def test_failure_raises_instead_of_hanging(hook, monkeypatch):
    model = tiny_model()

    def fail(*args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, hook, fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        model.annotate(make_stream())
    monkeypatch.undo()
    assert len(model.annotate(make_stream())) == 3


def test_failure_deep_in_the_network_raises():
    model = tiny_model()
    model.network.head.out = torch.nn.Conv1d(99, 3, 7)
    with pytest.raises(RuntimeError, match="99 channels"):
        model.annotate(make_stream())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("unit", [1e-9, 1e-16, 1e9])
def test_scale_free(task, unit):
    model = tiny_model(task)
    stream = make_stream()
    scaled = stream.copy()
    for trace in scaled:
        trace.data = trace.data * unit
    assert_same(model.annotate(scaled), model.annotate(stream), 1e-5 * TASKS[task].value_range[1])


def test_integers_and_large_offset():
    model, stream = tiny_model(), make_stream()
    counts = stream.copy()
    for trace in stream:
        trace.data = np.round(trace.data * 1000)
    for trace in counts:
        trace.data = np.round(trace.data * 1000).astype(np.int32) + 10_000_000
    assert_same(model.annotate(counts), model.annotate(stream), 1e-4)


@pytest.mark.parametrize("rate", [20, 40, 50, 62.5, 80, 99.99, 100, 125, 200, 250])
def test_sampling_rates(rate):
    stream = make_stream(int(40 * rate), rate)
    for trace in tiny_model().annotate(stream):
        assert trace.stats.sampling_rate == 100
        assert abs(trace.stats.starttime - stream[0].stats.starttime) < 0.011
        assert abs(trace.stats.endtime - stream[0].stats.endtime) < 0.1


def test_mixed_sampling_rates_in_one_stream():
    stream = make_stream(station="A") + make_stream(rate=50.0, station="B")
    annotations = tiny_model().annotate(stream)
    assert {t.stats.station for t in annotations} == {"A", "B"}


@pytest.mark.parametrize("components", ["Z", "N", "ZE", "Z12", "ZN"])
@pytest.mark.parametrize("task", ["picking", "magnitude"])
def test_missing_components_are_zeros(components, task):
    model = tiny_model(task)
    full = make_stream()
    some = make_stream(components=components)
    for trace in some:
        trace.data = full.select(component={"1": "N", "2": "E"}.get(trace.id[-1], trace.id[-1]))[
            0
        ].data
    zeroed = full.copy()
    for trace in zeroed:
        if trace.id[-1] not in components.replace("1", "N").replace("2", "E"):
            trace.data[:] = 0
    assert_same(model.annotate(some), model.annotate(zeroed))


def test_inflexible_horizontals(warnings_of):
    annotations = tiny_model().annotate(
        make_stream(components="Z12"), flexible_horizontal_components=False
    )
    assert len(annotations) == 3
    assert "XX.STA.00.HH1" in warnings_of()


@pytest.mark.parametrize("components", ["Z", "ZN", "Z12"])
def test_back_azimuth_needs_three_components(components, warnings_of):
    model = tiny_model("back_azimuth")
    assert len(model.annotate(make_stream(components=components))) == 0
    assert "XX.STA.00.HH? at 2020-01-01" in warnings_of()
    unknown = "its horizontals are not north and east, and their directions are unknown"
    cause = {"Z12": unknown}.get(components, "back_azimuth needs three components")
    assert f"is ignored: {cause}" in warnings_of()
    both = make_stream(components=components) + make_stream(station="FULL")
    assert {t.stats.station for t in model.annotate(both)} == {"FULL"}


def test_two_instruments_at_one_location_are_kept_apart():
    model = tiny_model()
    hh, hn = make_stream(seed=1), make_stream(code="HN", seed=2)
    annotations = model.annotate(hh + hn)
    assert len(annotations) == 6
    for code, alone in (("HH", hh), ("HN", hn)):
        assert_same([t for t in annotations if t.stats.instrument == code], model.annotate(alone))
    picks = model.classify(hh + hn, P_threshold=0.01).picks
    assert {p.trace_id for p in picks} == {"XX.STA.00", "XX.STA.00.HN"}
    assert {p.instrument for p in picks} == {"HH", "HN"}
    assert {p.trace_id for p in model.classify(hh, P_threshold=0.01).picks} == {"XX.STA.00"}


def test_filter_is_applied():
    stream = make_stream(9000)
    drifting = stream.copy()
    for trace in drifting:
        trace.data = trace.data + 50 * np.sin(2 * np.pi * 0.01 * trace.times())

    def change(model):
        pairs = zip(model.annotate(stream), model.annotate(drifting), strict=True)
        return np.mean([np.abs(a.data - b.data).mean() for a, b in pairs])

    filtered = tiny_model(filter_args=["highpass"], filter_kwargs={"freq": 1.0})
    assert change(filtered) < 0.1 * change(tiny_model())


def test_other_window_lengths():
    model = tiny_model(in_samples=2048)
    annotations = model.annotate(make_stream(9001))
    assert annotations[0].stats.npts == 9001


@pytest.mark.parametrize("task", POINT_TASKS)
def test_point_estimates_cover_the_stream_at_a_sane_stride(task):
    stream = make_stream(12000)
    for trace in tiny_model(task).annotate(stream):
        assert trace.stats.delta == 5
        assert trace.stats.npts == 24
        assert abs(trace.stats.starttime - stream[0].stats.starttime) < 0.011


def test_point_estimate_is_that_of_its_window():
    model, stream = tiny_model("distance"), make_stream(12000)
    trace = model.annotate(stream, stride=1000)[0]
    data = np.stack([stream.select(component=c)[0].data for c in "ZNE"])
    data -= data.mean(axis=1, keepdims=True)
    at = 4000
    window = data[None, :, at - 500 : at + 2500]
    with torch.no_grad():
        expected = model(normalize(torch.from_numpy(window).float())).item()
    assert trace.data[4] == pytest.approx(expected, abs=5e-3)
