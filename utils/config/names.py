"""Names that people write: the file that a config's name means, and what was probably meant where there is none.

Imports nothing that an extra brings, so that a mistake is told before anything is asked for.
"""

import difflib
import os
from collections.abc import Collection
from pathlib import Path

from ..system.paths import expanded

ON_HUB = "hf:"  # begins the name of weights in a repository
SHIPPED = Path(__file__).resolve().parents[2] / "configs"


def suggest(word: str, known: Collection[str]) -> str:
    """`; did you mean X?` for the known word that is nearest to `word`, else nothing."""
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def config_file(name: str | Path) -> Path | None:
    """A config by its path, else the shipped one of this name; None where there is neither."""
    path = expanded(name)
    return path if path.is_file() else shipped_file(path)


def shipped_file(path: Path) -> Path | None:
    """The shipped config of this name: `InSPyReNet_SwinB`, with or without `.yaml` and `configs/`."""
    inside = SHIPPED / os.path.relpath(path, "configs") if path.parts[:1] == ("configs",) else SHIPPED / path
    candidates = () if path.is_absolute() or ".." in path.parts else (inside, Path(f"{inside}.yaml"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def no_config(name: str | Path) -> str:
    """What is said where `config_file` finds nothing."""
    path = expanded(name)
    return f"{name}: {'is a folder' if path.is_dir() else 'no such file'}{suggest_file(path)}"


def suggest_file(path: Path) -> str:
    """The nearest YAML file in the same folder, else the nearest shipped config."""
    near = suggest(path.stem, [other.stem for other in path.parent.glob("*.yaml")])
    return near.replace("?", ".yaml?") or suggest(path.stem, shipped_names())


def shipped_names() -> list[str]:
    """Names of the shipped configs, but for those in folders."""
    return sorted(file.stem for file in SHIPPED.glob("*.yaml"))
