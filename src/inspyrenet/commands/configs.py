"""The configs that a command line names, checked before anything is built."""

from typing import TYPE_CHECKING

from ..engine.options import Options

if TYPE_CHECKING:
    from ..utils.config.schema import Config


def load(options: Options) -> "list[Config]":
    """Validated configs of all files and grid points. Raises ConfigError with every problem at once."""
    from ..engine.config_checks import cross_field_errors
    from ..lib import MODELS
    from ..utils.config.load import load_config

    return load_config(options.config, options.overrides, choices={"Model.name": MODELS}, check=cross_field_errors)
