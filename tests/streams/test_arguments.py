"""Arguments of annotate and classify."""

import pytest

from seisbench_llm.streams import validate_arguments
from tests.helpers.models import tiny_model


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
