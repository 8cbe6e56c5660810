"""Figure of two catalogues."""

import numpy as np
import pytest

from seisbench_llm.monitor.compare import compare
from seisbench_llm.plotting import plot_comparison
from tests.helpers.figures import drawn
from tests.monitor.test_compare import catalog_of

OURS = ((10.5, 60.0, 10.0, 8, 2.1), (500, 60.1, 10, 5, 1.0), (800, 60.2, 10.1, 5, 1.0))
THEIRS = ((10, 60.1, 10, 6, 2.0), (900, 60, 10, 6, 2.0))


def test_both_catalogues_are_shown_with_their_differences():
    figure = plot_comparison(compare(catalog_of(*OURS), catalog_of(*THEIRS)))
    drawn(figure)
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["both, with a line to theirs (1)", "only theirs (1)", "only ours (2)"]
    area, time, *_ = figure.axes
    assert area.get_aspect() == pytest.approx(1 / np.cos(np.radians(60.1)), rel=0.01)
    assert time.get_xlabel() == "origin time: ours - theirs (s)"
    assert time.get_title() == "median 0.50"


def test_catalogues_without_common_events_are_shown():
    figure = plot_comparison(compare(catalog_of(*OURS), catalog_of()))
    drawn(figure)
    assert figure.legends[0].get_texts()[0].get_text().endswith("(0)")
    assert not any(axis.get_title() for axis in figure.axes)
