"""benchmarks/gpu.py before anything heavy: who may run until when, and what a fresh machine is told."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu_stages import budget, preflight
from benchmarks.gpu_stages.options import read_options
from benchmarks.gpu_stages.records import Records, table

ROOT = Path(__file__).resolve().parents[3]


# -- the plan -----------------------------------------------------------------------------------------------------


def test_shares_of_a_full_budget():
    ends = budget.plan(budget.STAGES, 540)
    assert list(ends) == ["check", "measure", "train"]
    assert ends == {"check": 60, "measure": 240, "train": 540 - budget.CLOSING}


def test_a_larger_budget_is_for_training_and_a_smaller_one_shrinks_all_shares():
    assert budget.plan(budget.STAGES, 5400) == {"check": 60, "measure": 240, "train": 5400 - budget.CLOSING}
    assert budget.plan(budget.STAGES, 54) == pytest.approx({"check": 6, "measure": 24, "train": 54 - 0.5})


@pytest.mark.parametrize("stages", [["train"], ["check"], ["measure", "check"], ["train", "check"]])
@pytest.mark.parametrize("seconds", [10, 540, 900])
@pytest.mark.parametrize("tiny", [True, False])
def test_ends_follow_one_another_and_the_last_stage_has_the_rest(stages, seconds, tiny):
    ends = [*budget.plan(stages, seconds, tiny).values()]
    assert ends == sorted(ends) and ends[0] > 0
    assert seconds * 0.98 < ends[-1] < seconds
    assert 0 < budget.margin(seconds) < 0.1 * seconds


def test_a_process_is_killed_with_its_children_when_its_time_is_over(tmp_path):
    mark = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert budget.run_until([sys.executable, "-c", code], time.monotonic() + 0.5, {}) is None
    time.sleep(2)
    assert not mark.exists()


def test_exit_codes_pass_through():
    assert budget.run_until([sys.executable, "-c", "raise SystemExit(7)"], time.monotonic() + 60, {}) == 7


# -- the command line ---------------------------------------------------------------------------------------------


def test_words_behind_only_change_the_config():
    options = read_options(["--out", "x", "--only", "train", "Train.ema=0.9", "--resume", "Model.depth=8"])
    assert options.only == ["train"] and options.resume
    assert sorted(options.words) == ["Model.depth=8", "Train.ema=0.9"]
    assert read_options(["--out", "x"]).only == [*budget.STAGES]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "chekc"], "chekc"),
        (["--only", "train", "train"], "twice"),
        (["--budget", "0"], "more than 0"),
        (["typo"], "Train.Optimizer.lr=1e-4"),
    ],
)
def test_mistakes_are_said_and_end_with_code_2(words, said, capsys):
    with pytest.raises(SystemExit) as left:
        read_options(["--out", "x", *words])
    assert left.value.code == 2 and said in capsys.readouterr().err


# -- preflight ----------------------------------------------------------------------------------------------------

LENT = {  # a machine with torch and much else
    **{"torch": "2.11.0+cu130", "torchvision": "0.26.0", "timm": "1.0.30", "numpy": "2.5.2", "pyyaml": "6.0.3"},
    **{"tqdm": "4.67", "safetensors": "0.8.0", "tensorboard": "2.21", "matplotlib": "3.11", "pandas": "3.0"},
    **{"pillow": "12.0", "scipy": "1.17", "scikit-image": "0.26", "setuptools": "80.9", "opencv-python": "4.13"},
    **{"huggingface-hub": "0.36", "platformdirs": "4.3"},  # other packages bring them
}


def lent(**changes: str) -> tuple[list[str], dict[str, str]]:
    """What is wanted and what is wrong on that machine; it has OpenCV, from another package."""
    wanted = preflight.needed(ROOT / "pyproject.toml", lambda module: True)
    return wanted, preflight.unmet(wanted, {**LENT, **changes}.get, lambda module: module == "cv2")


def test_every_missing_package_is_named_at_once():
    _, problems = lent()
    assert {preflight.name_of(requirement) for requirement in problems} == {"onnxruntime", "pydantic", "pysodmetrics"}


def test_other_versions_are_named_with_what_is_there():
    _, problems = lent(timm="1.0.9", pillow="13.0.1", pydantic="2.7", onnxruntime="1.20.0", pysodmetrics="1.10")
    assert {preflight.name_of(r): what for r, what in problems.items()} == {
        "timm": "is installed as 1.0.9",
        "pillow": "is installed as 13.0.1",
    }


def test_the_commands_bring_what_is_missing_and_nothing_else(tmp_path):
    text = "\n".join(preflight.advice(*lent(), package_there=False, wheels=tmp_path))
    download = next(line for line in text.splitlines() if "pip download" in line)
    assert all(f"'{name}>=" in download for name in ("onnxruntime", "pydantic", "pysodmetrics"))
    assert "torch" not in download and "--only-binary=:all:" in download
    assert f"--python-version {sys.version_info.major}.{sys.version_info.minor} --platform manylinux2014_" in download
    assert f"{tmp_path}/numpy-*.whl" in text and f"{tmp_path}/scikit_image-*.whl" in text
    assert f"pip install --no-index --no-deps {tmp_path}/*.whl" in text
    assert "pip install --no-deps --no-build-isolation -e ." in text
    assert text.endswith("holds no wheels yet")


def test_the_size_of_the_wheels_is_said(tmp_path):
    for name, size in (("a-1-py3-none-any.whl", 1_500_000), ("b-1-py3-none-any.whl", 2_000_000)):
        (tmp_path / name).write_bytes(b"0" * size)
    assert preflight.advice(*lent(), True, tmp_path)[-1] == f"the folder {tmp_path} holds 2 wheels, 3.5 MB together"


def test_nothing_is_said_where_nothing_is_missing():
    assert preflight.advice(["torch>=2.11"], {}, package_there=True) == []


def test_an_old_setuptools_does_without_the_package_wheel_only_from_a_version_on():
    wanted = preflight.needed(ROOT / "pyproject.toml", lambda module: False)
    assert preflight.WITHOUT_WHEEL in wanted and len(wanted) == len(preflight.requirements(ROOT / "pyproject.toml"))


def test_a_requirement_that_cannot_be_read_is_an_error():
    with pytest.raises(ValueError, match="numpy~=1"):
        preflight.unmet(["numpy~=1"], {"numpy": "1.26"}.get)


def test_the_command_says_all_that_without_any_package(tmp_path):
    """-S hides what pip has installed; -s and -E the rest."""
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-E", str(ROOT / "benchmarks" / "gpu.py"), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 2
    assert "missing: torch is not installed" in done.stderr and "missing: this package itself" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


# -- results ------------------------------------------------------------------------------------------------------


def test_results_survive_a_torn_line_and_show_in_the_table(tmp_path):
    records = Records(tmp_path / "results.jsonl")
    records.add("check", "one", value=1e-6, limit=1e-4, seconds=0.1)
    start = records.size()
    records.add("check", "two", False, error="ValueError: no")
    records.add("measure", "three", None, error="why")
    with records.path.open("a") as stream:
        stream.write('{"stage": "tor')
    assert [record["name"] for record in records.read(start)] == ["two", "three"]
    records.add("train", "four")
    assert [record["name"] for record in records.read(start)] == ["two", "three", "four"]
    shown = table(records.read())
    assert "FAILED (ValueError: no)" in shown and "skipped (why)" in shown
    assert shown.endswith("2 ok, 1 failed, 1 skipped")
