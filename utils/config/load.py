"""From YAML files and command-line words to validated configs, with every mistake reported at once.

`load_config` reads a file, lays it over the file that it `extends`, lays the overrides on top and validates the result
against `schema.py`. Mistakes read `file:line: Section.key: what is wrong; did you mean …`; the line is where the key was
written, be it in an extended file.

**`extends`** is looked for beside the file, then among the shipped configs, so that an own file works in any folder.
**Relative paths** in a file inside a clone of this project count from the clone, so that commands work from any folder;
in any other file, and on the command line, they count from the current folder. A shipped config that was found by its name
has the paths of the file that extends it.
**Folders left out** are filled in: checkpoints and maps go to `snapshots/<name>`, `Eval` takes `Test`'s data sets.
**A grid** writes each run's name with a suffix. Runs that differ in `Test` or `Eval` only share one checkpoint folder.
"""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..system.paths import expanded
from . import plugins, yaml_loader
from .errors import explain_choices, is_section
from .names import ON_HUB, SHIPPED, config_file, no_config, shipped_file, suggest_file
from .overrides import SOURCE, GridPoint, read_overrides
from .schema import Config
from .validate import touches, validated
from .yaml_loader import Document, Keys, SourceLocation

ENCODERS = "data/backbone_ckpt"  # where Model.pretrained looks for a file that has no folder

_FOLDERS: tuple[Keys, ...] = (
    ("Train", "Dataset", "root"),
    ("Train", "Dataset", "mask_root"),
    ("Train", "Validation", "root"),
    ("Train", "Validation", "mask_root"),
    ("Train", "Checkpoint", "checkpoint_dir"),
    ("Test", "Dataset", "root"),
    ("Test", "Dataset", "mask_root"),
    ("Test", "Checkpoint", "checkpoint_dir"),
    ("Eval", "gt_root"),
    ("Eval", "pred_root"),
    ("Eval", "result_path"),
)
_DATA_ROOTS: tuple[Keys, ...] = (
    ("Train", "Dataset", "root"),
    ("Train", "Validation", "root"),
    ("Test", "Dataset", "root"),
    ("Eval", "gt_root"),
)
_FILES: tuple[Keys, ...] = (  # or something else than a path
    ("Model", "pretrained"),
    ("Train", "FineTune", "weights"),
    ("Eval", "cited"),
)
_START: Keys = ("Train", "FineTune", "weights")  # which a run before may make
_TRAINING = ("seed", "Model", "Train", "Debug")  # sections that make another trained model
_PREDICTING = (*_TRAINING, "Test")  # sections that make other maps


Check = Callable[[Config], Iterable[tuple[str, str]]]


class ConfigError(ValueError):
    """Everything that is wrong with the configuration, one line each in `messages`."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = list(dict.fromkeys(messages))
        super().__init__("\n".join(self.messages))


def load_config(
    files: str | Path | Sequence[str | Path],
    overrides: Sequence[str] = (),
    choices: Mapping[str, Collection[str]] | None = None,
    check: Check | None = None,
    outside: bool = True,
) -> list[Config]:
    """Configs of all runs that these files and override words ask for: files in order, the grid's points within each.

    A file may be given as a path or as the name of a shipped config (`InSPyReNet_SwinB`). `choices` limits text values
    to names that the schema does not know, by dotted key: `{"Model.name": MODELS}`. `check` finds what else the schema cannot
    know in a config, whose folders are filled in: it gives (dotted key, what is wrong). It sees a config without the mistakes
    that were found before, but for unknown names, and what it says of them does not count.
    outside: whether code may be imported that the configs name as `package.module:Name` (`plugins.py`); not for a config that
    was found rather than named by a person.
    Raises ConfigError with all problems of all files and words; nothing is built or created here.
    """
    problems: list[str] = []
    points = read_overrides(list(overrides), problems)
    runs: list[tuple[Config, str]] = []
    for file in [files] if isinstance(files, str | Path) else files:
        path, source = _locate(file, problems)
        document = _read_chain(path, source, problems, ()) if path is not None else None
        if path is None or document is None:
            continue
        for point in points:
            config = _build(document, path, point, choices or {}, check, outside, problems)
            runs += [(config, source)] if config is not None else []
    problems += _same_names(runs)
    if problems:
        raise ConfigError(problems)
    return [config for config, _ in runs]


def filled_in(value: str | None, key: str) -> str:
    """A folder of a config; reading a file fills it in where it is left out. Raises ConfigError where nobody did."""
    if value is None:
        raise ConfigError([f"{key}: is not set: name a folder, or read the config from its file, which fills it in"])
    return value


def pretrained_candidates(name: str) -> list[Path]:
    """Where Model.pretrained may mean a file: the path as it is, or that name among the encoders."""
    return [Path(name), Path(ENCODERS) / name]


def resolved_text(config: Config) -> str:
    """The complete config as YAML, defaults included. Reading it back gives an equal config."""
    return yaml_loader.write(config.model_dump())


def save_resolved(config: Config, path: str | Path) -> None:
    """Write `resolved_text` to `path`; folders are made. Raises OSError where that is not possible."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(resolved_text(config), encoding="utf-8")


def without_places(config: Config) -> Config:
    """The config as others may read it: of absolute paths the last part, and no folders of code."""
    data = {**config.model_dump(), "plugin_folders": None}
    for keys in (*_FOLDERS, *_FILES):
        value = _get(data, keys)
        if isinstance(value, str) and Path(value).is_absolute():
            _set(data, keys, Path(value).name)
    return Config.model_validate(data)


# -- reading ------------------------------------------------------------------------------------------------------


def _locate(file: str | Path, problems: list[str]) -> tuple[Path | None, str]:
    """The file, or the shipped config of that name; and how to call it in messages."""
    path = config_file(file)
    if path is None:
        problems.append(no_config(file))
        return None, str(file)
    return path, str(path) if SHIPPED in path.parents else os.path.normpath(file)


def _read_chain(path: Path, source: str, problems: list[str], below: tuple[Path, ...]) -> Document | None:
    """A file laid over the file that it extends, and so on down."""
    document = yaml_loader.read(path, source, problems)
    if document is None or "extends" not in document.data:
        return document
    target = document.data.pop("extends")
    where = f"{document.locations.pop(('extends',))}: extends"
    if not isinstance(target, str):
        problems.append(f"{where}: must be the name of one YAML file, not {target!r}")
        return None
    base = Path(os.path.normpath(path.parent / target))
    beside = base.is_file() and base.resolve() != path.resolve()  # an own file may have the name of the one it extends
    shipped = None if beside else shipped_file(Path(target))
    base, name = (shipped, str(shipped)) if shipped else (base, os.path.normpath(Path(source).parent / target))
    chain = (*below, path.resolve())
    if base.resolve() in chain:
        names = [p.name for p in (*chain[chain.index(base.resolve()) :], base)]
        problems.append(f"{where}: goes round in a circle: {' → '.join(names)}")
        return None
    if not base.is_file():
        problems.append(f"{where}: no such file {base}{suggest_file(base)}")
        return None
    lower = _read_chain(base, name, problems, chain)
    if lower is None:
        return None
    lower.data.pop("name", None)  # a name belongs to one file
    if shipped:
        lower.locations = {keys: replace(place, paths_of=source) for keys, place in lower.locations.items()}
    return merge(lower, document)


def merge(base: Document, top: Document) -> Document:
    """`top` laid over `base`: sections are merged key by key, everything else (lists too) is replaced.

    What stands where the base should have a section stays, so that it is the mistake, and not what the top leaves to the base.
    """
    locations, kept = dict(base.locations), []

    def deep_merge(low: dict, high: dict, keys: Keys) -> dict:
        out = dict(low)
        for key, value in high.items():
            here = (*keys, key)
            if isinstance(value, dict) and isinstance(out.get(key), dict):
                out[key] = deep_merge(out[key], value, here)
                continue
            if isinstance(value, dict) and out.get(key) is not None and is_section(here):
                kept.append(here)
                continue
            for stale in [known for known in locations if known[: len(here)] == here]:
                del locations[stale]
            out[key] = value
        return out

    data = deep_merge(base.data, top.data, ())
    new = {k: place for k, place in top.locations.items() if not any(k[: len(keys)] == keys for keys in kept)}
    return Document(data, {**locations, **new}, base.unread | top.unread)


# -- building -----------------------------------------------------------------------------------------------------


def _build(
    document: Document,
    path: Path,
    point: GridPoint,
    choices: Mapping[str, Collection[str]],
    check: Check | None,
    outside: bool,
    problems: list[str],
) -> Config | None:
    """One run: overrides on top, validated, named, its folders filled in. None where there were problems."""
    for choice in point.choices:
        document = merge(document, choice.document())
    data = {"name": path.stem, **document.data}
    unknown = explain_choices(data, document, choices)
    config, mistakes, left_out = validated(data, document, str(path))
    wrong = [*unknown.values(), *_shared_folder(data, document, point), *mistakes]
    config = _complete(config, document, path, point)
    names = plugins.outside_names(config.model_dump())
    if outside:
        plugins.allow((name for _, name in names), config.plugin_folders or ())
    else:
        wrong += [
            f"{document.location(tuple(key.split('.'))) or path}: {key}: {_refused(name, path)}" for key, name in names
        ]
    for key, text in check(config) if check is not None else ():
        keys: Keys = tuple(key.split("."))
        if not touches(keys, {*left_out, *unknown}):
            wrong.append(f"{document.location(keys) or path}: {key}: {text}")
    problems += wrong
    return None if wrong else config


def _refused(name: str, path: Path) -> str:
    return (
        f"{name} is code that is not imported for a config that lies beside weights: read {path}, "
        f"and if you trust it and this code, name it (--config {path})"
    )


def _plugin_folders(document: Document, path: Path, here: Path) -> list[str]:
    """The folders of the file and of those that it extends; the current one with names from the command line."""
    places = [location for location in document.locations.values() if location.source != SOURCE]
    files = [Path(place.source).resolve() for place in places]
    folders = [path.resolve().parent, *(file.parent for file in files if SHIPPED not in file.parents)]
    if len(places) < len(document.locations):
        folders.append(here)
    return list(dict.fromkeys(map(str, folders)))


def _shared_folder(data: dict, document: Document, point: GridPoint) -> list[str]:
    """A grid that trains several models into one folder that the file names is a mistake."""
    keys = ("Train", "Checkpoint", "checkpoint_dir")
    folder = _get(data, keys)
    if folder is None or keys in point.varied or not any(other[0] in (*_TRAINING, "name") for other in point.varied):
        return []
    return [
        f"{document.location(keys)}: {yaml_loader.dotted(keys)}: all runs of the grid would write to {folder}: set it to null"
    ]


def _complete(config: Config, document: Document, path: Path, point: GridPoint) -> Config:
    """Names the run, sets relative paths to where they belong and fills in the folders that were left out."""
    data = config.model_dump()
    here = Path.cwd()
    home = _home(path, here)
    for keys in (*_FOLDERS, *_FILES):
        value = _get(data, keys)
        if isinstance(value, str):
            location = document.location(keys) if keys in document.locations else None
            place = _place(value, _home_of(location, here) if location else home, here)
            known = _place(f"{ENCODERS}/{value}", home, here)
            if value.startswith(ON_HUB):
                continue
            if keys in (*_FOLDERS, _START) or Path(place).exists():
                _set(data, keys, _older_layout(place) if keys in _DATA_ROOTS else place)
            elif keys == _FILES[0] and Path(known).is_file():
                _set(data, keys, known)
    if data["plugin_folders"] is not None:
        data["plugin_folders"] = [_place(folder, home, here) for folder in data["plugin_folders"]]
    elif plugins.outside_names(data):
        data["plugin_folders"] = _plugin_folders(document, path, here)
    name = config.name
    data["name"] = name + point.label((*_PREDICTING, "Eval", "note"))
    trained = _place(f"snapshots/{name}{point.label(_TRAINING)}", home, here)
    if config.Train is not None:
        folder = data["Train"]["Checkpoint"]
        trained = folder["checkpoint_dir"] = folder["checkpoint_dir"] or trained
    scored = data["Eval"]
    scored["pred_root"] = scored["pred_root"] or _place(f"snapshots/{name}{point.label(_PREDICTING)}", home, here)
    if config.Test is not None:
        folder = data["Test"]["Checkpoint"]
        folder["checkpoint_dir"] = folder["checkpoint_dir"] or trained
        tested = data["Test"]["Dataset"]
        scored["gt_root"] = scored["gt_root"] or tested["mask_root"] or tested["root"]
        scored["datasets"] = scored["datasets"] or tested["sets"]
    return Config.model_validate(data)


def _older_layout(root: str) -> str:
    """`data/RGB_Dataset/X` where that is there and `data/X` is not: where older clones keep their data sets."""
    path = Path(root)
    older = path.parent / "RGB_Dataset" / path.name
    return str(older) if older.is_dir() and not path.exists() else root


def _home(file: Path, here: Path) -> Path:
    """The clone that this file lies in, else the current folder."""
    for folder in file.resolve().parents:
        if (folder / "Expr.py").is_file() and (folder / "configs").is_dir():
            return folder
    return here


def _home_of(location: SourceLocation, here: Path) -> Path:
    return here if location.source == SOURCE else _home(Path(location.paths_of or location.source), here)


def _place(text: str, home: Path, here: Path) -> str:
    """`text` as it is if it is right from the current folder, else absolute."""
    path = expanded(text)
    if not path.is_absolute() and home != here:
        return str(home / path)
    return str(path)


def _get(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _set(data: dict, keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value


def _same_names(runs: Sequence[tuple[Config, str]]) -> list[str]:
    """Two runs of one name would overwrite each other."""
    first: dict[str, str] = {}
    problems = []
    for config, source in runs:
        if config.name in first:
            problems.append(f"{source}: name: {config.name!r} is the name of two runs (also {first[config.name]})")
        first.setdefault(config.name, source)
    return problems
