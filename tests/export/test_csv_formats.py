"""Files of PhaseNet and EQTransformer, ours and as these programs write them."""

import pandas as pd
import pytest
from hypothesis import given

from seisbench_llm.export import export, picks_to_dataframe, read_picks
from seisbench_llm.export.csv_formats import pair
from tests.helpers.picks import FAST, PICKS, TWO, pick_at

PHASENET = """station_id,begin_time,phase_index,phase_time,phase_score,phase_amplitude,phase_type
CI.CCC..BH,2019-07-04T17:00:00.004,16318,2019-07-04T17:02:43.184,0.748,5.1e-06,P
NA.CCC.00.HN,2019-07-04T17:00:00.004,16902,2019-07-04T17:02:49.024,0.873,,S
"""
EQTRANSFORMER = (
    "file_name,network,station,instrument_type,station_lat,station_lon,station_elv,"
    "event_start_time,event_end_time,detection_probability,detection_uncertainty,p_arrival_time,"
    "p_probability,p_uncertainty,p_snr,s_arrival_time,s_probability,s_uncertainty,s_snr\n"
    "B921_PB,PB,B921,EH,35.5,-117.3,694.0,2019-09-01 00:00:37.508,2019-09-01 00:00:40.4,0.98,,"
    "2019-09-01 00:00:37.508,0.8,0.01,30.1,2019-09-01 00:00:38.598300,0.6,,12.0\n"
    "CA06_NA,NA,CA06,HH ,35.6,-117.6,796.2,2019-09-01 00:05:00,2019-09-01 00:05:09,0.5,,"
    ",,,,2019-09-01 00:05:04,0.3,,\n"
)


def test_phasenets_own_file_is_read_by_its_columns(tmp_path):
    (tmp_path / "picks.csv").write_text(PHASENET)
    found = read_picks(tmp_path / "picks.csv")
    assert list(found["trace_id"]) == ["CI.CCC.", "NA.CCC.00.HN"]
    assert list(found["instrument"]) == ["BH", "HN"] and list(found["phase"]) == ["P", "S"]
    assert found["time"][0] == pd.Timestamp("2019-07-04T17:02:43.184Z")
    assert list(found["probability"]) == [0.748, 0.873]
    assert found["amplitude"][0] == 5.1e-6 and pd.isna(found["amplitude"][1])


def test_eqtransformers_own_file_is_read_by_its_columns(tmp_path):
    (tmp_path / "X_prediction_results.csv").write_text(EQTRANSFORMER)
    found = read_picks(tmp_path / "X_prediction_results.csv")
    assert list(found["trace_id"]) == ["PB.B921.", "PB.B921.", "NA.CA06."]
    assert list(found["phase"]) == ["P", "S", "S"] and list(found["instrument"])[2] == "HH"
    assert found["time"][1] == pd.Timestamp("2019-09-01T00:00:38.5983Z")
    assert list(found["probability"]) == [0.8, 0.6, 0.3] and found["time_uncertainty"].isna().all()


def test_s_joins_the_p_before_it():
    a, b = "XX.A.", "XX.B."
    picks = [pick_at(9, a, "S"), pick_at(0, a), pick_at(5, a), pick_at(7, b, "S")]
    picks += [pick_at(300, b), pick_at(500, b, "S")]
    assert pair(picks_to_dataframe(picks)) == [
        (1, None),
        (2, 0),
        (None, 3),
        (4, None),
        (None, 5),
    ]
    assert pair(picks_to_dataframe([])) == []


@FAST
@given(picks=PICKS)
def test_no_pick_gets_lost(picks, tmp_path):
    expected = sorted((p.trace_id.split(".")[1], p.phase, p.peak_time.ns) for p in picks)
    for name in ("phasenet", "eqtransformer"):
        found = read_picks(export(picks, tmp_path / "a.csv", name), name)
        ns = [time.as_unit("ns").value for time in found["time"]]
        codes = [trace_id.split(".")[1] for trace_id in found["trace_id"]]
        assert sorted(zip(codes, found["phase"], ns, strict=True)) == expected


@pytest.mark.parametrize("suffix", [".phasenet.csv", ".eqt.csv"])
def test_other_phases_and_other_files_are_errors(suffix, tmp_path):
    with pytest.raises(ValueError, match="only the phases P and S, not .'Pn'"):
        export([pick_at(0, phase="Pn")], tmp_path / f"a{suffix}")
    (tmp_path / f"b{suffix}").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=f"b{suffix} cannot be read .* has no column"):
        read_picks(tmp_path / f"b{suffix}")


def test_rows_of_eqtransformer(tmp_path):
    s = pick_at(TWO[0].peak_time + 3, "XX.ABC.00.HN", "S", 0.9)
    table = pd.read_csv(export([TWO[0], s], tmp_path / "a.eqt.csv"))
    assert len(table) == 1 and table["detection_probability"][0] == 0.9
    assert (
        table["event_start_time"][0] == table["p_arrival_time"][0] == ("2024-03-01 00:01:04.710000")
    )
    assert table["event_end_time"][0] == table["s_arrival_time"][0]
