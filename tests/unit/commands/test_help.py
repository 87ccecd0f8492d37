"""--help of every command: in groups, on one screen, without loading anything heavy."""

import importlib

import pytest

from inspyrenet import cli
from inspyrenet.utils.metrics import GROUPS, METRICS

COMMANDS = {  # as it is typed: module, function
    "run/Inference.py": ("commands.cut_out", "main"),
    "run/Export.py": ("commands.export", "main"),
    "run/Demo.py": ("demo.command", "main"),
    "run/Benchmark.py": ("commands.benchmark", "main"),
    "run/Data.py": ("commands.data", "main"),
    "Expr.py": ("commands.experiment", "main"),
    "run/Train.py": ("commands.train", "main"),
    "run/Test.py": ("commands.test", "main"),
    "run/Eval.py": ("commands.evaluate", "main"),
    "run/Tune.py": ("commands.tune", "main"),
    "run/Explain.py": ("commands.explain", "main"),
    "inspyrenet i": ("cli", "one_image"),
    "inspyrenet p": ("cli", "many_images"),
    "inspyrenet batch": ("cli", "batch"),
    "inspyrenet s": ("cli", "serve"),
    "inspyrenet d": ("cli", "download"),
}
SCREEN = 50  # lines
NETWORK = ("--ckpt", "--device", "--resize", "--precision", "--jit", "--PM", "--gpu")


def shown(name: str, capsys, monkeypatch) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    module, function = COMMANDS[name]
    with pytest.raises(SystemExit) as caught:
        getattr(importlib.import_module(f"inspyrenet.{module}"), function)(["--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_grouped_and_fits_on_a_screen(name, capsys, monkeypatch):
    text = shown(name, capsys, monkeypatch)
    assert len(text.splitlines()) <= SCREEN
    groups = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert len(groups) >= 2, groups


@pytest.mark.parametrize(
    "name", ["run/Inference.py", "run/Demo.py", *(f"inspyrenet {word}" for word in "ips"), "inspyrenet batch"]
)
def test_every_command_that_runs_a_network_offers_the_same_options(name, capsys, monkeypatch):
    text = shown(name, capsys, monkeypatch).partition("\nnetwork:\n")[2]
    assert [option for option in (*NETWORK, "-m, --mode, -c, --config NAME") if option not in text] == []


def test_the_overview_fits_on_a_screen(capsys):
    assert cli.main(["--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= SCREEN


def test_scoring_lists_its_metrics_and_their_groups(capsys, monkeypatch):
    text = shown("run/Eval.py", capsys, monkeypatch)
    words = text.replace(",", " ").replace(";", " ").split()
    assert [name for name in (*METRICS, *GROUPS) if name not in words] == []


@pytest.mark.parametrize("name", ["b", "train", "tune", "test", "eval", "data", "explain"])
def test_help_calls_a_command_as_it_was_called(name, capsys):
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: inspyrenet {name} ")
