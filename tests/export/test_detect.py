"""The format of a file, by its name or its content."""

from pathlib import Path

import obspy
import pandas as pd
import pytest

from seisbench_llm.export import export, picks_to_dataframe, read_picks
from seisbench_llm.export.detect import OBSPY, detect_format
from seisbench_llm.export.formats import FORMATS
from tests.helpers.picks import T0, TWO

NORDIC = Path(obspy.__file__).parent / "io/nordic/tests/data/01-0411-15L.S201309"


@pytest.mark.parametrize("name", FORMATS)
def test_content_tells_the_format_under_any_name(name, tmp_path):
    events = None
    if FORMATS[name].catalog:
        events = pd.DataFrame({"event_id": ["7"], "time": [T0], "latitude": 1, "longitude": 2})
        events["depth_km"] = 3.0
    picks = picks_to_dataframe(TWO).assign(event_id="7")
    path = export(picks, tmp_path / "what", name, events=events)
    # The reader of csv knows the columns of PyOcto and GaMMA.
    expected = "csv" if name in ("pyocto", "gamma") else name
    assert detect_format(path) == expected
    own = path.rename(tmp_path / f"picks{FORMATS[name].suffixes[0]}")
    assert detect_format(own) == name
    assert len(read_picks(own)) == (0 if name == "growclust" else 2)


def test_other_catalogues_are_read_by_obspy():
    assert detect_format(NORDIC) == OBSPY
    found = read_picks(NORDIC)
    assert len(found) > 10 and {"P", "S"} <= set(found["phase"])


def test_ambiguous_and_unknown_files_are_named(tmp_path):
    both = tmp_path / "both.csv"
    both.write_text("trace_id,phase,time,station_id,phase_time,phase_type\n")
    with pytest.raises(ValueError, match="both.csv .* several formats: phasenet, csv. .*growclust"):
        read_picks(both)
    assert len(read_picks(both, "csv")) == 0
    (tmp_path / "empty").touch()
    with pytest.raises(ValueError, match="empty cannot be read .* it is empty. Name its format"):
        read_picks(tmp_path / "empty")
    with pytest.raises(ValueError, match="Unknown format 'sac'. Formats: csv.*obspy"):
        read_picks(both, "sac")
    (tmp_path / "words").write_text("nothing of the kind\n")
    with pytest.raises(ValueError, match="words cannot be read as a file of picks"):
        read_picks(tmp_path / "words")
