"""What commands print."""

from seisbench_llm.cli.common import echo_json_lines
from seisbench_llm.export.tables import picks_to_dataframe


def test_no_picks_print_nothing(capsys):
    echo_json_lines(picks_to_dataframe([]))
    assert capsys.readouterr().out == ""
