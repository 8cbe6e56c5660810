import pytest

from seisbench_llm.archive import Picker
from tests.helpers.models import tiny_model

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def test_wrong_task_is_refused(tmp_path):
    tiny_model("magnitude").save(tmp_path / "magnitude")
    with pytest.raises(ValueError, match="are for magnitude, not for picking"):
        Picker(str(tmp_path / "magnitude"))
