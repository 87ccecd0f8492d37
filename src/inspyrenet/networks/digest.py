"""Which weights a file or folder holds: the sha256 of its bytes."""

import hashlib
from pathlib import Path


def digest_of(weights: Path) -> str:
    """sha256 of a file, of a folder's graphs (.onnx) one after the other, or of the file that is the best of a run."""
    digest = hashlib.sha256()
    for path in _files(weights):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _files(weights: Path) -> list[Path]:
    if not weights.is_dir():
        return [weights]
    graphs = sorted(weights.glob("*.onnx"))
    if graphs:
        return graphs
    from ..utils.train.checkpoint import CheckpointFolder  # imports torch

    return [CheckpointFolder(weights).weights_file()]
