"""What a command line asks for, whichever command it is."""

import argparse
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Options:
    """What the command line says. `extra` holds the options that only one script has."""

    config: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    resume: bool = False
    verbose: bool = False
    debug: bool = False
    device: str = "auto"
    extra: argparse.Namespace = field(default_factory=argparse.Namespace)
