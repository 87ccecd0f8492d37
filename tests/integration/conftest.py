"""A tiny experiment: generated images, a network that trains in seconds."""

import json
from pathlib import Path

import pytest


def write_config(folder: Path, name: str = "tiny", **sections) -> Path:
    """A complete config in `folder` that touches nothing outside of it."""
    transforms = {"static_resize": {"size": [64, 64]}}
    config = {
        "Model": {"name": "InSPyReNet_Light", "depth": 16, "base_size": [64, 64]},
        "Train": {
            "Dataset": {
                "type": "Synthetic",
                "root": str(folder / "data"),
                "sets": ["train"],
                "limit": 8,
                "transforms": {**transforms, "random_flip": {}},
            },
            "Dataloader": {"batch_size": 4, "num_workers": 0},
            "Optimizer": {"lr": 1e-3, "head_factor": 1},
            "Scheduler": {"epoch": 1, "warmup_iteration": 0},
            "Checkpoint": {"checkpoint_dir": str(folder / "snapshots" / name)},
        },
        "Test": {
            "Dataset": {
                "type": "Synthetic",
                "root": str(folder / "data"),
                "sets": ["heldout"],
                "limit": 3,
                "transforms": transforms,
            },
            "Dataloader": {"num_workers": 0},
        },
        "Eval": {
            "pred_root": str(folder / "snapshots" / name),
            "result_path": str(folder / "results"),
            "metrics": ["mae", "maxFm"],
        },
    }
    config.update(sections)
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(config))
    return path


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    """A config file in a folder of its own, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    return write_config(tmp_path)
