"""Arguments of annotate and classify."""

import pytest

from seisbench_llm.streams import Arguments, validate_arguments
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


@pytest.mark.parametrize(
    "name, hint",
    [
        ("p_threshold", "did you mean P_threshold?"),
        ("Detection_threshold", "did you mean detection_threshold?"),
        ("DS_threshold", "did you mean S_threshold?"),
        ("anything_threshold", "did you mean P_threshold or S_threshold or"),
    ],
)
def test_unknown_threshold_is_an_error(name, hint):
    with pytest.raises(ValueError, match=f"There is no argument {name}: ") as error:
        validate_arguments(tiny_model(), {name: 0.9})
    assert hint in str(error.value)


def test_known_thresholds():
    for task in ("picking", "polarity"):
        names = ("P", "S", "detection", "polarity")
        validate_arguments(tiny_model(task), {f"{name}_threshold": 0.5 for name in names})


def test_as_given_else_by_the_model_else_by_the_class():
    model = tiny_model(default_args={"overlap": 0.75, "P_threshold": 0.6})
    arguments = validate_arguments(model, {"P_threshold": 0.1, "blinding": (5, 7), "unknown": 1})
    assert (arguments.threshold("P"), arguments.threshold("S")) == (0.1, 0.3)
    assert arguments.threshold("polarity") == 0.5
    assert (arguments.overlap, arguments.overlap_samples(1000)) == (0.75, 750)
    assert (arguments.blinding, arguments.batch_size) == ((5, 7), 32)
    assert arguments.given == {"P_threshold": 0.1, "blinding": (5, 7), "unknown": 1}
    assert arguments.argdict == {**arguments.given, "overlap": 0.75}
    assert Arguments.of(model, {"overlap": 300}).overlap_samples(1000) == 300


def test_blinding_more_than_the_overlap_is_warned_of_once(caplog):
    tiny_model().classify(make_stream(4000), overlap=0.1, blinding=(250, 250))
    assert caplog.text.count("discards more samples than the windows overlap") == 1
