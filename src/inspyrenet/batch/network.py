"""Which network a batch runs: settled once, where the command is given, so that every worker runs the same one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Network:
    """What a worker gives to Remover, and what the manifest says about it. digest: sha256 of the weights' file."""

    name: str
    mode: str | None
    ckpt: str | None
    digest: str


def resolve_network(mode: str | None, ckpt: str | None, overrides: Sequence[str] = ()) -> Network:
    """Find the weights and pin them: of a run folder the file that is the best now, by absolute paths.

    Raises what `presets.resolve_model` raises: there is no such mode or config, or its weights are not here.
    """
    from ..engine.presets import resolve_model

    if ckpt is not None and Path(ckpt).suffix.lower() == ".onnx":
        return _of_graph(mode, Path(ckpt).expanduser())
    if ckpt is None and mode is not None and Path(mode).suffix.lower() == ".onnx":
        return _of_graph(None, Path(mode).expanduser())
    spec = resolve_model(mode, ckpt, overrides)
    weights = spec.weights
    if weights.is_dir():
        from ..utils.train.checkpoint import CheckpointFolder  # imports torch

        weights = CheckpointFolder(weights).weights_file()
    name, digest = spec.name, _digest(weights)
    if mode is None and ckpt is None:  # the bundled model, which every installation has
        return Network(name, None, None, digest)
    is_weights = ckpt is None and mode is not None and Path(mode).expanduser() == spec.weights
    return Network(name, None if is_weights else _absolute(mode), str(weights.absolute()), digest)


def _of_graph(mode: str | None, graph: Path) -> Network:
    """An exported network brings everything with it."""
    from ..engine.presets import MissingWeights

    if not graph.is_file():
        raise MissingWeights(f"no such weights: {graph}")
    return Network(graph.stem, _absolute(mode), str(graph.absolute()), _digest(graph))


def _absolute(mode: str | None) -> str | None:
    """A config's file by its whole path, a name as it is."""
    return str(Path(mode).expanduser().absolute()) if mode is not None and Path(mode).expanduser().is_file() else mode


def _digest(weights: Path) -> str:
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
