"""The configs that a command line names, checked before anything is built."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ..engine.options import Options

if TYPE_CHECKING:
    from ..utils.config.schema import Config


def load(options: Options, steps: Collection[str] = ()) -> "list[Config]":
    """Validated configs of all files and grid points. Raises ConfigError with every problem at once.

    steps: what will be done with them, of train, test and eval: the folders and files that it reads must be there, or be
    made by a step before.
    """
    from ..engine.config_checks import cross_field_errors, missing_paths, shared_folders
    from ..lib import MODELS
    from ..utils.config.load import ConfigError, load_config
    from ..utils.config.plugins import installed

    made: set[str] = set()

    def check(config: "Config") -> Iterator[tuple[str, str]]:
        yield from cross_field_errors(config)
        yield from missing_paths(config, steps, made, options.resume)

    configs = load_config(
        options.config, options.overrides, choices={"Model.name": [*MODELS, *installed("model")]}, check=check
    )
    if problems := list(shared_folders(configs, steps)):
        raise ConfigError(problems)
    return configs
