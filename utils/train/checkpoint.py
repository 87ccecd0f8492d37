"""Checkpoint files: written atomically, read without running code, kept in a folder that survives a torn file.

A checkpoint is a dictionary of tensors and plain Python values with `format` and `version`; `utils/train/state.py`
says what a training run puts in. Everything is read with `weights_only=True`: no file can run code.
"""

import errno
import logging
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ..system.mistaken_files import HEAD, mistaken_kind
from ..system.whole_file import whole_file

FORMAT = "inspyrenet-checkpoint"
VERSION = 1
REMEDY = "take another checkpoint of the run"  # where one of ours is malformed
BEST = "best.pth"
UNTIL, LEFT = "best_until", "abandoned_best"  # how best checkpoints are called that wait, or that a run has left behind
EVENTS = "tensorboard"  # folder in that of a run
WEIGHT_FILES = (".pth", ".pt", ".safetensors")
MAX_RATIO = 20  # unpacked to packed; trained weights lose a tenth
FULL = (errno.ENOSPC, errno.EDQUOT)

LOG = logging.getLogger(__name__)

Finish = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


class CheckpointError(ValueError):
    """A file is not what it should be: torn, of another kind, or of another model."""


class SaveError(OSError):
    """A checkpoint could not be written; what was there before is intact."""


# -- writing ------------------------------------------------------------------------------------------------------


def save_atomic(content: Any, path: str | Path, advice: str = "Free some space") -> Path:
    """Write `content` with torch.save so that `path` is, at any moment, either the old file or the whole new one.

    Args:
        advice: what the error says where the disk is full.

    Raises:
        SaveError: the disk is full or the folder cannot be written; an older file at `path` is untouched.
    """
    path = Path(path)
    written = 0  # bytes
    try:
        with whole_file(path, sync_name=True) as partial, partial.open("wb") as stream:
            try:
                _write(content, stream)
            finally:
                written = partial.stat().st_size
    except (OSError, RuntimeError) as error:
        cause = _os_error(error)
        if cause is None:
            raise
        raise SaveError(cause.errno, _save_message(cause, path, written, advice)) from error
    return path


def _write(content: Any, stream: BinaryIO) -> None:
    torch.save(content, stream)


def _os_error(error: BaseException | None) -> OSError | None:
    """The OSError behind `error`: torch hides one that its stream raised behind a RuntimeError."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _save_message(cause: OSError, path: Path, written: int, advice: str) -> str:
    kept = f"; the older {path.name} is intact" if path.exists() else "; earlier checkpoints are intact"
    if cause.errno not in FULL:
        return f"cannot write {path}: {cause.strerror or cause}{kept}"
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        free = 0
    return (
        f"cannot write {path}: the disk is full ({written / 1e6:.1f} MB were written, {free / 1e6:.1f} MB are free)"
        f"{kept}. {advice}"
    )


# -- reading ------------------------------------------------------------------------------------------------------


def load_file(path: str | Path) -> Any:
    """Read a file of torch.save on the CPU, verifying the checksums of its parts (torch itself does not).

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: one line that says what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such weights file", str(path))
    _refuse_other_kinds(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _refuse_bomb(archive, path)
                broken = archive.testzip()
            if broken:
                raise CheckpointError(f"{path} is corrupt: wrong checksum in {broken}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"Unsupported (?:global|class|operand)[^\n]*?([\w.]+\.[\w.]+)", str(error))
        what = f" ({found[1]})" if found else ""
        raise CheckpointError(
            f"{path} holds more than tensors{what} or is no torch file; such a file could run code and is not opened: "
            "save a plain state dict"
        ) from error
    except Exception as error:  # an unpickler that is fed with garbage raises whatever it stumbles over
        if isinstance(error, CheckpointError) or (isinstance(error, OSError) and error.filename is not None):
            raise  # an OSError without a name is torch's, for what it cannot unpack
        raise CheckpointError(f"{path} is truncated or corrupt: {str(error)[:150].partition(chr(10))[0]}") from error


def _refuse_bomb(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse before anything is unpacked what would take absurdly more memory than the file; torch itself packs nothing."""
    packed, unpacked = path.stat().st_size, sum(entry.file_size for entry in archive.infolist())
    if unpacked > max(MAX_RATIO * packed, 2**20):
        raise CheckpointError(
            f"{path} would unpack from {packed / 1e6:.1f} MB to {unpacked / 1e6:.0f} MB: no weights are packed so well; "
            "save the state dict anew with torch.save"
        )


def _refuse_other_kinds(path: Path) -> None:
    with path.open("rb") as stream:
        what = mistaken_kind(stream.read(HEAD))
    if what:
        raise CheckpointError(f"{path} is {what}")


def read_checkpoint(path: str | Path) -> Mapping[str, Any]:
    """Read one of our own checkpoints.

    Raises:
        CheckpointError: torn, corrupt, malformed, of another origin, or of a newer version of this program.
    """
    return _checked(load_file(path), path)


def _checked(content: Any, source: str | Path) -> Mapping[str, Any]:
    if not _is_ours(content):
        raise CheckpointError(f"{source} is not a checkpoint of this program: it can start a run, but not continue one")
    version, averaged = content.get("version"), content.get("ema")
    if type(version) is not int or version < 1:
        raise CheckpointError(f"{source} is a malformed checkpoint: its version is no number from 1 on; {REMEDY}")
    if version > VERSION:
        raise CheckpointError(f"{source} was written by a newer version (format {version}); update first")
    states = {"model": content.get("model")}
    if averaged is not None:
        states["ema"] = averaged.get("weights") if isinstance(averaged, Mapping) else averaged
    for name, state in states.items():
        if not _is_state_dict(state):
            raise CheckpointError(f"{source} is a malformed checkpoint: its {name} holds no state dict; {REMEDY}")
    return content


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    )


def _is_ours(content: Any) -> bool:
    return isinstance(content, Mapping) and content.get("format") == FORMAT


def read_weights(path: str | Path, *, prefer_ema: bool = True) -> Any:
    """Read weights from a .pth/.pt/.safetensors file, or from a run folder (its best, else its newest file).

    Args:
        prefer_ema: of our own checkpoints, take the averaged weights where there are any.

    Returns:
        See `weights_in`; tensors are on the CPU.

    Raises:
        FileNotFoundError: there is no such file, or no checkpoint in the folder.
        CheckpointError: one line that says what the file is instead.
    """
    path = Path(path)
    if path.is_dir():
        path = CheckpointFolder(path).weights_file()
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    return weights_in(load_file(path), path, prefer_ema=prefer_ema)


def weights_in(content: Any, source: str | Path, *, prefer_ema: bool = True) -> Any:
    """The state dict in one of our own checkpoints; what other programs wrote stays as it is, wrapped or not.

    Args:
        source: what errors call the content.
        prefer_ema: take the averaged weights where there are any.

    Raises:
        CheckpointError: the checkpoint is malformed, or was written by a newer version of this program.
    """
    if not _is_ours(content):
        return content
    averaged = _checked(content, source).get("ema") if prefer_ema else None
    return dict(content["model"] if averaged is None else averaged["weights"])


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file as load_safetensors

    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such weights file", str(path))
    _refuse_other_kinds(path)
    try:
        return load_safetensors(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no safetensors file, or a truncated one: {error}") from error


# -- the folder of a run ------------------------------------------------------------------------------------------


class CheckpointFolder:
    """The checkpoints of one run: `checkpoint_<iteration>.pth`, of which the last `keep` stay, and `best.pth`."""

    def __init__(self, folder: str | Path, keep: int = 2, finished: Finish = dict) -> None:
        """finished: the state dict of training → the one that `best.pth` gets."""
        if keep < 1:
            raise ValueError(f"keep must be at least 1, not {keep}")
        self.folder = Path(folder)
        self.keep, self.finished = keep, finished
        self._abandoned: Mapping[str, Any] | None = None  # the entry of a best.pth that the run's history lacks

    @property
    def best(self) -> Path:
        """Where the best weights lie, whether or not there are any yet."""
        return self.folder / BEST

    def files(self) -> list[Path]:
        """The checkpoints, newest first."""
        numbered = [
            (int(found[1]), path)
            for path in self.folder.glob("checkpoint_*.pth")
            if (found := re.fullmatch(r"checkpoint_(\d+)\.pth", path.name))
        ]
        return [path for _, path in sorted(numbered, reverse=True)]

    def save(self, content: Mapping[str, Any], iteration: int) -> Path:
        """Write a checkpoint, then remove all but the last `keep`; of what is there before, no more than `keep` stay.

        Raises:
            SaveError: see `save_atomic`.
        """
        self._prune()  # a lower `keep` than before makes room
        path = save_atomic(stamped(content), self.folder / f"checkpoint_{iteration:08d}.pth", self._advice())
        self._prune()
        return path

    def _prune(self) -> None:
        for old in self.files()[self.keep :]:
            old.unlink(missing_ok=True)

    def _advice(self) -> str:
        """What to do where the disk is full; a run needs room for one checkpoint more than it keeps, and for the best."""
        more = len(self.files()) - 1
        way = f", or have {more} older removed first with --resume Train.Checkpoint.keep=1" if more > 0 else ""
        return f"Free some space and go on with --resume{way}"

    def save_best(self, content: Mapping[str, Any]) -> Path:
        """Replace `best.pth`; its weights are those that `finished` makes of training's.

        One that this run left behind, going on from an earlier checkpoint, is kept under another name: it may be better.
        """
        old = self._abandoned
        if old is not None and old.get("validation") != content["best"]["validation"] and self.best.is_file():
            kept = shutil.copyfile(self.best, self.folder / f"{LEFT}_{old['iteration']:08d}.pth")
            LOG.warning("this run left the best checkpoint so far behind, which is kept as %s", kept.name)
        self._abandoned = None
        whole = dict(content)
        if "model" in whole:
            whole["model"] = self.finished(whole["model"])
        if whole.get("ema") is not None:
            whole["ema"] = {**whole["ema"], "weights": self.finished(whole["ema"]["weights"])}
        return save_atomic(stamped(whole), self.best, self._advice())

    def latest(self) -> tuple[Path, Mapping[str, Any]] | None:
        """The newest checkpoint that can be read, with its content; None if there is none at all.

        A newer file that is torn or corrupt is passed over with a warning.

        Raises:
            CheckpointError: there are files, and none can be read.
        """
        problems = []
        for path in self.files():
            try:
                content = read_checkpoint(path)
            except (CheckpointError, OSError) as error:
                problems.append(str(error))
                continue
            for problem in problems:
                LOG.warning("%s; going back to %s", problem, path.name)
            return path, content
        if problems:
            raise CheckpointError(f"no checkpoint in {self.folder} can be read: " + "; ".join(problems))
        return None

    def weights_file(self) -> Path:
        """The file to take weights from: the best, else the newest that can be read, else the only weights file.

        Raises:
            FileNotFoundError: there is none.
            CheckpointError: there are several, none of them ours, or none of ours can be read.
        """
        if self.best.is_file():
            return self.best
        found = self.latest()
        if found is not None:
            return found[0]
        files = {path for path in self.folder.glob("*") if path.suffix.lower() in WEIGHT_FILES}
        others = sorted(files.difference(self._aside()))
        if not others:
            raise FileNotFoundError(errno.ENOENT, "no checkpoint in this folder; train first", str(self.folder))
        if len(others) > 1:
            names = ", ".join(path.name for path in others)
            raise CheckpointError(f"{self.folder} holds several weights files ({names}): name one of them")
        return others[0]

    def clear(self) -> None:
        """Remove the checkpoints of an earlier run, the best one too, and its curves in TensorBoard."""
        for path in [*self.files(), self.best, *self._aside(), *(self.folder / EVENTS).glob("events.out.tfevents.*")]:
            path.unlink(missing_ok=True)

    def go_on_from(self, path: Path, iteration: int, epochs: Sequence[Mapping[str, Any]] | None) -> Path:
        """Prepare for a run that goes on from a checkpoint of this folder at step `iteration`; the checkpoint's path now.

        epochs: the run's history, None where it is not validated. The checkpoint gets a lower number where steps are counted anew,
        as in larger batches, and checkpoints beyond it are removed. Where nothing will say whether later ones are better, the best
        gets another name until validation is back.
        """
        if _number(path) > iteration:
            path = path.replace(self.folder / f"checkpoint_{iteration:08d}.pth")
        for other in self.files():
            if _number(other) > iteration:
                other.unlink(missing_ok=True)
        if epochs is None and self.best.is_file():
            kept = self.best.replace(self.folder / f"{UNTIL}_{iteration:08d}.pth")
            LOG.warning("this run is not validated: the best checkpoint so far is now called %s", kept.name)
        elif epochs is not None and not self.best.is_file() and (retired := self._aside(UNTIL)):
            retired[-1].replace(self.best)
        best = self._noted_best() if epochs else {}
        scores = {entry["epoch"]: entry.get("validation") for entry in epochs or ()}  # None: is validated again
        again = (None, best.get("validation"))
        self._abandoned = best if best and scores.get(best["epoch"], {}) not in again else None
        return path

    def _noted_best(self) -> Mapping[str, Any]:
        """The entry of the history that `best.pth` is of, as far as it says."""
        try:
            best = read_checkpoint(self.best).get("best")
        except (CheckpointError, OSError):
            return {}
        return best if isinstance(best, Mapping) and "epoch" in best else {}

    def _aside(self, *kinds: str) -> list[Path]:
        return [path for kind in kinds or (UNTIL, LEFT) for path in sorted(self.folder.glob(f"{kind}_*.pth"))]

    def remove_partial(self) -> None:
        """Remove what a killed process left half written. Only for the one who holds the folder's lock."""
        for path in self.folder.glob(".*.partial*"):
            path.unlink(missing_ok=True)


def _number(path: Path) -> int:
    return int("".join(filter(str.isdecimal, path.stem)) or 0)


def stamped(content: Mapping[str, Any]) -> dict[str, Any]:
    """`content` with the marks by which `read_checkpoint` knows it."""
    return {"format": FORMAT, "version": VERSION, **content}
