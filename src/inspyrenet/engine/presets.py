"""What a mode, a config or a checkpoint stands for: a config and a file of weights. Nothing is built, and nothing is fetched but
models of the Hugging Face Hub that are named (hf:owner/name).

Listing modes imports no torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.hub import huggingface, registry
from ..utils.config.names import config_file, no_config, shipped_names, suggest
from ..utils.system.extras import extras_named
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
    place of the mode's own. Either may be hf:owner/name or hf:owner/name@revision. overrides: words such as Model.depth=32, on top
    of the config.
    Raises ModeError, MissingWeights, ConfigError, CheckpointError, WeightsError, HubError, ExtraMissing.
    """
    check_names(mode, ckpt)
    mode, ckpt = _told_apart(mode, ckpt)
    on_hub = huggingface.hub_model(ckpt if mode is None else mode)
    if on_hub is not None:
        spec = _from_hub(on_hub, overrides)
        return spec if mode is None or ckpt is None else replace(spec, weights=weights_at(ckpt))
    if mode is None:
        return _from_bundled(overrides) if ckpt is None else _from_checkpoint(expanded(ckpt), overrides)
    if entry := _published_mode(mode):
        place = weights_at(ckpt) if ckpt is not None else registry.found_at(entry) or registry.place_of(entry)
        return ModelSpec(entry.name, _load(str(entry.config), entry.with_settings(overrides)), place)
    return _from_config(mode, ckpt, overrides)


def check_names(mode: str | Path | None = None, ckpt: str | Path | None = None) -> None:
    """Whether there is what the names stand for: mode, config, weights. Needs no extra, and reads none of the files.

    Raises ModeError, MissingWeights, HubError. What lies on the Hub is not looked for, nor where a config leaves its weights.
    """
    mode, ckpt = _told_apart(mode, ckpt)
    entry = None
    if mode is not None and huggingface.hub_model(mode) is None:
        entry = _published_mode(mode)
        if entry is None and config_file(mode) is None:
            raise ModeError(_no_mode(mode))
    if ckpt is not None:
        if huggingface.hub_model(ckpt) is None and not expanded(ckpt).exists():
            raise MissingWeights(f"no such weights: {expanded(ckpt)}: check the path")
    elif entry is not None and registry.found_at(entry) is None:
        raise MissingWeights(
            f"weights of mode {entry.name} are not here ({registry.place_of(entry)}): "
            f"fetch them with `inspyrenet d {entry.name}`"
        )


def has_default() -> bool:
    """A model came with this installation."""
    return BUNDLED_WEIGHTS.is_file() and BUNDLED_CONFIG.is_file()


def terms_of(spec: ModelSpec) -> str | None:
    """The terms of published or bundled weights; None of others, whose publisher states them."""
    if spec.weights == BUNDLED_WEIGHTS:
        return BUNDLED_TERMS
    fetched = (entry for entry in registry.load("weights").values() if registry.found_at(entry) == spec.weights)
    entry = registry.weights_of_file(spec.weights.name) or next(fetched, None)
    return entry.terms if entry else None


def bundled_graphs() -> Path:
    """The folder of the same network as graphs, as run/Export.py --parts writes them."""
    return BUNDLED_WEIGHTS.with_suffix("")


def weights_at(name: str | Path) -> Path:
    """A path of weights as it is; of hf:owner/name the file that was fetched. Raises HubError, ExtraMissing."""
    on_hub = huggingface.hub_model(name)
    if on_hub is None:
        return expanded(name)
    with extras_named():
        return huggingface.fetch_model(on_hub)


def _told_apart(mode: str | Path | None, ckpt: str | Path | None) -> tuple[str | Path | None, str | Path | None]:
    """Mode and weights, where the mode may be the weights."""
    return (None, mode) if ckpt is None and mode is not None and _is_checkpoint(Path(mode)) else (mode, ckpt)


def _published_mode(mode: str | Path) -> registry.Published | None:
    """The published weights that a mode means, where it is not the name of a config itself."""
    entry = registry.load("weights").get(str(mode))
    return None if entry is None or entry.config in (None, entry.name) else entry


def _no_mode(mode: str | Path) -> str:
    if Path(mode).suffix or expanded(mode).is_dir():
        return no_config(mode)
    names = shipped_names()
    near = suggest(str(mode), [*MODES, *names]) or f"; configs: {', '.join(names)}"
    return f"there is no mode or config called {str(mode)!r}: modes are {', '.join(MODES)}{near}"


def _is_checkpoint(path: Path) -> bool:
    path = expanded(path)
    return path.suffix.lower() in WEIGHT_SUFFIXES or (path.is_dir() and any(_weights_in(path)))


def _weights_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix in (".pth", ".safetensors"))


def _from_bundled(overrides: Sequence[str]) -> ModelSpec:
    if not has_default():
        raise MissingWeights(
            "no model came with this installation: fetch one with `inspyrenet d fast` and name it (mode fast), "
            "or give your own weights (ckpt)"
        )
    return ModelSpec("default", _load(BUNDLED_CONFIG, overrides), BUNDLED_WEIGHTS)


def _from_config(mode: str | Path, ckpt: str | Path | None, overrides: Sequence[str]) -> ModelSpec:
    config = _load(mode, overrides)
    if config.Model is None:
        raise ModeError(f"{mode}: has no section Model, so there is nothing to run")
    if ckpt is not None:
        return ModelSpec(config.name, config, weights_at(ckpt))
    trained = config.Test.Checkpoint.checkpoint_dir if config.Test else None
    fetched = _published_for(config.name)
    for known in (weights_at(trained) if trained else None, registry.found_at(fetched) if fetched else None):
        if known and (known.is_file() or (known.is_dir() and any(_weights_in(known)))):
            return ModelSpec(config.name, config, known)
    ways = [f"train it (run/Train.py --config {mode})"]
    ways += [f"fetch the published weights (`inspyrenet d {fetched.name}`)"] if fetched else []
    raise MissingWeights(f"no weights for {config.name} ({trained or 'no checkpoint folder'}): {' or '.join(ways)}")


def _published_for(name: str) -> registry.Published | None:
    return registry.load("weights").get(name)


def _from_hub(model: huggingface.HubModel, overrides: Sequence[str]) -> ModelSpec:
    """As a checkpoint; by what is published where the repository is the source of that and has no config of ours."""
    weights = weights_at(str(model))
    spec = _from_checkpoint(weights, overrides, registry.weights_of_repository(model.repository))
    return replace(spec, name=model.repository.partition("/")[2])


def _from_checkpoint(path: Path, overrides: Sequence[str], published: registry.Published | None = None) -> ModelSpec:
    """By the config that its run saved beside it, else by the file's name where it is a published one (networks of one shape
    are trained at different sizes), else by what the names and shapes in it look like."""
    folder = (path if path.is_dir() else path.parent).absolute()  # "." has no name
    saved = folder / "config.yaml"
    if saved.is_file():
        return ModelSpec(folder.name, _load(saved, overrides, outside=False), path)
    entry = published or registry.weights_of_file(path.name)
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
    """One config by name or file; outside: whether it may name code from outside this package."""
    from ..utils.config.load import load_config

    configs = load_config(source, overrides, outside=outside)
    if len(configs) != 1:
        raise ModeError(f"{source}: one config is needed here, these words make {len(configs)}")
    return configs[0]
