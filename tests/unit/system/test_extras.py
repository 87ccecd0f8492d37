"""What is said where a package of an extra is not installed."""

import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import inspyrenet
from inspyrenet.commands.errors import reported
from inspyrenet.utils.system.extras import MODULES, ExtraMissing, extras_named
from inspyrenet.utils.system.failures import Failures

PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


def raise_absent(name: str) -> None:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def distributions(requirements: list[str]) -> set[str]:
    """Names as pyproject.toml spells them, without versions and extras; other extras of this package left out."""
    names = {requirement.partition(">=")[0].partition("[")[0] for requirement in requirements}
    return names - {"inspyrenet"}


def test_the_table_is_what_pyproject_says():
    """Every package of an extra has its modules in the table, there or with another extra that brings it too."""
    extras = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(MODULES) == set(extras) - {"dev"}
    providers = packages_distributions()
    named: dict[str, str] = {}
    for extra, modules in MODULES.items():
        for module in modules:
            assert module not in named, f"{module} stands twice"
            names = {name.lower().replace("_", "-") for name in providers.get(module, [module])}
            (named[module],) = names & distributions(extras[extra])
    wanted = set().union(*(distributions(requirements) for extra, requirements in extras.items() if extra != "dev"))
    assert set(named.values()) == wanted


@pytest.mark.parametrize(("module", "extra"), [("torch", "train"), ("torch.nn", "train"), ("gradio", "web")])
def test_an_absent_package_is_told_with_its_extra(module, extra, capsys):
    with reported() as outcome:
        raise_absent(module)
    package = module.partition(".")[0]
    error = capsys.readouterr().err
    assert outcome.code == 1 and error.count("\n") == 1
    assert error.startswith(
        f"error: this needs the package {package} of the extra {extra}: ./install.sh --extras {extra} in"
    )


def test_one_of_several_items_is_told_so_too(capsys):
    failures = Failures(2)
    with failures.noted("first"):
        raise_absent("timm")
    assert failures["first"].startswith("this needs the package timm of the extra train: ")
    assert "Traceback" not in capsys.readouterr().err


def test_a_module_of_no_extra_stays_a_bug():
    with pytest.raises(ModuleNotFoundError, match="No module named 'torchx'") as caught, extras_named():
        raise_absent("torchx")
    assert not isinstance(caught.value, ExtraMissing)


def test_the_python_interface_says_it_in_an_import_error(monkeypatch):
    monkeypatch.delitem(sys.modules, "inspyrenet.api", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"torch of the extra train: .*pip install '\.\[train\]'"):
        inspyrenet.build_model  # noqa: B018
