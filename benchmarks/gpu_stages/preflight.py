"""What a fresh machine lacks, said before anything heavy is imported, with the commands that bring it.

Names and versions come from pyproject.toml alone. Works where this package itself is not installed.
"""

import importlib.metadata
import platform
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

WHEELS = Path("wheels")
OTHER_SOURCES = {"opencv-python-headless": "cv2"}  # several packages bring this module
WITHOUT_WHEEL = "setuptools>=70.1"  # older ones install a folder only with the package wheel beside them
LINUX = ("manylinux2014", "manylinux_2_28")  # pip takes wheels of exactly the platforms that it is given

Version = tuple[int, ...]


def requirements(pyproject: Path) -> list[str]:
    """What the package needs to train, and to be installed from its folder, as pyproject.toml writes it."""
    content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    project = content["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["train"], *content["build-system"]["requires"]]


def name_of(requirement: str) -> str:
    """`timm>=1.0.15` → `timm`."""
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0]


def conditions(requirement: str) -> list[tuple[str, str]]:
    """`pillow>=10.3,<13` → [(">=", "10.3"), ("<", "13")]. Raises ValueError for an operator other than these two."""
    found = []
    for text in filter(None, requirement[len(name_of(requirement)) :].split(",")):
        match = re.fullmatch(r"\s*(>=|<)\s*([0-9][0-9.]*)\s*", text)
        if match is None:
            raise ValueError(f"cannot read the requirement {requirement!r}: use >= and < with plain numbers")
        found.append((match[1], match[2]))
    return found


def as_numbers(version: str) -> Version:
    """`2.11.0+cu130` → (2, 11); zeros at the end do not count."""
    numbers = [int(part) for part in re.match(r"[0-9.]*", version)[0].split(".") if part]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def installed_version(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def importable(name: str) -> bool:
    """Whether a module of this name would be found; imports at most the cheap package around it."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def keeps(mine: Version, sign: str, bound: Version) -> bool:
    """Whether a version keeps to one condition."""
    return mine >= bound if sign == ">=" else mine < bound


def unmet(
    wanted: Iterable[str],
    version_of: Callable[[str], str | None] = installed_version,
    has_module: Callable[[str], bool] = importable,
) -> dict[str, str]:
    """Requirement → what is wrong with it on this machine; empty where all is there."""
    problems = {}
    for requirement in wanted:
        name = name_of(requirement)
        version = version_of(name)
        if version is None:
            module = OTHER_SOURCES.get(name)
            if module is None or not has_module(module):
                problems[requirement] = "is not installed"
            continue
        if not all(keeps(as_numbers(version), sign, as_numbers(bound)) for sign, bound in conditions(requirement)):
            problems[requirement] = f"is installed as {version}"
    return problems


def advice(wanted: Sequence[str], problems: dict[str, str], package_there: bool, wheels: Path = WHEELS) -> list[str]:
    """The lines that say what is missing and which commands bring it; empty where nothing is missing."""
    if not problems and package_there:
        return []
    lines = [
        f"missing: {name_of(requirement)} {what} (needed: {requirement})" for requirement, what in problems.items()
    ]
    if problems:
        named = " ".join(shlex.quote(requirement) for requirement in problems)
        there = [name_of(requirement) for requirement in wanted if requirement not in problems]
        files = " ".join(f"{wheels}/{re.sub('[-.]+', '_', name)}-*.whl" for name in there)
        lines += [
            "bring it as wheels: on a machine with a network, in this folder,",
            f"  python -m pip download --dest {wheels} --only-binary=:all: {_target()} {named}",
            *([f"  rm -f {files}    # what this machine has already"] if files else []),
            f"and here, once the folder {wheels} has come along,",
            f"  {_python()} -m pip install --no-index --no-deps {wheels}/*.whl    # what this machine has stays as it is",
        ]
    if not package_there:
        lines += [
            "missing: this package itself, inspyrenet; in this folder, without a network,",
            f"  {_python()} -m pip install --no-deps --no-build-isolation -e .",
        ]
    return [*lines, describe_wheels(wheels)]


def describe_wheels(wheels: Path) -> str:
    """How many wheels lie in the folder, and how big they are together."""
    files = sorted(wheels.glob("*.whl"))
    if not files:
        return f"the folder {wheels} holds no wheels yet"
    size = sum(file.stat().st_size for file in files)
    return f"the folder {wheels} holds {len(files)} wheels, {size / 1e6:.1f} MB together"


def _target() -> str:
    """pip's words for the Python and the platform of this machine."""
    version = f"--python-version {sys.version_info.major}.{sys.version_info.minor}"
    return " ".join([version, *(f"--platform {kind}_{platform.machine()}" for kind in LINUX)])


def _python() -> str:
    return shlex.quote(sys.executable or "python")


def needed(pyproject: Path, has_module: Callable[[str], bool] = importable) -> list[str]:
    """`requirements`, as they are without the package wheel where that is absent."""
    found = requirements(pyproject)
    if has_module("wheel"):
        return found
    return [WITHOUT_WHEEL if name_of(requirement) == "setuptools" else requirement for requirement in found]


def check(root: Path) -> list[str]:
    """`advice` for this machine and the clone in `root`."""
    wanted = needed(root / "pyproject.toml")
    return advice(wanted, unmet(wanted), importable("inspyrenet") and importable("inspyrenet.lib"))
