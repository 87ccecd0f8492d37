"""Which weights a file or folder holds: the sha256 of its bytes."""

import hashlib
from pathlib import Path

PARTS = ("blending", "decoder", "encoder")  # graphs that a network consists of; what else lies beside them adds to it


def digest_of(weights: Path) -> str:
    """sha256 of a file, of a network's graphs in a folder one after the other, or of the file that is the best of a run."""
    digest = hashlib.sha256()
    for path in _files(weights):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _files(weights: Path) -> list[Path]:
    if not weights.is_dir():
        return [weights]
    if graphs := [path for name in PARTS if (path := weights / f"{name}.onnx").is_file()]:
        return graphs
    from ..utils.train.checkpoint import CheckpointFolder  # imports torch

    return [CheckpointFolder(weights).weights_file()]
