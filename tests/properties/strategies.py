"""Streams of every kind that a network of stations may send, or a user may hand over."""

import numpy as np
import obspy
from hypothesis import strategies as st
from obspy import UTCDateTime

from tests.properties.profiles import LONG

RATES = st.one_of(
    st.sampled_from([100.0, 50.0, 200.0, 20.0, 40.0, 31.25, 62.5, 80.0, 125.0, 250.0, 512.0]),
    st.sampled_from([99.99, 99.999992370605469, 100.00000762939453, 33.333333, 333.333333]),
    st.sampled_from([1.0, 5.0, 9.99, 10.0, 12.5, 1000.0]),
    st.floats(1, 1000, allow_nan=False),
)
# Without those that are too low for a model of 100 Hz.
USABLE_RATES = st.one_of(
    st.sampled_from([100.0, 50.0, 200.0, 20.0, 40.0, 31.25, 62.5, 80.0, 125.0, 250.0, 512.0]),
    st.sampled_from([99.99, 33.333333, 333.333333, 10.0, 12.5, 1000.0]),
)
STARTS = st.datetimes(
    min_value=UTCDateTime(1900, 1, 1).datetime, max_value=UTCDateTime(2300, 1, 1).datetime
).map(UTCDateTime)
SEEDS = st.integers(0, 2**32 - 1)
NETWORKS = st.sampled_from(["XX", "", "A.B", "[a]", "*", "?", "BO", "--"])
STATIONS = st.sampled_from(["STA", "ABC", "S.1", "[B]", "12345678", "", "*"])
LOCATIONS = st.sampled_from(["", "00", "10", "--", "*", "a.b", "1"])
# Codes of one to six channels that may come together.
CHANNELS = st.sampled_from(
    [
        ("HHZ", "HHN", "HHE"),
        ("HH1", "HH2", "HHZ"),
        ("HHZ", "HHN", "HHE", "HH1", "HH2"),
        ("EHE", "EHN", "EHZ"),
        ("HNZ", "HHZ", "HNN", "HHN", "HNE", "HHE"),
        ("BHZ", "HHZ"),
        ("SHZ",),
        ("DPZ", "DP1", "DP2"),
        ("UD", "NS", "EW"),
        ("U-D", "N-S", "E-W"),
        ("UD1", "NS1", "EW1", "UD2", "NS2", "EW2"),
        ("NS2", "UD1"),
        ("Z", "N", "E"),
        ("Z", "1", "2"),
        ("SZ", "SN", "SE"),
        ("S  Z", "S  N", "S  E"),
        ("LCE", "HHZ"),
        ("VMZ", "VM1", "VM2"),
        ("001", "002", "003"),
        ("HHX", "HHY", "HHZ"),
        ("HHU", "HHV", "HHW"),
        ("HHZ.D", "HHZ"),
        ("[Z", "[N"),
        ("*", "?", "", "HHE "),
        ("hhz", "BDF", "LOG"),
    ]
)
# What samples may be like, apart from noise.
KINDS = st.sampled_from(
    [
        "noise",
        "noise",
        "float32",
        "int32",
        "int64 extremes",
        "int8",
        "uint16",
        "big-endian",
        "float16",
        "longdouble",
        "zeros",
        "constant",
        "offset",
        "zero-filled",
        "clipped",
        "huge",
        "too huge",
        "tiny",
        "denormal",
        "masked",
        "all masked",
        "nan",
        "infinite",
        "corrupt",
        "read-only",
        "strided",
        "steps",
        "bool",
        "complex",
        "text",
    ]
)
REASONABLE_KINDS = st.sampled_from(
    ["noise", "float32", "int32", "constant", "zeros", "offset", "clipped", "masked", "nan"]
)


def samples_of(kind: str, samples: int, seed: int) -> np.ndarray:
    """Samples of a kind, always the same ones for a seed."""
    rng = np.random.default_rng(seed)
    data = rng.standard_normal(samples) * 1000
    for onset in rng.integers(0, max(samples, 1), 3):
        data[onset:] += 5000 * np.exp(-np.arange(samples - onset) / 50)
    some = rng.random(samples) < 0.02
    begin, end = sorted(rng.integers(0, samples + 1, 2))
    if kind == "int64 extremes":
        return rng.choice(np.array([-(2**63), 2**63 - 1, 0, 1]), samples)
    if kind in ("int32", "int8", "uint16", "float32", "float16", "longdouble"):
        return (data / 100).astype(kind)
    if kind == "big-endian":
        return data.astype(">i4")
    if kind == "bool":
        return data > 0
    if kind == "complex":
        return data.astype(complex)
    if kind == "text":
        return np.full(samples, "a")
    if kind == "zeros":
        return np.zeros(samples, np.int32)
    if kind == "constant":
        return np.full(samples, rng.choice([3.3, 1 / 3, -7.7e-9, 1e6 + 0.1]))
    if kind == "offset":
        return data + 1e7
    if kind == "zero-filled":
        data += 1e6
        data[begin:end] = 0
        return data
    if kind == "clipped":
        return np.clip(data, -1500, 1500)
    if kind == "masked":
        return np.ma.masked_array(data, (np.arange(samples) >= begin) & (np.arange(samples) < end))
    if kind == "all masked":
        return np.ma.masked_array(data, True)
    if kind == "read-only":
        data.flags.writeable = False
        return data
    if kind == "strided":
        return np.repeat(data, 3)[::3][::-1]
    if kind == "steps":
        return np.where(np.arange(samples) < begin, 1e5, -1e5)
    scale = {"huge": 1e29, "too huge": 1e300, "tiny": 1e-25, "denormal": 1e-318}.get(kind)
    if scale is not None:
        return data * scale
    value = {"nan": np.nan, "infinite": np.inf, "corrupt": 1e35}.get(kind)
    if value is not None:
        data[some] = value
    return data


class ShownStream(obspy.Stream):
    """A stream that shows what an example is about; Hypothesis cannot print ObsPy's."""

    def _repr_pretty_(self, printer, cycle):
        rows = [
            f"{t.id!r} {t.stats.starttime} {t.stats.sampling_rate!r} Hz {t.data.dtype}"
            f"{'' if np.ma.getmask(t.data) is np.ma.nomask else ' masked'}[{t.stats.npts}] "
            f"{t.data[:3]}"
            for t in self
        ]
        printer.text("Stream:\n  " + "\n  ".join(rows))


def make_trace(data, rate, start, codes) -> obspy.Trace:
    """A trace that keeps its data as they are."""
    network, station, location, channel = codes
    header = {"network": network, "station": station, "location": location, "channel": channel}
    trace = obspy.Trace(header={**header, "sampling_rate": rate, "starttime": start})
    trace._always_contiguous = False
    trace.data = data
    return trace


LENGTHS = st.one_of(
    st.integers(0, 3), st.integers(4, 700), st.integers(700, 20_000 if LONG else 2500)
)


@st.composite
def pieces(draw, codes, start, rates, kinds, lengths) -> list[obspy.Trace]:
    """Traces of one channel: one, or several with gaps, overlaps and changes of rate."""
    rate = draw(rates)
    time = start + draw(st.sampled_from([0.0, 0.0, 0.004, 0.0049, 0.005, 0.123457, 1.27, 8.0]))
    seed, traces = draw(SEEDS), []
    for number in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        trace = make_trace(samples_of(draw(kinds), draw(lengths), seed + number), rate, time, codes)
        traces.append(trace)
        end = trace.stats.endtime + trace.stats.delta if trace.stats.npts else time
        # Goes on; a gap; a long gap; clock set back; the same once more, with the same samples.
        late = draw(st.sampled_from([0.0, 0.0, 0.003, 0.5, 3.0, 700.0, -0.03, -1.0, None]))
        if late is None and trace.stats.npts:
            first = draw(st.integers(0, trace.stats.npts - 1))
            again = make_trace(trace.data[first:].copy(), rate, time + first / rate, codes)
            traces.append(again)
            late = 0.0
        time = end + (late or 0.0)
        rate = draw(st.one_of(st.just(rate), rates))
    return traces


@st.composite
def wild_streams(draw, rates=RATES, kinds=KINDS, channels=CHANNELS, lengths=LENGTHS):
    """Any stream: one or two stations of any codes, kinds and lengths, in any order."""
    traces = []
    start = draw(STARTS)
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        place = draw(st.tuples(NETWORKS, STATIONS, LOCATIONS))
        for channel in draw(channels):
            traces += draw(pieces((*place, channel), start, rates, kinds, lengths))
    return ShownStream(draw(st.permutations(traces)))


@st.composite
def tame_streams(draw, rates=USABLE_RATES, kinds=REASONABLE_KINDS, lengths=None):
    """Streams of known codes that can be used, one trace per channel, sub-samples apart."""
    lengths = lengths or st.integers(2, 2500)
    start, traces = draw(STARTS), []
    for station in draw(st.sampled_from([("A",), ("A", "B")])):
        for channel in draw(
            st.sampled_from(
                [("HHZ", "HHN", "HHE"), ("HH1", "HH2", "HHZ"), ("EHZ",), ("HNZ", "HHZ", "HHE")]
            )
        ):
            rate, late = draw(rates), draw(st.integers(0, 2_000_000)) / 1e6
            data = samples_of(draw(kinds), draw(lengths), draw(SEEDS))
            traces.append(make_trace(data, rate, start + late, ("XX", station, "", channel)))
    return ShownStream(traces)
