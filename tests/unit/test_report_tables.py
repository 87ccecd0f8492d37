"""Tables: what stands in them and what stands beneath."""

import math

import pytest
from inspyrenet.utils.report import ReportError, Row, footnotes, markdown, text_table, write_tables

ROWS = [
    Row("ours", "ECSSD", {"mae": 0.03456, "mBA": math.nan}, 10, 10),
    Row("theirs|v2", "ECSSD", {"mae": 0.1}, 8, 10, ("2 masks have no prediction",)),
]
METRICS = ("mae", "mBA")


def test_console_table_is_aligned():
    lines = text_table(ROWS, METRICS).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["method", "data", "set", "images", "mae", "mBA"]
    assert lines[2].split() == ["ours", "ECSSD", "10", "0.0346", "-"]
    assert "8 of 10" in lines[3]


def test_markdown_escapes_names_and_says_which_way_is_better():
    text = markdown(ROWS, METRICS, ["a note"])
    assert "| mae ↓ | mBA ↑ |" in text
    assert "theirs\\|v2" in text
    assert text.endswith("* a note\n")


def test_footnotes_state_remarks_conventions_and_definitions_once():
    notes = footnotes(ROWS, METRICS, ["saw test sets", "saw test sets"])
    assert notes[:2] == ["saw test sets", "theirs|v2 on ECSSD: 2 masks have no prediction"]
    assert sum("128" in note for note in notes) >= 1
    assert notes[-1].startswith("mBA: ")


def test_files_hold_every_digit(tmp_path):
    files = write_tables(tmp_path / "new" / "folder", ROWS, METRICS)
    text = files[0].read_text()
    assert "0.03456" in text
    assert text.splitlines()[2] == "theirs|v2,ECSSD,8,10,0.1,"


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"Eval\.result_path"):
        write_tables(tmp_path / "file" / "results", ROWS, METRICS)
