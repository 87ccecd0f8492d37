"""Shared command-line options and the choice of device."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from inspyrenet.commands import options
from inspyrenet.commands.options import build_parser, check_clone, read_options
from inspyrenet.engine.options import Options
from inspyrenet.utils.system.device import DeviceError, describe_device, resolve_device


def read(*words: str) -> Options:
    parser = build_parser("Try.")
    parser.add_argument("--from", dest="start", choices=["test", "eval"])
    return read_options(parser, words)


def test_everything_in_any_order():
    words = "seed=1,2 -c a.yaml b.yaml Train.lr=1 -v --from eval x=3 --device cpu -r -d --config c.yaml y=[1,2]"
    found = read(*words.split())
    assert found.config == ("a.yaml", "b.yaml", "c.yaml")
    assert sorted(found.overrides) == ["Train.lr=1", "seed=1,2", "x=3", "y=[1,2]"]
    assert (found.resume, found.verbose, found.debug, found.device) == (True, True, True, "cpu")
    assert vars(found.extra) == {"start": "eval"}


def test_defaults():
    found = read("--config", "a.yaml")
    assert (found.config, found.overrides) == (("a.yaml",), ())
    assert (found.resume, found.verbose, found.debug, found.device) == (False, False, False, "auto")


def test_a_config_may_be_named_without_the_option():
    assert read("a.yaml", "seed=1").config == ("a.yaml",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "say which experiment: --config"),
        (["seed=1"], "say which experiment"),
        (["-c", "a.yaml", "--verb"], "--verb"),
    ],
)
def test_mistakes(words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        read(*words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_config_may_be_optional():
    assert read_options(build_parser("Try.", config_required=False), []).config == ()


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from inspyrenet.commands.options import *; parser = build_parser('Try.'); text = parser.format_help();"
        "print('Train.Optimizer.lr=1e-5,3e-5' in text, {'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "set()"]


# -- devices ------------------------------------------------------------------------------------------------------


def pretend(monkeypatch, cuda: int = 0, mps: bool = False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "expected"),
    [
        (0, False, "auto", "cpu"),
        (0, True, "auto", "mps"),
        (2, False, "auto", "cuda:0"),
        (2, True, "auto", "cuda:0"),
        (2, False, "cuda", "cuda:0"),
        (2, False, "cuda:1", "cuda:1"),
        (2, False, "cpu", "cpu"),
        (0, True, "mps", "mps"),
    ],
)
def test_device(monkeypatch, cuda, mps, name, expected):
    pretend(monkeypatch, cuda, mps)
    assert str(resolve_device(name)) == expected


def test_each_process_takes_its_own_gpu(monkeypatch):
    pretend(monkeypatch, cuda=4)
    assert str(resolve_device("auto", local_rank=3)) == "cuda:3"
    assert str(resolve_device("cuda", local_rank=2)) == "cuda:2"
    with pytest.raises(DeviceError, match="here: cuda:0, cuda:1, cuda:2, cuda:3, cpu"):
        resolve_device("cuda", local_rank=4)


@pytest.mark.parametrize(
    ("cuda", "name", "message"),
    [
        (0, "cuda", "device 'cuda' was asked for but is not there; here: cpu; "),
        (0, "mps", "device 'mps' was asked for but is not there; here: cpu$"),
        (1, "cuda:1", "device 'cuda:1' was asked for but is not there; here: cuda:0, cpu$"),
        (0, "gpu", "there is no device called 'gpu'; here: cpu"),
        (0, "", "there is no device called ''; here: cpu"),
    ],
)
def test_device_that_is_not_there(monkeypatch, cuda, name, message):
    pretend(monkeypatch, cuda)
    with pytest.raises(DeviceError, match=message):
        resolve_device(name)


@pytest.mark.parametrize(
    ("built_for", "visible", "reason"),
    [
        (None, None, "built without CUDA"),
        ("13.2", "", "hides every GPU"),
        ("13.2", None, "built for CUDA 13.2 but finds"),
    ],
)
def test_says_why_there_is_no_gpu(monkeypatch, built_for, visible, reason):
    pretend(monkeypatch)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.version, "hip", None)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(DeviceError, match=reason):
        resolve_device("cuda")


def test_describe_device():
    assert describe_device(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"


# -- which copy runs ----------------------------------------------------------------------------------------------


def test_scripts_of_this_clone_run_and_others_do_not(tmp_path):
    root = Path(options.__file__).resolve().parents[3]
    check_clone(str(root / "Expr.py"))
    check_clone(str(root / "run" / "Train.py"))
    with pytest.raises(SystemExit, match=r"would run the copy of inspyrenet in .*: run \./install\.sh in this clone"):
        check_clone(str(tmp_path / "run" / "Train.py"))
