"""Whose tables a results folder holds, so that those of one run are never replaced by those of another unasked.

Beside the tables, runs.json says for every run in them where its maps lay and how they were made, as far as the command
that wrote it made them itself. Tables of the same maps may be written again: with other metrics, say.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.names import ON_HUB
from .tables import writing

if TYPE_CHECKING:
    from ..config.schema import Config

RECORD = "runs.json"
REMEDY = "keep both with Eval.result_path=FOLDER, or replace them with --overwrite"
SECTIONS = {
    "train": ("seed", "Model", "Train", "Test"),
    "test": ("Test",),
    "eval": (),
}  # what made the maps, by first step
_SAME_MAPS = (  # keys that do not change a map: how fast, which of the images, where files lie
    "Train.Dataloader.num_workers",
    "Train.Dataset.cache",
    "Train.Checkpoint",
    "Test.Checkpoint",
    "Test.Dataloader",
    "Test.Dataset.type",
    "Test.Dataset.root",
    "Test.Dataset.sets",
    "Test.Dataset.limit",
)

Traits = Mapping[str, Any]  # dotted key → value


class TablesExistError(ValueError):
    """A results folder holds the tables of another run."""


def traits(config: "Config", first_step: str = "eval") -> dict[str, Any]:
    """What tells a run from others of its name, in a command that begins with this step: train, test or eval."""
    data = config.model_dump(mode="json")
    chosen = flat({section: data[section] for section in SECTIONS[first_step]})
    kept = {key: value for key, value in chosen.items() if not any(f"{key}.".startswith(f"{k}.") for k in _SAME_MAPS)}
    maps = data["Eval"]["pred_root"]
    weights = config.Test.Checkpoint.checkpoint_dir if config.Test is not None else None
    if first_step != "eval" and weights is not None:
        kept["Test.Checkpoint.checkpoint_dir"] = weights if weights.startswith(ON_HUB) else str(Path(weights).resolve())
    return kept | ({"Eval.pred_root": str(Path(maps).resolve())} if maps else {})


def flat(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested sections as dotted keys."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found


def check_owner(folder: Path | str, runs: Mapping[str, Traits], goes_on: bool = False) -> None:
    """Raises TablesExistError where the folder holds tables of a run that is not among `runs`, or is another of its name.

    goes_on: runs of the same name are the same, since they are resumed.
    """
    for name, old in _read(Path(folder)).items():
        if name not in runs:
            raise TablesExistError(f"{folder} holds the tables of another command, with the run {name}: {REMEDY}")
        new = runs[name]
        changed = [] if goes_on else _changed(old, new)
        if changed:
            key = changed[0]
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise TablesExistError(
                f"{folder} holds the tables of another run of the name {name}: "
                f"{key} was {old[key]} and is {new[key]} now{more}: {REMEDY}"
            )


def write_owner(folder: Path | str, runs: Mapping[str, Traits]) -> None:
    """Note whose tables these are; what was known of a run and is not told again stays. ReportError says why not."""
    with writing(folder) as folder:
        old = _read(folder)
        same = {name: old[name] for name, new in runs.items() if name in old and not _changed(old[name], new)}
        text = json.dumps({name: {**same.get(name, {}), **new} for name, new in runs.items()}, indent=1)
        (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def _changed(old: Traits, new: Traits) -> list[str]:
    return [key for key in old if key in new and old[key] != new[key]]


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    """Nothing where there is no record: a new folder, or one of an earlier version."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise TablesExistError(f"{folder / RECORD} cannot be read ({error}): remove this file or the folder") from error
