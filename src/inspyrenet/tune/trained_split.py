"""Which split weights were trained with, so that pairs they learned from are not taken for pairs that they never saw."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..data.datasets.pairs import Pair
from ..engine import build
from ..engine.train import split_pairs
from ..utils.config.schema import Config
from ..utils.train.checkpoint import CheckpointError, CheckpointFolder, load_file

METADATA = "splits"  # of a .safetensors file that was made of the weights of trainings

Split = dict[str, Any]


def split_of(config: Mapping[str, Any]) -> Split | None:
    """Sets, shares and seed of a split, out of a config as plain values; None without one."""
    train = config.get("Train") or {}
    held_out = train.get("Validation") or {}
    if held_out.get("fraction") is None and held_out.get("folds") is None:
        return None
    seed = held_out.get("split_seed")
    shares = {key: held_out.get(key) for key in ("fraction", "folds", "fold")}
    return {"sets": list(train["Dataset"]["sets"]), **shares, "seed": config["seed"] if seed is None else seed}


def splits_in(weights: Path) -> list[Split]:
    """The splits of the trainings that made a weights file or a run's folder, as far as it says: exported graphs say nothing."""
    if weights.is_dir():
        folder = CheckpointFolder(weights)
        if not (folder.best.is_file() or folder.files()):
            return []
        weights = folder.weights_file()
    kind = weights.suffix.lower()
    if kind == ".safetensors":
        with safe_open(weights, "pt") as file:
            return json.loads((file.metadata() or {}).get(METADATA, "[]"))
    content = load_file(weights) if kind in (".pth", ".pt") else None
    config = content.get("config") if isinstance(content, dict) else None
    split = split_of(config) if isinstance(config, Mapping) else None
    return [] if split is None else [split]


def save_made_of(sources: Sequence[Path], state: Mapping[str, Tensor], output: Path) -> None:
    """Write weights that were made of those in `sources`, with the splits of all of these."""
    splits = [split for path in sources for split in splits_in(path)]
    known = [split for i, split in enumerate(splits) if split not in splits[:i]]
    save_file({key: value.contiguous() for key, value in state.items()}, output, {METADATA: json.dumps(known)})


def held_out_pairs(config: Config, weights: Path) -> list[Pair]:
    """The pairs that the config's training holds out. Raises CheckpointError where these weights may know them."""
    check_split(weights, config)
    return split_pairs(build.section(config, "Train"), config.seed)[1]


def check_split(weights: Path, config: Config) -> None:
    """Raises CheckpointError where the weights were trained with another split than the config's."""
    ours = split_of(config.model_dump(mode="json"))
    for split in splits_in(weights):
        if split != ours:
            raise CheckpointError(
                f"{weights} was trained with another split ({split}) and may know pairs that {config.name} holds out "
                f"({ours}): train with Train.Validation.split_seed"
            )
