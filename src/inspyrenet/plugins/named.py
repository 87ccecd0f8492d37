"""Which objects from outside this package a config names, and with which arguments; those of training are in `trained.py`."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..utils.config.plugins import PluginError, accepted, argument_errors, find, installed, is_outside
from ..utils.config.schema import TYPES, Config, DatasetSection
from ..utils.metrics import METRICS


def is_own(kind: str, name: str, known: Collection[str] = ()) -> bool:
    """Whether a name stands for something outside this package; `known` are the package's own names, which come first."""
    return is_outside(name) or (name not in known and name in installed(kind))


@dataclass(frozen=True)
class Named:
    """One name in a config: its key, what it is a name of, and the arguments that YAML gives, under a key of their own.

    offered: arguments that are given only if the signature has them. skip: so many first parameters are given in calls.
    """

    kind: str
    key: str
    name: str
    arguments_key: str
    arguments: Mapping[str, Any]
    offered: Mapping[str, Any]
    skip: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)  # of arguments that stand elsewhere

    def errors(self) -> Iterator[tuple[str, str]]:
        """(dotted key, what is wrong)."""
        try:
            target = find(self.kind, self.name)
        except PluginError as error:
            yield self.key, str(error)
            return
        skip = 0 if isinstance(target, type) else self.skip
        for argument, text in argument_errors(target, self.arguments, self.offered, skip):
            if argument is None:
                yield self.arguments_key, text
            elif self.kind in _LISTED:
                yield self.arguments_key, f"{self.name}: {argument}: {text}"
            else:
                yield self.keys.get(argument, f"{self.arguments_key}.{argument}"), text
        if self.kind == "metric" and getattr(target, "better", None) not in ("higher", "lower"):
            yield self.key, f"{self.name} needs an attribute better, 'higher' or 'lower', so that tables know the best"

    def make(self) -> Any:
        """The object: what a class or a factory gives; a function that takes its input in calls, with its arguments bound.

        Raises PluginError with all that is wrong.
        """
        if problems := [f"{key}: {text}" for key, text in self.errors()]:
            raise PluginError("\n".join(problems))
        target = find(self.kind, self.name)
        arguments = {**accepted(target, self.offered), **self.arguments}
        if self.skip and not isinstance(target, type):
            return Bound(target, arguments)
        return target(**arguments)


_LISTED = ("metric", "augmentation")  # whose arguments stand in lists, or under names with dots


@dataclass(frozen=True)
class Bound:
    """A function with arguments of its own; can be pickled where the function can."""

    function: Any
    arguments: Mapping[str, Any]

    def __call__(self, *given: Any, **further: Any) -> Any:
        return self.function(*given, **self.arguments, **further)


def dataset(section: DatasetSection, key: str) -> Named | None:
    """The data set type, where it is not one of ours; a function is called with the root and the set."""
    if not is_own("data set type", section.type, TYPES):
        return None
    return Named("data set type", f"{key}.type", section.type, f"{key}.arguments", section.arguments, {}, skip=2)


def augmentations(section: DatasetSection, key: str) -> list[Named]:
    """The augmentations of transforms.plugins; a function is called with image, mask and generator."""
    where = f"{key}.transforms.plugins"
    return [Named("augmentation", where, one.name, where, one.arguments, {}, 3) for one in section.transforms.plugins]


def metrics(config: Config) -> list[Named]:
    """The metrics that are none of ours; a function is called with map and mask."""
    validation = config.Train.Validation if config.Train is not None else None
    names = {**dict.fromkeys(config.Eval.metrics, "Eval.metrics")}
    if validation is not None:
        names.setdefault(validation.metric, "Train.Validation.metric")
    given = config.Eval.metric_arguments
    return [
        Named("metric", key, name, "Eval.metric_arguments", given.get(name, {}), {}, 2)
        for name, key in names.items()
        if is_own("metric", name, METRICS)
    ]
