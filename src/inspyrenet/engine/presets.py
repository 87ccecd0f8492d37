"""What a mode, a config or a checkpoint stands for: a config and a file of weights. Nothing is fetched, nothing is built.

Listing modes imports no torch.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.hub import registry
from ..utils.system.paths import expanded

if TYPE_CHECKING:
    from ..utils.config.schema import Config

MODES = ("fast", "base", "base-nightly")  # published background-removal weights, by the names that people know
BUNDLED = Path(__file__).resolve().parents[1] / "weights"
BUNDLED_WEIGHTS, BUNDLED_CONFIG = BUNDLED / "default.safetensors", BUNDLED / "default.yaml"
WEIGHT_SUFFIXES = (".pth", ".pt", ".safetensors", ".bin", ".ckpt")

BUNDLED_TERMS = "trained on research data (DUTS-TR)"


class ModeError(ValueError):
    """A mode, config or checkpoint that there is not; the message says what there is."""


class MissingWeights(FileNotFoundError):
    """The weights are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything that makes a predictor, but not yet built."""

    name: str
    config: "Config"
    weights: Path


def resolve_model(
    mode: str | Path | None = None, ckpt: str | Path | None = None, overrides: Sequence[str] = ()
) -> ModelSpec:
    """Mode (fast, base, base-nightly, other published weights, a config's name or file, a checkpoint) and weights → ModelSpec.

    mode None: the bundled model, or, with `ckpt`, whatever the checkpoint is. ckpt: a file of weights or a run folder, in
    place of the mode's own. overrides: words such as Model.depth=32, on top of the config.
    Raises ModeError, MissingWeights, ConfigError, CheckpointError, WeightsError.
    """
    if ckpt is None and mode is not None and _is_checkpoint(Path(mode)):
        mode, ckpt = None, mode
    if mode is None:
        return _from_bundled(overrides) if ckpt is None else _from_checkpoint(expanded(ckpt), overrides)
    entry = registry.load("weights").get(str(mode))
    if entry is not None and entry.config is not None and entry.config != entry.name:
        return _from_registry(entry, entry.config, ckpt, overrides)
    return _from_config(mode, ckpt, overrides)


def has_default() -> bool:
    """A model came with this installation."""
    return BUNDLED_WEIGHTS.is_file() and BUNDLED_CONFIG.is_file()


def bundled_graphs() -> Path:
    """The folder of the same network as graphs, as run/Export.py --parts writes them."""
    return BUNDLED_WEIGHTS.with_suffix("")


def _is_checkpoint(path: Path) -> bool:
    path = expanded(path)
    return path.suffix.lower() in WEIGHT_SUFFIXES or (path.is_dir() and any(path.glob("*.pth")))


def _from_bundled(overrides: Sequence[str]) -> ModelSpec:
    if not has_default():
        raise MissingWeights(
            "no model came with this installation: fetch one with `inspyrenet d fast` and name it (mode fast), "
            "or give your own weights (ckpt)"
        )
    return ModelSpec("default", _load(BUNDLED_CONFIG, overrides), BUNDLED_WEIGHTS)


def _from_registry(
    entry: registry.Published, config: str, ckpt: str | Path | None, overrides: Sequence[str]
) -> ModelSpec:
    place = expanded(ckpt) if ckpt is not None else registry.place_of(entry)
    if not place.exists():
        hint = f"fetch them with `inspyrenet d {entry.name}`" if ckpt is None else "check the path"
        raise MissingWeights(f"weights of mode {entry.name} are not here ({place}): {hint}")
    return ModelSpec(entry.name, _load(config, entry.with_settings(overrides)), place)


def _from_config(mode: str | Path, ckpt: str | Path | None, overrides: Sequence[str]) -> ModelSpec:
    config = _load(mode, overrides)
    if config.Model is None:
        raise ModeError(f"{mode}: has no section Model, so there is nothing to run")
    if ckpt is not None:
        place = expanded(ckpt)
        if not place.exists():
            raise MissingWeights(f"no such weights: {place}")
        return ModelSpec(config.name, config, place)
    trained = config.Test.Checkpoint.checkpoint_dir if config.Test else None
    fetched = _published_for(config.name)
    for known in (Path(trained) if trained else None, registry.place_of(fetched) if fetched else None):
        if known and (known.is_file() or (known.is_dir() and any(known.glob("*.pth")))):
            return ModelSpec(config.name, config, known)
    ways = [f"train it (run/Train.py --config {mode})"]
    ways += [f"fetch the published weights (`inspyrenet d {fetched.name}`)"] if fetched else []
    raise MissingWeights(f"no weights for {config.name} ({trained or 'no checkpoint folder'}): {' or '.join(ways)}")


def _published_for(name: str) -> registry.Published | None:
    return registry.load("weights").get(name)


def _from_checkpoint(path: Path, overrides: Sequence[str]) -> ModelSpec:
    """By the config that its run saved beside it, else by the file's name where it is a published one (networks of one shape
    are trained at different sizes), else by what the names and shapes in it look like."""
    if not path.exists():
        raise MissingWeights(f"no such weights: {path}")
    folder = path if path.is_dir() else path.parent
    saved = folder / "config.yaml"
    if saved.is_file():
        return ModelSpec(folder.name, _load(saved, overrides, outside=False), path)
    entry = registry.weights_of_file(path.name)
    if entry is not None and entry.config is not None:
        return ModelSpec(path.stem, _load(entry.config, entry.with_settings(overrides)), path)
    from ..lib.checkpoints.state_dict import describe, normalize_state, recognize
    from ..utils.train.checkpoint import read_weights

    state = normalize_state(read_weights(path), str(path))
    config = recognize(state)[1]
    if config is None:
        raise ModeError(f"{path} looks like {describe(state)}: say which config it belongs to (mode)")
    return ModelSpec(path.stem, _load(config, overrides), path)


def _load(source: str | Path, overrides: Sequence[str], outside: bool = True) -> "Config":
    """One config by name or file; outside: whether it may name code from outside this package.

    Raises ModeError for a name that is neither a mode nor a config.
    """
    from ..utils.config.load import SHIPPED, ConfigError, load_config

    try:
        configs = load_config(source, overrides, outside=outside)
    except ConfigError as error:
        if "no such file" in str(error) and not Path(source).suffix:
            names = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
            near = difflib.get_close_matches(str(source), [*MODES, *names], n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else f"; configs: {', '.join(names)}"
            raise ModeError(
                f"there is no mode or config called {source!r}: modes are {', '.join(MODES)}{hint}"
            ) from None
        raise
    if len(configs) != 1:
        raise ModeError(f"{source}: one config is needed here, these words make {len(configs)}")
    return configs[0]
