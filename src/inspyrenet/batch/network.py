"""Which network a batch runs: settled once, where the command is given, so that every worker runs the same one."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..engine.network_options import NetworkOptions
from ..networks.digest import digest_of
from ..utils.system.paths import expanded


@dataclass(frozen=True)
class Network:
    """What a worker gives to Remover, and what the manifest says about it. digest: sha256 of the weights' file."""

    name: str
    options: NetworkOptions
    digest: str


def resolve_network(options: NetworkOptions) -> Network:
    """Find the weights and pin them: of a run folder the file that is the best now, by absolute paths.

    Raises what `presets.resolve_model` raises: there is no such mode or config, or its weights are not here.
    """
    from ..engine.presets import BUNDLED_WEIGHTS, has_default, resolve_model
    from ..networks.choose import exported_path

    mode, ckpt = options.mode, options.ckpt
    if graph := exported_path(options):
        return _of_graph(options, mode if ckpt is not None else None, graph)
    if mode is None and ckpt is None and has_default() and not options.overrides:  # needs no config to be read
        return Network("default", options, digest_of(BUNDLED_WEIGHTS))
    spec = resolve_model(mode, ckpt, options.overrides)
    weights = spec.weights
    if weights.is_dir():
        from ..utils.train.checkpoint import CheckpointFolder  # imports torch

        weights = CheckpointFolder(weights).weights_file()
    name, digest = spec.name, digest_of(weights)
    if mode is None and ckpt is None:  # the bundled model, which every installation has
        return Network(name, options, digest)
    is_weights = ckpt is None and mode is not None and expanded(mode) == spec.weights
    pinned = replace(options, mode=None if is_weights else _absolute(mode), ckpt=str(weights.absolute()))
    return Network(name, pinned, digest)


def _of_graph(options: NetworkOptions, mode: str | Path | None, graph: Path) -> Network:
    """An exported network brings everything with it."""
    from ..engine.presets import MissingWeights

    if not graph.exists():
        raise MissingWeights(f"no such weights: {graph}")
    pinned = replace(options, mode=_absolute(mode), ckpt=str(graph.absolute()))
    return Network(graph.stem, pinned, digest_of(graph))


def _absolute(mode: str | Path | None) -> str | Path | None:
    """A config's file by its whole path, a name as it is."""
    return str(expanded(mode).absolute()) if mode is not None and expanded(mode).is_file() else mode
