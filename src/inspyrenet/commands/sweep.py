"""Points of a grid on several machines: each takes its share, and one call joins what they found."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..utils.config.schema import Config

FAILURE = "failure.txt"  # in results/<name>/: why a point gave no maps
INCOMPLETE = "incomplete.txt"  # the same, of some images


class EmptyShardError(ValueError):
    """A shard without any run."""


def shard(word: str) -> tuple[int, int]:
    """`2/8` → (2, 8), for argparse."""
    index, slash, count = word.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise argparse.ArgumentTypeError(f"write I/N with I from 1 to N, such as 2/8, not {word!r}")
    return int(index), int(count)


def share(configs: "Sequence[Config]", part: tuple[int, int] | None) -> "list[Config]":
    """Every N-th training from the I-th on; EmptyShardError where there is none. Points that share a training stay together."""
    if part is None:
        return list(configs)
    index, count = part
    places = [c.Train.Checkpoint.checkpoint_dir if c.Train else c.Eval.pred_root for c in configs]
    order = {place: i for i, place in enumerate(dict.fromkeys(places))}
    if index > len(order):
        raise EmptyShardError(f"--shard {index}/{count}: nothing to do, since there are only {len(order)} trainings")
    return [c for c, place in zip(configs, places, strict=True) if order[place] % count == index - 1]


def remember_failure(config: "Config", reason: str | None, only_some: bool = False) -> None:
    """Keep why a point failed, for a later call that joins all; None where it did not, which ends what was kept before.

    only_some: it has maps, but not of all images.
    """
    for name, text in ((FAILURE, None if only_some else reason), (INCOMPLETE, reason if only_some else None)):
        path = _folder(config) / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")


def known_failures(configs: "Iterable[Config]", allow_missing: bool = False) -> dict[str, str]:
    """Name → reason of the points that failed, wherever they ran; with `allow_missing`, of those without any maps."""
    found = {}
    for config in configs:
        for name in (FAILURE,) if allow_missing else (FAILURE, INCOMPLETE):
            path = _folder(config) / name
            if path.is_file():
                found[config.name] = path.read_text(encoding="utf-8").strip()
    return found


def _folder(config: "Config") -> Path:
    return Path(config.Eval.result_path) / config.name
