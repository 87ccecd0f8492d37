"""What a training call leaves for the next one, in few and small files: weights as safetensors, progress as JSON."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

PROGRESS, BEST, RAW, EMA = "progress.json", "best", "raw", "ema"
FILES = 8  # in all, with the results and the progress
LARGEST_HALF = 6e4  # float16 ends at 65504

State = Mapping[str, Tensor]


class TooLarge(ValueError):
    """The weights do not fit into the files that are allowed."""


class Files:
    """The weights and the progress of a run in one folder.

    Best weights are float16; raw and averaged ones float32 where they fit into the files that are allowed, else float16. A set
    of weights that is larger than one file is split. Raises TooLarge where even that does not fit.
    """

    def __init__(self, folder: Path, state: State, averaged: bool, largest: int) -> None:
        self.folder, self.largest = folder, largest
        kinds = [RAW, EMA] if averaged else [RAW]
        half, full = (_parts(state, dtype, largest) for dtype in (torch.float16, torch.float32))
        allowed = FILES - 2 - half
        if len(kinds) * half > allowed:
            raise TooLarge(
                f"the weights are {_size(state, torch.float16) / 1e6:.0f} MB in float16: best, {' and '.join(kinds)} would take "
                f"{(len(kinds) + 1) * half} files of {largest / 1e6:.0f} MB, and {FILES - 2} are allowed; train a smaller "
                "network, or allow larger files with --file-mb"
            )
        self.dtypes = dict.fromkeys(kinds, torch.float32 if len(kinds) * full <= allowed else torch.float16)
        self.dtypes[BEST] = torch.float16
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.partial"):
            left.unlink()

    def describe(self, state: State) -> str:
        """Which files there will be, in one line."""
        names = [
            f"{kind} ({str(dtype).removeprefix('torch.')}, {_parts(state, dtype, self.largest)} file(s))"
            for kind, dtype in self.dtypes.items()
        ]
        return f"weights: {', '.join(names)}, of at most {self.largest / 1e6:.0f} MB each"

    def write(self, kind: str, state: State) -> list[str]:
        """Replace one set of weights; the names of its files."""
        dtype = self.dtypes[kind]
        groups = _split({name: _as(value, dtype) for name, value in state.items()}, self.largest)
        names = [
            f"{kind}.safetensors" if len(groups) == 1 else f"{kind}-{number}-of-{len(groups)}.safetensors"
            for number, _ in enumerate(groups, start=1)
        ]
        for name, group in zip(names, groups, strict=True):
            partial = self.folder / f".{name}.partial"
            save_file(group, partial)
            partial.chmod(0o644)  # safetensors lets the owner alone read
            partial.replace(self.folder / name)
        return names

    def write_progress(self, progress: Mapping[str, Any]) -> None:
        """Replace the progress; the last of the files of one moment."""
        partial = self.folder / f".{PROGRESS}.partial"
        partial.write_text(json.dumps(progress, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.folder / PROGRESS)


def read_progress(folder: Path, resume: bool) -> dict[str, Any] | None:
    """What an earlier call wrote, to go on from; None without `resume`.

    Raises FileNotFoundError where there is nothing to go on from, FileExistsError where something would be overwritten.
    """
    path = folder / PROGRESS
    if resume and not path.is_file():
        raise FileNotFoundError(f"--resume: {path} is not there: nothing has been trained in this folder")
    if not resume and path.is_file():
        raise FileExistsError(f"{folder} already holds a training: go on with --resume, or choose another --out")
    return json.loads(path.read_text(encoding="utf-8")) if resume else None


def read(folder: Path, names: list[str]) -> dict[str, Tensor]:
    """One set of weights, its parts joined."""
    return {name: value for part in names for name, value in load_file(folder / part).items()}


def _as(value: Tensor, dtype: torch.dtype) -> Tensor:
    """On the CPU, in one piece; floating numbers in `dtype`, if they fit into it."""
    value = value.detach().cpu()
    if value.is_floating_point() and (dtype != torch.float16 or float(value.abs().max()) < LARGEST_HALF):
        value = value.to(dtype)
    return value.clone(memory_format=torch.contiguous_format)


def _size(state: State, dtype: torch.dtype) -> int:
    """Bytes of the weights, and a little for their names."""
    width = torch.finfo(dtype).bits // 8
    return sum(v.numel() * (width if v.is_floating_point() else v.element_size()) + 150 for v in state.values())


def _parts(state: State, dtype: torch.dtype, largest: int) -> int:
    """How many files the weights take. More than are ever allowed where one tensor alone is larger than a file."""
    sizes = {name: _size({name: value}, dtype) for name, value in state.items()}
    name = max(sizes, key=sizes.__getitem__)
    if sizes[name] > largest:
        return math.ceil(sizes[name] / largest) * FILES  # never fits
    return len(_grouped(sizes, largest))


def _split(state: State, largest: int) -> list[dict[str, Tensor]]:
    sizes = {name: value.numel() * value.element_size() + 150 for name, value in state.items()}
    return [{name: state[name] for name in group} for group in _grouped(sizes, largest)]


def _grouped(sizes: Mapping[str, int], largest: int) -> list[list[str]]:
    """Names in their order, in as few files as follow one another."""
    groups: list[list[str]] = [[]]
    room = largest
    for name, size in sizes.items():
        if size > room and groups[-1]:
            groups.append([])
            room = largest
        groups[-1].append(name)
        room -= size
    return groups
