"""The table of a paper: its three formats, what is marked in it, and where published figures come from."""

import csv
import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inspyrenet.utils.report.paper import Line, Table, csv_lines, latex, markdown, measured, paper_table, write_paper
from inspyrenet.utils.report.published import CitedError, read_cited
from inspyrenet.utils.report.seeds import seed_lines
from inspyrenet.utils.report.tables import Row

METRICS = ("Sm", "mae")
ROOT = Path(__file__).parents[3]


def row(method: str, dataset: str, structure: float, error: float) -> Row:
    return Row(method, dataset, {"Sm": structure, "mae": error}, 5, 5)


ROWS = [
    row("ours_seed-0", "set_1", 0.90, 0.050),
    row("ours_seed-1", "set_1", 0.92, 0.054),
    row("ours_seed-0", "B", 0.70, 0.1),
    row("ours_seed-1", "B", 0.70, 0.1),
    row("plain", "set_1", 0.9101, 0.09),
    Row.failed("broken", "the loss is not finite"),
]
CITED = [
    Line("A & B", {("set_1", "Sm"): (0.8,), ("set_1", "mae"): (0.04,)}, "Doe et al., 50 % of it"),
    Line("elsewhere", {("other", "Sm"): (0.99,)}, "Roe et al."),
]


def table() -> Table:
    return paper_table(measured(ROWS, METRICS), CITED, METRICS)


def test_a_method_is_one_row_and_its_seeds_are_its_mean_and_deviation():
    lines = measured(ROWS, METRICS)
    assert [(line.method, line.seeds) for line in lines] == [("ours", "2"), ("plain", ""), ("broken", "")]
    assert lines[0].mean(("set_1", "Sm")) == pytest.approx(0.91)
    assert lines[0].deviation(("set_1", "Sm")) == pytest.approx(0.0141421, abs=1e-6)
    assert math.isnan(lines[1].deviation(("set_1", "Sm"))) and math.isnan(lines[1].mean(("B", "Sm")))
    failed = [*ROWS, Row.failed("ours_seed-2", "stopped")]
    assert measured(failed, METRICS)[0].seeds == "2 of 3"
    assert len(measured(failed, METRICS)[0].scores["B", "Sm"]) == 2


def test_markdown():
    assert markdown(table(), ["a note"]).splitlines() == [
        "| method | set_1 Sm ↑ | set_1 mae ↓ | B Sm ↑ | B mae ↓ |",
        "|---|---:|---:|---:|---:|",
        "| A & B † | <u>0.800</u> | **0.040** | - | - |",
        "| ours | **0.910** ± 0.014 | <u>0.052</u> ± 0.003 | 0.700 ± 0.000 | 0.100 ± 0.000 |",
        "| plain | **0.910** | 0.090 | - | - |",
        "| broken | - | - | - | - |",
        "",
        "* † A & B: Doe et al., 50 % of it (as published; their authors may have scored with other conventions).",
        "* Mean ± sample standard deviation over seeds (ours: 2).",
        "* a note",
    ]


def test_latex():
    lines = latex(table(), ["a note"]).splitlines()
    assert lines[:2] == ["% a note", r"% needs \usepackage{booktabs}"]
    assert lines[2:8] == [
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r" & \multicolumn{2}{c}{set\_1} & \multicolumn{2}{c}{B} \\",
        r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}",
        r"Method & $S_m$ $\uparrow$ & MAE $\downarrow$ & $S_m$ $\uparrow$ & MAE $\downarrow$ \\",
        r"\midrule",
    ]
    assert lines[8:10] == [r"A \& B$^\dagger$ & \underline{0.800} & \textbf{0.040} & -- & -- \\", r"\midrule"]
    assert r"ours & \textbf{0.910} $\pm$ 0.014 & \underline{0.052} $\pm$ 0.003 & 0.700 $\pm$ 0.000" in lines[10]
    assert lines[-2:] == [
        r"\par\smallskip{\footnotesize $^\dagger$ A \& B: Doe et al., 50 \% of it "
        r"(as published; their authors may have scored with other conventions).\par}",
        r"\par\smallskip{\footnotesize Mean $\pm$ sample standard deviation over seeds (ours: 2).\par}",
    ]


def test_csv_has_every_digit_and_nothing_where_a_value_lacks(tmp_path):
    write_paper(tmp_path, table())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper.csv", "paper.md", "paper.tex"]
    with (tmp_path / "paper.csv").open(newline="") as file:
        lines = {line["method"]: line for line in csv.DictReader(file)}
    assert list(lines) == ["A & B", "ours", "plain", "broken"]
    assert lines["plain"]["set_1 Sm"] == "0.9101" and lines["plain"]["set_1 Sm deviation"] == ""
    assert lines["ours"]["seeds"] == "2" and float(lines["ours"]["B mae deviation"]) == 0
    assert lines["A & B"]["source"] == "Doe et al., 50 % of it" and lines["broken"]["B Sm"] == ""
    assert csv_lines(paper_table(measured(ROWS[4:5], METRICS), [], METRICS))[0][3:] == ["set_1 Sm", "set_1 mae"]


def test_a_method_that_stands_alone_is_not_the_best():
    assert not paper_table(measured(ROWS[4:], METRICS), [], METRICS).places()


def test_readme_tells_the_shipped_figures():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = {line.method: line for line in read_cited("published")}
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    sets = next(line for line in cells if "DUT-OMRON" in line)[1:]
    for method in ("InSPyReNet Res2Net50", "InSPyReNet SwinB"):
        told = next(line for line in cells if line[0] == method)[1:]
        scores = lines[method].scores
        kept = [" / ".join(_told(scores.get((d, m))) for m in ("Sm", "maxFm", "mae")) for d in sets]
        assert kept == told
    large = lines["InSPyReNet SwinB, pyramid blending"].scores
    for dataset in dict.fromkeys(d for d, _ in large):
        figures = " / ".join(_told(large[dataset, m]) for m in ("Sm", "maxFm", "mae", "mBA"))
        assert re.search(rf"{dataset}\s+{re.escape(figures)}", text)


def _told(value: tuple[float] | None) -> str:
    return "—" if value is None else f"{value[0]:.3f}".removeprefix("0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A: {source: x}", "mine.yaml:1: A: must have `source` and `figures`"),
        ("A: {source: '', figures: {S: {Sm: 1}}}", "A.source: must say where"),
        (
            "A:\n  source: x\n  figures:\n    S: {maxFn: .9}",
            "mine.yaml:4: A.figures.S.maxFn: no metric of this name; did",
        ),
        ("A: {source: x, figures: {S: {Sm: high}}}", "A.figures.S.Sm: must be a number, not 'high'"),
        ("A: {source: x, figures: {S: {Sm: .nan}}}", "must be a number, not nan"),
        ("A: {source: x, figures: {S: .9}}", "A.figures.S: must be metrics"),
        ("A: {source: x, figures: []}", "A.figures: must be data sets"),
        ("[1]", "must consist of sections"),
    ],
)
def test_mistakes_in_cited_figures_are_told_with_their_place(tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(CitedError) as error:
        read_cited(str(path))
    assert said in str(error.value)


def test_a_source_of_several_lines_is_one(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("A:\n  source: |\n    Doe et al.,\n    Table 2\n  figures: {S: {Sm: .9}}\n")
    assert [line.source for line in read_cited(str(path))] == ["Doe et al., Table 2"]


def test_a_file_of_cited_figures_that_is_not_there(tmp_path):
    with pytest.raises(CitedError, match=r"nowhere\.yaml: cannot be read"):
        read_cited(str(tmp_path / "nowhere.yaml"))
    with pytest.raises(CitedError, match=r"^publishd: cannot be read: .*; did you mean published\?$"):
        read_cited("publishd")


@pytest.mark.system
def test_latex_compiles(tmp_path):
    compiler = shutil.which("tectonic") or shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("neither tectonic nor pdflatex is installed")
    (tmp_path / "table.tex").write_text(latex(table(), ["a note"]), encoding="utf-8")
    head = r"\documentclass{article}\usepackage{booktabs}\begin{document}\begin{table}\centering"
    (tmp_path / "all.tex").write_text(head + r"\input{table}\end{table}\end{document}")
    flags = [] if Path(compiler).name == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    subprocess.run([compiler, *flags, "all.tex"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    assert (tmp_path / "all.pdf").stat().st_size > 1000


def test_a_method_on_fewer_images_is_not_compared_in_silence():
    rows = [Row("a", "X", {"mae": 0.1}, 6, 6), Row("b", "X", {"mae": 0.2}, 2, 6)]
    table = paper_table(measured(rows, ["mae"]), [], ["mae"])
    said = "Scored in part, and not to be compared: b on X: 2 of 6 images."
    assert said in latex(table).partition("end{tabular}")[2] and said in markdown(table)
    assert csv_lines(table)[0][-1] == "in part" and [line[-1] for line in csv_lines(table)[1:]] == [
        "",
        "X: 2 of 6 images",
    ]
    seeds = [Row(f"a_seed-{i}", "X", {"mae": 0.1}, 6 - 4 * i, 6) for i in range(2)]
    assert seed_lines(seeds, ["mae"])[1][2] == "2, 1 in part"
