"""Models on the Hugging Face Hub: their names, its cache on this machine, fetching and publishing.

The package huggingface_hub is imported where something is fetched or published; looking into the cache needs none. Only weights in
safetensors and a config in YAML are ever fetched: no pickled file, and no code.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "hf:"
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.yaml", "README.md"
MAIN = "main"
_PART = r"[A-Za-z0-9](?:[\w.-]*\w)?"
_NAME = re.compile(rf"hf:({_PART}/{_PART})(?:@(\S+))?")
_SOURCE = re.compile(r"https://huggingface\.co/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class HubError(RuntimeError):
    """A model that cannot be fetched from the Hub or published there; one line says why, and what to do."""


@dataclass(frozen=True)
class HubModel:
    """A repository of the Hub, and a branch, tag or commit of it."""

    repository: str  # owner/name
    revision: str = MAIN

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision != MAIN else "")


def hub_model(text: object) -> HubModel | None:
    """The model of hf:owner/name or hf:owner/name@revision; None for other text. Raises HubError where it is neither."""
    if not str(text).startswith(PREFIX):
        return None
    found = _NAME.fullmatch(str(text))
    if found is None:
        raise HubError(f"{text}: write hf:owner/name, or hf:owner/name@revision")
    return HubModel(found[1], found[2] or MAIN)


def source_of(url: str) -> tuple[HubModel, str] | None:
    """(model, file) of an address of the Hub; None for other addresses."""
    found = _SOURCE.fullmatch(url)
    return (HubModel(found[1], found[2]), found[3]) if found else None


# -- the cache ----------------------------------------------------------------------------------------------------


def hub_cache() -> Path:
    """Folder of everything that was fetched from the Hub: $HF_HUB_CACHE, $HF_HOME/hub, or in the user's cache folder."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    return Path(os.path.expandvars(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or f"{home}/hub")))  # noqa: PTH111


def in_cache(model: HubModel, file: str) -> Path | None:
    """A file that was fetched from the Hub before, by whatever program; None where it is not here."""
    folder = hub_cache() / f"models--{model.repository.replace('/', '--')}"
    reference = folder / "refs" / model.revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else model.revision
    path = folder / "snapshots" / commit / file
    return path if path.is_file() else None


# -- the network --------------------------------------------------------------------------------------------------


def fetch_model(model: HubModel) -> Path:
    """The weights' file, with its config beside it where the repository has one; from the cache where it is there already.

    Raises HubError where it cannot be had, ModuleNotFoundError without huggingface_hub.
    """
    from huggingface_hub import snapshot_download

    with _told(model):
        folder = snapshot_download(
            model.repository,
            revision=model.revision,
            cache_dir=hub_cache(),
            allow_patterns=[WEIGHTS, CONFIG],
            endpoint=_endpoint(),
        )
    weights = Path(folder) / WEIGHTS
    if not weights.is_file():
        raise HubError(
            f"{model} has no file {WEIGHTS}; other weights are not taken from the Hub, since they may run code"
        )
    return weights


def publish_model(model: HubModel, folder: Path, private: bool | None = None) -> str:
    """Put a folder's weights, config and card into a repository in one commit; its address. The repository is made if need be.

    A card that is there already stays as it is: its owner may have written into it.
    Raises HubError where that cannot be done, ModuleNotFoundError without huggingface_hub.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api: Any = HfApi(endpoint=_endpoint())
    with _told(model):
        address = api.create_repo(model.repository, private=private, exist_ok=True)
        names = [WEIGHTS, CONFIG]
        if not api.file_exists(model.repository, CARD, revision=model.revision):
            names.append(CARD)
        changes = [CommitOperationAdd(name, str(folder / name)) for name in names]
        api.create_commit(model.repository, changes, commit_message="Publish the model", revision=model.revision)
    return str(address)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _told(model: HubModel) -> Iterator[None]:
    """Raises HubError in place of the errors of huggingface_hub, whatever library it speaks HTTP with."""
    from huggingface_hub.errors import (
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except RepositoryNotFoundError as error:
        raise HubError(
            f"{model}: there is no such repository, or it is private: sign in with `hf auth login`, or set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise HubError(f"{model}: {model.repository} has no revision {model.revision}") from error
    except LocalEntryNotFoundError as error:
        raise HubError(
            f"{model}: is not in {hub_cache()}, and cannot be fetched: there is no way to the Hub"
        ) from error
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        status: Mapping[int, str] = {
            401: "sign in with `hf auth login`, or set HF_TOKEN",
            403: "your token may not do this",
        }
        code = getattr(getattr(error, "response", None), "status_code", 0)
        reason = status.get(code) or " ".join(str(error).split())
        raise HubError(f"{model}: {reason or type(error).__name__}") from error
