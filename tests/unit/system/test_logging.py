"""The log of a run."""

import logging
import subprocess

import pytest

from inspyrenet.utils.system.logging import git_state, run_log, versions


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def test_file_holds_everything_needed_to_repeat_the_run(tmp_path, capsys):
    with run_log(tmp_path / "a" / "b", "train", config_text="seed: 3\n", device="cpu (2 threads)") as log:
        log.info("epoch 1")
        logging.getLogger("inspyrenet.utils.train.trainer").warning("from a module")
    path = only_file(tmp_path / "a" / "b")
    assert path.name.startswith("train_")
    assert path.suffix == ".log"
    text = path.read_text(encoding="utf-8")
    for part in ("seed: 3", "cpu (2 threads)", git_state(), "epoch 1", "from a module", *versions().values()):
        assert part in text
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "from a module\n")


def test_verbose_shows_messages_but_not_the_header(tmp_path, capsys):
    with run_log(tmp_path, "test", config_text="seed: 3", verbose=True) as log:
        log.info("epoch 1")
    assert capsys.readouterr().err == "epoch 1\n"


def test_what_stopped_the_run_is_in_the_file(tmp_path, capsys):
    with pytest.raises(ZeroDivisionError), run_log(tmp_path, "train"):
        1 / 0  # noqa: B018
    text = only_file(tmp_path).read_text()
    assert "stopped by ZeroDivisionError" in text
    assert "Traceback" in text
    assert capsys.readouterr().err == ""


def test_other_processes_write_no_file(tmp_path):
    with run_log(tmp_path / "x", "train", to_file=False) as log:
        log.info("quiet")
    assert not (tmp_path / "x").exists()


def test_runs_one_after_the_other_do_not_mix(tmp_path):
    logger = logging.getLogger("inspyrenet")
    before = (logger.level, logger.propagate, list(logger.handlers))
    for name in ("train", "eval"):
        with run_log(tmp_path / name, name) as log:
            log.info("this is %s", name)
    assert "this is eval" not in only_file(tmp_path / "train").read_text()
    assert "this is eval" in only_file(tmp_path / "eval").read_text()
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), run_log(tmp_path / "file" / "x", "train"):
        pass


def test_git_state_is_a_commit_or_says_that_there_is_none(monkeypatch):
    state = git_state()
    assert state == "not a clone" or len(state.removesuffix("+changes")) == 40
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: (_ for _ in ()).throw(FileNotFoundError("git")))
    assert git_state() == "not a clone"


def test_versions_name_the_packages_that_decide_results():
    found = versions()
    assert found["torch"][0].isdigit()
    assert list(found) == ["python", "inspyrenet", "torch", "torchvision", "timm", "numpy"]
