"""Code from outside this package by its name in a config: `package.module:Name`, or the name of an installed entry point.

An entry point is what an installed package declares under one of the GROUPS, e.g. `[project.entry-points."inspyrenet.models"]`.
Modules are looked for where Python looks, and then in the folders of the config. Nothing is imported for a name that `allow`
was not told of: `load_config` tells it the names of configs that a person has named. docs/extending.md says what each kind of
object promises.
"""

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..system.failures import line_of
from .errors import WORD_OUTSIDE
from .names import suggest

GROUPS = {
    "model": "inspyrenet.models",
    "encoder": "inspyrenet.encoders",
    "loss": "inspyrenet.losses",
    "metric": "inspyrenet.metrics",
    "augmentation": "inspyrenet.augmentations",
    "data set type": "inspyrenet.datasets",
    "tracker": "inspyrenet.trackers",
}
_PLACES = (  # where a config may have such names
    "Model.name",
    "Model.encoder",
    "Train.Loss",
    "Train.Tracker",
    "Train.Validation.metric",
    "Train.Dataset.type",
    "Train.Dataset.transforms.plugins",
    "Test.Dataset.type",
    "Test.Dataset.transforms.plugins",
    "Eval.metrics",
)
_allowed: dict[str, tuple[str, ...]] = {}  # name → folders; Python's table of modules is one for the process, too
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class PluginError(ValueError):
    """A name that leads to nothing, or to an object that is not what it should be; one line."""


def is_outside(name: Any) -> bool:
    """Whether a value is written as `package.module:Name`."""
    return isinstance(name, str) and WORD_OUTSIDE.fullmatch(name) is not None


def installed(kind: str) -> dict[str, EntryPoint]:
    """The entry points of a kind (a key of GROUPS) by name."""
    return {entry.name: entry for entry in entry_points(group=GROUPS[kind])}


def outside_names(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(dotted key, name) of everything in the plain data of a config that is written as `package.module:Name`."""
    found = []
    for place in _PLACES:
        value: Any = config
        for key in place.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        for one in value if isinstance(value, list | tuple) else [value]:
            name: Any = one.get("name") if isinstance(one, Mapping) else one
            found += [(place, name)] if is_outside(name) else []
    return found


def allow(names: Iterable[str], folders: Sequence[str]) -> None:
    """From now on these names may be imported, from these folders too."""
    _allowed.update(dict.fromkeys(names, tuple(folders)))


def find(kind: str, name: str, known: Collection[str] = ()) -> Any:
    """What the name stands for; `known` are this package's own names, for the message.

    Raises PluginError where there is no such module or name, where importing it fails, and where it is not allowed.
    """
    if is_outside(name):
        if name not in _allowed:
            raise PluginError(f"{name} is not imported: no config that was named on purpose has it")
        module, _, attribute = name.partition(":")
        return _attribute(_module(module, _allowed[name]), attribute)
    entries = installed(kind)
    if name in entries:
        return _attribute(_module(entries[name].module, ()), entries[name].attr)
    names = [*known, *entries]
    hint = suggest(name, names) or (f"; there is {', '.join(names)}" if names else "")
    raise PluginError(f"unknown {kind} {name!r}{hint}")


def accepted(target: Callable, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that the signature names."""
    names = {parameter.name for parameter in _parameters(target) if parameter.kind in _NAMED}
    return {name: value for name, value in arguments.items() if name in names}


def argument_errors(
    target: Callable, arguments: Mapping[str, Any], offered: Collection[str] = (), skip: int = 0
) -> Iterator[tuple[str | None, str]]:
    """(argument, what is wrong with it); None with arguments that are missing.

    offered: arguments that are given in any case; skip: so many first parameters are given later.
    """
    parameters = _parameters(target)[skip:]
    named = {parameter.name: parameter for parameter in parameters if parameter.kind in _NAMED}
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    hints = _hints(target)
    for name, value in arguments.items():
        if name not in named and takes_any:
            continue
        if name not in named:
            hint = suggest(name, named) or (f"; it takes {', '.join(named)}" if named else "; it takes none")
            yield name, f"unknown argument of {target.__name__}{hint}"
        elif name in hints and (wrong := _misfit(value, hints[name])):
            yield name, wrong
    given = {*arguments, *offered}
    absent = [name for name, one in named.items() if one.default is inspect.Parameter.empty and name not in given]
    if absent:
        yield None, f"{target.__name__} needs the argument{'s' * (len(absent) > 1)} {', '.join(absent)}"


# -- importing ----------------------------------------------------------------------------------------------------


def _module(name: str, folders: Sequence[str]) -> ModuleType:
    sys.path += [folder for folder in folders if folder not in sys.path]  # last: they hide nothing that is installed
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise PluginError(f"{name} cannot be imported: it needs {error.name}, which is not installed") from error
        places = "".join(f"{folder}, " for folder in folders)
        near = suggest(error.name, [path.stem for folder in folders for path in Path(folder).glob("*.py")])
        raise PluginError(
            f"there is no module {error.name} in {places}PYTHONPATH or what is installed{near}"
        ) from error
    except Exception as error:  # whatever code of other people raises
        reason = " ".join(str(error).split())
        raise PluginError(f"{name} cannot be imported: {type(error).__name__}: {reason}{line_of(error)}") from error
    _check_place(name.partition(".")[0], folders)
    return module


def _check_place(top: str, folders: Sequence[str]) -> None:
    """Raises PluginError where another module than that of the config's folder was imported, having the same name."""
    candidates = (Path(folder) / file for folder in folders for file in (f"{top}.py", f"{top}/__init__.py"))
    own = next((path for path in candidates if path.is_file()), None)
    loaded = sys.modules[top].__file__
    if own is not None and (loaded is None or Path(loaded).resolve() != own.resolve()):
        raise PluginError(f"{top} is {loaded or 'part of Python'} here, not {own}: give your module another name")


def _attribute(module: ModuleType, name: str) -> Any:
    if not hasattr(module, name):
        public = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
        raise PluginError(f"{module.__name__} has no {name}{suggest(name, public)}")
    found = getattr(module, name)
    if not callable(found):
        raise PluginError(f"{module.__name__}:{name} is {found!r}, not a class or function")
    return found


# -- signatures ---------------------------------------------------------------------------------------------------


def _parameters(target: Callable) -> list[inspect.Parameter]:
    return list(inspect.signature(target).parameters.values())


def _hints(target: Any) -> dict[str, Any]:
    """Argument → its type, where the signature says one that can be looked up."""
    is_class = isinstance(target, type)
    try:
        return typing.get_type_hints(target.__init__ if is_class else target)
    except (NameError, TypeError, AttributeError):
        return {}


def _misfit(value: Any, hint: Any) -> str | None:
    """What is wrong with a value of YAML for this type, or None."""
    try:
        TypeAdapter(
            hint, config=None if _has_config(hint) else ConfigDict(arbitrary_types_allowed=True)
        ).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{first['msg'].replace('Input should be', 'must be').partition(', ')[0]}, not {value!r}"
    return None


def _has_config(hint: Any) -> bool:
    """Whether pydantic takes no further settings for a type, which is then its own."""
    return hasattr(hint, "__pydantic_core_schema__") or typing.is_typeddict(hint)
