"""What a checkpoint must hold for a run to go on as if it had never stopped, and the checks when it does."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..system.logging import git_state, versions


class ResumeError(ValueError):
    """A checkpoint does not fit the run that would continue it."""


@dataclass
class Progress:
    """Where a run stands. All counts are of what is done."""

    epoch: int = 0  # finished epochs
    samples: int = 0  # seen in the current epoch, by all processes together
    iteration: int = 0  # optimizer steps
    steps: int = 0  # of them in the current epoch
    sums: dict[str, float] = field(default_factory=dict)  # of each loss over those steps

    def state_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def misread_progress(saved: Mapping[str, Any]) -> list[str]:
    """Names of a progress that `saved` lacks, or has as something else than counts from 0 on and, of the sums, numbers."""
    return [name for name, start in Progress().state_dict().items() if not _is_progress(saved.get(name), start)]


def _is_progress(value: Any, start: Any) -> bool:
    if isinstance(start, dict):
        return isinstance(value, Mapping) and all(type(part) in (int, float) for part in value.values())
    return type(value) is int and value >= 0


# -- random numbers -----------------------------------------------------------------------------------------------


def rng_state(device: torch.device) -> dict[str, Any]:
    """State of the global generators of Python, numpy and torch in this process, as tensors and plain values."""
    drawn = np.random.get_state(legacy=False)  # noqa: NPY002 (libraries still draw from it)
    kind, keys, position = drawn["bit_generator"], drawn["state"]["key"], drawn["state"]["pos"]
    state = {
        "python": random.getstate(),
        "numpy": (
            kind,
            torch.from_numpy(keys.astype(np.int64)),
            int(position),
            int(drawn["has_gauss"]),
            float(drawn["gauss"]),
        ),
        "torch": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_rng_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Undo `rng_state`; a generator that the checkpoint's device did not have is left alone."""
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def preserved_rng(device: torch.device) -> Iterator[None]:
    """Let a block draw random numbers without any effect on what comes after it."""
    state = rng_state(device)
    try:
        yield
    finally:
        set_rng_state(state, device)


# -- identity of code and data ------------------------------------------------------------------------------------


@cache
def code_version() -> str:
    """Package version and the clone's commit, as in the run's log."""
    return f"{versions()['inspyrenet']} ({git_state()})"


def fingerprint(files: Iterable[tuple[str, Path | None]]) -> str:
    """A digest of a data set: names, order and sizes of its files (not their bytes: that would read everything).

    Args:
        files: (name that does not depend on where the data lies, file) in the data set's order.
    """
    digest = hashlib.sha256()
    for name, path in files:
        size = path.stat().st_size if path is not None else -1
        digest.update(f"{name}\0{size}\n".encode())
    return digest.hexdigest()


def plain(value: Any) -> Any:
    """A copy made of dictionaries, lists and simple values only, as `weights_only` reading demands.

    Raises:
        TypeError: a value that has no plain form.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold {value!r} (a {type(value).__name__}) in its configuration")


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Entries in which two plain configurations differ, as `Train.Optimizer.lr: 1e-05 → 3e-05`."""
    found = []
    for key in sorted({*old, *new}):
        left, right = old.get(key), new.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += differences(left, right, f"{prefix}{key}.")
        elif left != right:
            found.append(f"{prefix}{key}: {left} → {right}")
    return found


# -- fitting a checkpoint to a run --------------------------------------------------------------------------------


def require_same_model(saved: Mapping[str, Any], model: nn.Module, path: Path, was: str, now: str) -> None:
    """Refuse to continue a run with another network.

    Args:
        saved: state dict of the checkpoint.
        was: what the checkpoint calls its model.
        now: what this run calls its own.

    Raises:
        ResumeError: names, shapes or kinds of numbers differ.
    """
    mine = model.state_dict()
    missing = [name for name in mine if name not in saved]
    extra = [name for name in saved if name not in mine]
    other = [name for name in mine if name in saved and saved[name].shape != mine[name].shape]
    kinds = [
        name for name in mine if name in saved and saved[name].is_floating_point() != mine[name].is_floating_point()
    ]
    if not (missing or extra or other or kinds):
        return
    parts = []
    found = {
        "lacks": missing,
        "has in addition": extra,
        "has in another shape": other,
        "has as another kind of number": kinds,
    }
    for label, names in found.items():
        if names:
            parts.append(f"{label} {len(names)} of the parameters (the first is {names[0]})")
    raise ResumeError(
        f"{path} is of another model: it was written by {was}, this run builds {now}; it {', '.join(parts)}. "
        "Choose another name for this run, or use the configuration that the checkpoint was trained with"
    )


def load_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any], path: Path) -> list[str]:
    """Load moments and counters, keep this run's settings; return the settings that differ from the checkpoint's.

    Raises:
        ResumeError: the checkpoint's optimizer has other groups or is of another kind.
    """
    now, was = optimizer.param_groups, saved["param_groups"]
    if [len(group["params"]) for group in now] != [len(group["params"]) for group in was]:
        raise ResumeError(f"{path} has other parameter groups: was a part of the network frozen or set free since?")
    changed = []
    groups = []
    for number, (mine, theirs) in enumerate(zip(now, was, strict=True)):
        settings = {key: value for key, value in mine.items() if key != "params"}
        base = {**theirs, "lr": theirs.get("initial_lr", theirs["lr"])}
        compared = {**settings, "lr": settings.get("initial_lr", settings["lr"])}
        changed += [
            f"{key} of group {number}: {base[key]} → {compared[key]}"
            for key in compared
            if key in base and plain(base[key]) != plain(compared[key]) and key != "initial_lr"
        ]
        groups.append({**settings, "params": theirs["params"]})
    try:
        optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
    except (ValueError, KeyError) as error:
        raise ResumeError(f"{path} holds the state of another optimizer: {error}") from error
    return changed


def set_train_mode(model: nn.Module, freeze_batchnorm: bool) -> None:
    """Training mode; with `freeze_batchnorm`, BatchNorms go on using the statistics they have."""
    model.train()
    if freeze_batchnorm:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
