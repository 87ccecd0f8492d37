"""Tables: what stands in them and what stands beneath."""

import math

import pytest

from inspyrenet.utils.metrics import Interval, find_conventions
from inspyrenet.utils.report.tables import (
    OF_SCORES,
    ReportError,
    Row,
    footnotes,
    latex,
    markdown,
    ranks,
    text_table,
    write_failures,
    write_tables,
)

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


def test_a_note_of_several_lines_is_one_line_of_every_file(tmp_path):
    notes = footnotes(ROWS, METRICS, ["ours: first words\n\n& more\n"])
    assert notes[0] == "ours: first words & more"
    write_tables(tmp_path, ROWS, METRICS, notes)
    assert "\n* ours: first words & more\n" in (tmp_path / "scores.md").read_text()
    assert "% ours: first words & more\n" in (tmp_path / "scores.tex").read_text()


def test_files_hold_every_digit(tmp_path):
    files = write_tables(tmp_path / "new" / "folder", ROWS, METRICS)
    text = files[0].read_text()
    assert "0.03456" in text
    assert text.splitlines()[2] == "theirs|v2,ECSSD,8,10,0.1,"


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"Eval\.result_path"):
        write_tables(tmp_path / "file" / "results", ROWS, METRICS)


def test_a_run_that_failed_has_a_line_and_its_reason_in_every_file(tmp_path):
    rows = [*ROWS, Row.failed("broken", "the loss is not finite")]
    assert text_table(rows, METRICS).splitlines()[-1].split() == ["broken", "-", "failed", "-", "-"]
    notes = footnotes(rows, METRICS)
    assert notes[0] == "broken failed: the loss is not finite"
    texts = [path.read_text() for path in write_tables(tmp_path, rows, METRICS, notes)]
    assert texts[0].splitlines()[-1] == "broken,-,0,0,,,the loss is not finite"
    assert all("the loss is not finite" in text for text in texts)


def test_tables_of_runs_that_all_failed_replace_what_was_there(tmp_path):
    write_tables(tmp_path, ROWS, METRICS, seeds=[["method"], ["old"]])
    for name in OF_SCORES:
        (tmp_path / name).write_text("old")
    write_failures(tmp_path, {"one": "the loss is not finite", "two": "a, b"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.csv", "scores.md", "scores.tex"]
    assert (tmp_path / "scores.csv").read_text().splitlines() == [
        "method,dataset,images,masks,failure",
        "one,-,0,0,the loss is not finite",
        'two,-,0,0,"a, b"',
    ]
    for name in ("scores.md", "scores.tex"):
        assert "two failed: a, b" in (tmp_path / name).read_text()


def test_the_spread_over_seeds_of_an_earlier_command_goes(tmp_path):
    write_tables(tmp_path, ROWS, METRICS, seeds=[["method"], ["old"]])
    write_tables(tmp_path, ROWS, METRICS)
    assert not (tmp_path / "seeds.csv").exists()


def competing() -> list[Row]:
    scores = {"one": (0.9, 0.05), "two": (0.80001, 0.02), "three": (0.80002, 0.1)}
    return [Row(name, "set_1", {"maxFm": f, "mae": m}, 5, 5) for name, (f, m) in scores.items()]


def test_best_and_second_are_found_by_the_digits_that_are_shown():
    assert ranks(competing(), "maxFm") == {0: 1, 1: 2, 2: 2}
    assert ranks(competing(), "mae") == {1: 1, 0: 2}
    assert ranks(competing()[:1], "mae") == {}


def test_latex_marks_best_and_second_and_escapes_names():
    text = latex(competing(), ["maxFm", "mae"], ["50 % of it"])
    assert r"one & set\_1 & 5 & \textbf{0.9000} & \underline{0.0500} \\" in text
    assert r"\textbf{0.0200}" in text
    assert text.count(r"\underline{0.8000}") == 2
    assert text.startswith("% 50 % of it")
    assert r"\begin{tabular}{llrrr}" in text


def test_intervals_stand_in_markdown_and_csv(tmp_path):
    row = Row("ours", "set", {"mae": 0.05}, 5, 5, (), {"mae": Interval(0.04, 0.061234)})
    write_tables(tmp_path, [row], ["mae"])
    assert "0.0400 … 0.0612" in (tmp_path / "scores.md").read_text()
    assert (tmp_path / "scores.csv").read_text().splitlines() == [
        "method,dataset,images,masks,mae,mae_low,mae_high",
        "ours,set,5,5,0.05,0.04,0.061234",
    ]


def test_footnotes_name_the_conventions():
    text = " ".join(footnotes(ROWS, METRICS, (), find_conventions("published")))
    assert "Conventions: published" in text
    assert "not stretched" in text


def test_what_is_done_with_soft_masks_is_said_of_the_metrics_that_do_it():
    cut = "Masks are foreground above 128 of 255 (soft masks are cut there)"
    assert f"{cut}." in footnotes(ROWS, METRICS)
    assert f"{cut}; SAD, Grad take masks as they are." in footnotes(ROWS, ("mae", "SAD", "Grad"))
    assert f"{cut}; SAD takes masks as they are." in footnotes(ROWS, ("mae", "SAD"))
    assert not [line for line in footnotes(ROWS, ("SAD", "Grad")) if "cut there" in line]
