"""One address, one file: HTTP with resumption, so that a cut connection costs no more than what was under way.

What has arrived lies beside the target as `.<name>.<address>.part`; a later call goes on from there. Proxies come from the
environment (HTTPS_PROXY, NO_PROXY), cookies are kept (some file hosts need them), https never turns into http.
"""

import errno
import hashlib
import http.client
import http.cookiejar
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 256 * 1024
AGENT = "Mozilla/5.0 (compatible; inspyrenet)"
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)  # HTTP states worth another attempt
FULL = (errno.ENOSPC, errno.EDQUOT)

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all or None


class SourceError(RuntimeError):
    """This address did not give the file; another may."""


class DiskError(RuntimeError):
    """The file cannot be written here, whatever address it comes from."""


@dataclass(frozen=True)
class Patience:
    """How long to wait (seconds) and how often to try again."""

    timeout: float = 30.0  # without a single byte
    attempts: int = 5  # in a row that bring nothing new
    pause: float = 1.0  # before the second attempt; doubles, to at most 30


PATIENT = Patience()


@dataclass(frozen=True)
class Part:
    """What has arrived of a file from one address, and the server's mark of the version that it belongs to."""

    path: Path

    @classmethod
    def of(cls, url: str, target: Path) -> "Part":
        mark = hashlib.sha256(url.encode()).hexdigest()[:8]
        return cls(target.with_name(f".{target.name}.{mark}.part"))

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _mark_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.version")

    @property
    def version(self) -> str | None:
        return self._mark_file.read_text(encoding="utf-8") if self._mark_file.exists() else None

    def set_version(self, version: str | None) -> None:
        if version:
            self._mark_file.write_text(version, encoding="utf-8")
        else:
            self._mark_file.unlink(missing_ok=True)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._mark_file.unlink(missing_ok=True)


def receive(
    url: str,
    part: Part,
    *,
    may_resume_blindly: bool = False,
    most: int | None = None,
    patience: Patience = PATIENT,
    progress: Progress | None = None,
) -> bool:
    """Bring all of `url` into `part.path`, going on from what is there; True where something had been there.

    may_resume_blindly: go on even where the server gives no mark of the file's version; for files with a checksum.
    most: bytes that the file can have; an answer that is longer is cut off, and nothing of it is kept.
    Raises SourceError (in a few words, with the host) where it cannot be had, DiskError where it cannot be written.
    """
    resumed = part.size > 0
    host = urlsplit(url).netloc
    idle, reason = 0, ""
    while idle < patience.attempts:
        if idle:
            time.sleep(min(30.0, patience.pause * 2 ** (idle - 1)))
        before = part.size
        try:
            if _attempt(direct_address(url), part, may_resume_blindly, most, patience.timeout, progress):
                return resumed
            reason = f"the connection was cut after {part.size / 1e6:.1f} MB; what came is kept"
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            if error.code not in TEMPORARY:
                break
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            _raise_disk_error(error, part.path)
            reason = _reason(error, patience.timeout)
            if idle and _is_unreachable(error):  # no network: waiting longer would not help
                break
        idle = 0 if part.size > before else idle + 1
    raise SourceError(f"{host}: {reason}")


def direct_address(url: str) -> str:
    """The address of the bytes: a Google Drive link leads to a page with a viewer otherwise."""
    found = re.match(r"https://drive\.google\.com/file/d/([\w-]+)", url)
    return f"https://drive.usercontent.google.com/download?id={found[1]}&export=download&confirm=t" if found else url


def _attempt(url: str, part: Part, blindly: bool, most: int | None, timeout: float, progress: Progress | None) -> bool:
    """One request. True where the file is complete, False where the connection ended early."""
    offset, version = part.size, part.version
    if offset and not (version or blindly):
        part.remove()
        offset = 0
    request = urllib.request.Request(url, headers={"User-Agent": AGENT, "Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if version:
            request.add_header("If-Range", version)
    try:
        response = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:  # what is there does not fit: start anew
            part.remove()
            return False
        raise
    with response:
        _refuse_page(response)
        offset = _accepted_offset(response, offset)
        total = _total(response, offset)
        part.path.parent.mkdir(parents=True, exist_ok=True)
        part.set_version(_version(response))
        try:
            return _copy(response, part.path, offset, total, most, progress)
        except SourceError:
            part.remove()
            raise


def _copy(
    response: HTTPResponse, path: Path, offset: int, total: int | None, most: int | None, progress: Progress | None
) -> bool:
    _check_length(response, total or 0, most)
    with path.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.truncate()
        try:
            while chunk := response.read1(CHUNK):
                file.write(chunk)
                offset += len(chunk)
                _check_length(response, offset, most)
                if progress:
                    progress(offset, total)
        except http.client.IncompleteRead:  # a body of unknown length that ended early
            return False
    if total is not None and offset > total:
        raise SourceError(f"{urlsplit(response.url).netloc}: more bytes came than were announced")
    return total is None or offset == total


def _check_length(response: HTTPResponse, length: int, most: int | None) -> None:
    """Raise SourceError where there is more than the file can have."""
    if most is not None and length > most:
        host = urlsplit(response.url).netloc
        raise SourceError(f"{host}: more than {most / 1e6:.1f} MB come, which cannot be the file")


def _refuse_page(response: HTTPResponse) -> None:
    """A page in place of the file: asks for a confirmation, for signing in, or says that the quota is used up."""
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        host = urlsplit(response.url).netloc
        raise SourceError(f"{host}: a web page came instead of the file (sign-in, quota or confirmation)")


def _accepted_offset(response: HTTPResponse, asked: int) -> int:
    """Where the bytes of this answer belong."""
    if response.status != 206:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != asked:
        raise SourceError(f"{urlsplit(response.url).netloc}: it sent another part of the file than was asked for")
    return asked


def _total(response: HTTPResponse, offset: int) -> int | None:
    length = response.headers.get("Content-Length")
    return offset + int(length) if length and length.isdigit() else None


def _version(response: HTTPResponse) -> str | None:
    """A strong mark of the file's version, fit for If-Range."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to anything else."""

    def redirect_request(self, request, stream, code, message, headers, address):
        if request.full_url.startswith("https:") and not address.startswith("https:"):
            raise SourceError(f"{urlsplit(request.full_url).netloc}: it leads from https to {address.split(':')[0]}")
        return super().redirect_request(request, stream, code, message, headers, address)


def _opener() -> urllib.request.OpenerDirector:
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    return urllib.request.build_opener(_SafeRedirects, cookies)


def _is_unreachable(error: Exception) -> bool:
    """The host has no known address, or nothing answers there."""
    cause = getattr(error, "reason", None) or error
    no_way = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED)
    return isinstance(cause, socket.gaierror) or getattr(cause, "errno", None) in no_way


def _reason(error: Exception, timeout: float) -> str:
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"no answer for {timeout:.0f} s"
    return f"no connection ({getattr(cause, 'strerror', None) or cause or type(cause).__name__})"


def _raise_disk_error(error: Exception, path: Path) -> None:
    """Trouble with our own disk looks like trouble with the network to urllib's callers: tell it apart."""
    code = getattr(error, "errno", None)
    if code in FULL:
        raise DiskError(f"the disk is full: free some space in {path.parent}; what came is kept") from error
    if code in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
        raise DiskError(f"cannot write to {path.parent} ({os.strerror(code)})") from error
