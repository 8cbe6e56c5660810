"""What a model says of itself."""

from seisbench_llm.models.seismollm import SeisMoLLM
from tests.helpers.models import tiny_model


def test_a_line():
    model = SeisMoLLM.from_pretrained("compact_picking")
    assert repr(model) == (
        "SeisMoLLM(task='picking', window=120.32 s, sampling_rate=100 Hz, "
        "weights='compact_picking', P_threshold=0.3, S_threshold=0.3)"
    )
    model.default_args["P_threshold"] = 0.5
    assert "P_threshold=0.5, S_threshold=0.3" in repr(model)
    assert "weights=None)" in repr(tiny_model("magnitude"))


def test_a_table_for_notebooks():
    model = SeisMoLLM.from_pretrained("compact_picking")
    html = model._repr_html_()
    for text in (
        "compact_picking, version 5",
        "120.32 s, 12032 samples",
        "P 0.3, S 0.3",
        "GPL-3.0",
    ):
        assert text in html
    model.task = type("Task", (), {"name": "<b>"})
    assert "<b>" not in model._repr_html_()
