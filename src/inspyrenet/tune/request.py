"""What a fine-tuning is asked for."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What is asked for.

    data     the user's pairs: a folder with images and masks
    general  sets that stand for everything else; none: painted pictures
    folder   of the run that is written
    minutes  for everything, from scoring the start to the test
    metric   that decides; margin: how much of it general images may lose
    mode, ckpt, overrides   the start, as in `resolve_model`; overrides may also change Train
    """

    data: Path
    folder: Path
    general: tuple[Path, ...] = ()
    minutes: float = 15
    metric: str = "wFm"
    margin: float = 0.01
    mode: str | None = None
    ckpt: str | None = None
    overrides: tuple[str, ...] = ()
    overwrite: bool = False
    verbose: bool = False
