"""What the maps of a run were made of, so that `Expr.py --resume` does not make them again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.datasets.pairs import Pair
from ..networks.digest import digest_of
from ..utils.config.load import filled_in
from ..utils.config.schema import Config
from ..utils.train.state import fingerprint
from . import build
from .eval_sets import RECORD, UNFINISHED, unfinished_sets
from .presets import weights_at


def origin_of(config: Config) -> dict[str, Any]:
    """What the maps will be made of. Raises FileNotFoundError or CheckpointError without weights, PreflightError for bad data."""
    test = build.section(config, "Test")
    weights = weights_at(filled_in(test.Checkpoint.checkpoint_dir, "Test.Checkpoint.checkpoint_dir"))
    sections = {"Model": build.section(config, "Model"), "Test": test.model_copy(update={"Checkpoint": None})}
    settings = {name: section.model_dump(mode="json") for name, section in sections.items()}
    settings["Test"].pop("Dataloader")
    images = fingerprint((f"{pair.dataset}/{pair.name}", pair.image) for pair in _images(config))
    return {"weights": digest_of(weights), "images": images, **settings}


def begin(config: Config) -> None:
    """Before the first map is made: those of the sets that are there already may be of another network."""
    _write(config, {UNFINISHED: sorted({*unfinished_sets(_record(config)), *_sets(config)})})


def end(config: Config, origin: Mapping[str, Any] | None = None) -> None:
    """After all maps were made, out of `origin`; None: but for those that could not be, which are not there.

    Raises OSError where this cannot be written.
    """
    others = sorted(unfinished_sets(_record(config)) - _sets(config))
    if others:
        _write(config, {UNFINISHED: others})
    elif origin is not None:
        _write(config, origin)
    else:
        _record(config).unlink(missing_ok=True)


def is_predicted(config: Config) -> bool:
    """Whether every image has its map, made of the same images with the same weights, network and settings.

    Images are told apart by their names and sizes in bytes. Raises PreflightError for bad data.
    """
    try:
        known = json.loads(_record(config).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if known != origin_of(config):
        return False
    root = _record(config).parent
    return all((root / pair.dataset / f"{pair.name}.png").is_file() for pair in _images(config))


def _images(config: Config) -> list[Pair]:
    return build.pairs(build.section(config, "Test").Dataset, need_masks=False)


def _sets(config: Config) -> set[str]:
    return {*build.section(config, "Test").Dataset.sets}


def _write(config: Config, content: Mapping[str, Any]) -> None:
    _record(config).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _record(config: Config) -> Path:
    return Path(filled_in(config.Eval.pred_root, "Eval.pred_root")) / RECORD
