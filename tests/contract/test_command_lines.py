"""No command completes what was not typed: an option that is cut short is an error and never another option."""

import ast
import importlib
import sys
from functools import cache
from pathlib import Path

import pytest

from inspyrenet.commands.parser import Parser
from tests.unit.commands.test_help import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
BARE = "benchmarks/gpu_stages/options.py"  # runs where the package may be absent


@cache
def calls(*names: str) -> list[tuple[str, ast.Call]]:
    """(file, call) of everything that is called so."""
    files = [path for folder in ("src", "run", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
    found = []
    for path in [ROOT / "Expr.py", *files]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and {getattr(node.func, "attr", ""), getattr(node.func, "id", "")} & {*names}:
                found.append((str(path.relative_to(ROOT)), node))
    return found


def test_every_command_line_is_read_by_the_one_parser():
    bare = calls("ArgumentParser")
    assert [place for place, _ in bare] == [BARE]
    assert {word.arg: ast.unparse(word.value) for word in bare[0][1].keywords}["allow_abbrev"] == "False"
    assert len({place for place, _ in calls("Parser")}) >= 18


@pytest.mark.parametrize("name", [*COMMANDS, "inspyrenet models"])
def test_a_long_option_is_never_completed(name, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module, function = COMMANDS.get(name, ("cli", "models"))
    command = getattr(importlib.import_module(f"inspyrenet.{module}"), function)
    with pytest.raises(SystemExit) as caught:
        command(["--help"])
    assert caught.value.code == 0
    options = {word.strip(",") for word in capsys.readouterr().out.split() if word.startswith("--")}
    for option in sorted(options & set(_declared())):
        short = option[:-1]
        if short in options or len(short) < 4:
            continue
        with pytest.raises(SystemExit) as caught:
            command([short])
        assert caught.value.code == 2
        error = capsys.readouterr().err
        assert "required" in error or f"unrecognized arguments: {short}; did you mean --" in error, (option, error)


def test_a_diagram_of_an_unknown_format_is_refused_before_anything_is_measured(capsys):
    with pytest.raises(SystemExit):
        importlib.import_module("inspyrenet.commands.benchmark").main(["-c", "a.yaml", "--picture", "time.xyz"])
    assert "time.xyz: a picture's name ends in .png, .svg, .pdf" in capsys.readouterr().err


def _declared() -> set[str]:
    """Every option that some parser of the project has."""
    return {
        word.value
        for _, call in calls("add", "add_argument", "_argument")
        for word in call.args
        if isinstance(word, ast.Constant) and str(word.value).startswith("--")
    }


# -- the parser itself --------------------------------------------------------------------------------------------


@pytest.fixture
def parser():
    parser = Parser(prog="try")
    parser.add_argument("-om", action="store_true")
    parser.add_argument("-r", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("-t", "--type")
    parser.add_argument("words", nargs="*")
    return parser


@pytest.mark.parametrize("read", ["parse_args", "parse_intermixed_args"])
@pytest.mark.parametrize(
    ("word", "meant"),
    [("-o", ""), ("--verb", "--verbose"), ("-verbose", "--verbose"), ("-type", "--type"), ("-tred", ""),
     ("-vom", "-om"), ("-rt", ""), ("--tpye", "--type"), ("-vt", "")],
)  # fmt: skip
def test_what_is_not_written_out_is_unknown(parser, capsys, read, word, meant):
    with pytest.raises(SystemExit):
        getattr(parser, read)(["a", word])
    error = capsys.readouterr().err
    assert f"unrecognized arguments: {word}" in error and ("did you mean" in error) == bool(meant) and meant in error


def test_what_is_written_out_is_taken(parser):
    found = parser.parse_intermixed_args(["-rv", "a", "-om", "-t", "red", "b", "--type=green", "-1"])
    assert (found.r, found.verbose, found.om, found.type, found.words) == (True, True, True, "green", ["a", "b", "-1"])


@pytest.mark.parametrize("read", ["parse_args", "parse_intermixed_args", "parse_known_args"])
def test_a_home_is_known_wherever_a_path_may_stand(parser, monkeypatch, read):
    """A shell knows ~ at the start of a word alone, and no shell starts a program from another one."""
    monkeypatch.setenv("HOME", "/home/me")
    words = ["--type=~/d", "~/a b/", "a=~/c", "~no-such-user.jpg"]
    for given in (words, None):
        monkeypatch.setattr(sys, "argv", ["try", *words])
        found = getattr(parser, read)(given)
        found = found[0] if read == "parse_known_args" else found
        assert (found.words, found.type) == (["/home/me/a b/", "a=~/c", "~no-such-user.jpg"], "/home/me/d")
