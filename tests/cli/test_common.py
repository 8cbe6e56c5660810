"""What commands print."""

import sys

import pandas as pd
import pytest

from seisbench_llm.cli.common import FIRST_ROWS, LAST_ROWS, echo_json_lines, echo_table
from seisbench_llm.export.tables import picks_to_dataframe


def test_no_picks_print_nothing(capsys):
    echo_json_lines(picks_to_dataframe([]))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("rows", [1, 30, 31, 32, 600])
def test_a_terminal_gets_no_long_tables(terminal, rows, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    echo_table(pd.DataFrame({"number": range(rows), "empty": None}), {"number": str, "empty": str})
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.strip() == "number"
    if not terminal or rows <= FIRST_ROWS + LAST_ROWS + 1:
        assert [int(line) for line in lines] == list(range(rows))
    else:
        note = lines.pop(FIRST_ROWS)
        assert note.startswith(f"... {rows - 30} more") and "--json" in note
        shown = [int(line) for line in lines]
        assert shown == [*range(FIRST_ROWS), *range(rows - LAST_ROWS, rows)]
