"""A stand-in for the Hugging Face Hub on this machine: what huggingface_hub asks for a download and for a commit, and no more."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_stand_in"
LARGE = ".safetensors"  # files of this suffix are stored by their sha256, as Git LFS does


class Hub(ThreadingHTTPServer):
    """repositories: owner/name → revision → file → bytes. objects: sha256 → bytes. requests: (method, path) of all that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def files(self, repository: str, revision: str) -> dict[str, bytes] | None:
        """By branch, or by what `commit` says."""
        branches = self.repositories.get(repository, {})
        return branches.get(revision) or next((f for f in branches.values() if commit(f) == revision), None)


def commit(files: dict[str, bytes]) -> str:
    """40 digits that change with the files."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args) -> None:
        """Quiet."""

    def answer(self, content: object = b"", status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def missing(self, code: str) -> None:
        self.answer({"error": code}, 404, X_Error_Code=code, X_Error_Message=code)

    def path_of(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path))
        return path

    def do_GET(self) -> None:
        path = self.path_of()
        for pattern, answer in (
            (r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", self.info),
            (r"/api/models/([^/]+/[^/]+)/tree/(.+)", self.tree),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.file),
        ):
            if found := re.fullmatch(pattern, path):
                answer(*found.groups())
                break
        else:
            self.missing("RepoNotFound")

    do_HEAD = do_GET

    def found(self, repository: str, revision: str | None) -> dict[str, bytes] | None:
        files = self.server.files(repository, revision or "main")
        if files is None:
            self.missing("RevisionNotFound" if repository in self.server.repositories else "RepoNotFound")
        return files

    def info(self, repository: str, revision: str | None) -> None:
        if (files := self.found(repository, revision)) is not None:
            self.answer({"id": repository, "sha": commit(files), "siblings": [{"rfilename": name} for name in files]})

    def tree(self, repository: str, revision: str) -> None:
        if (files := self.found(repository, revision)) is not None:
            self.answer([entry(name, data) for name, data in files.items()])

    def file(self, repository: str, revision: str, name: str) -> None:
        files = self.found(repository, revision)
        if files is not None and name not in files:
            self.missing("EntryNotFound")
        elif files is not None:
            self.answer(files[name], ETag=f'"{sha256(files[name])}"', X_Repo_Commit=commit(files))

    def do_POST(self) -> None:
        path, content = self.path_of(), self.body()
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/(.+)", path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer({"error": "Invalid credentials"}, 401)
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            asked = json.loads(content)
            name = f"{asked['organization']}/{asked['name']}"
            self.server.repositories.setdefault(name, {"main": {".gitattributes": b""}})
            self.answer({"url": f"{self.server.url}/{name}", "name": name})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [self.upload(one) for one in json.loads(content)["objects"]]
            self.answer({"transfer": "basic", "objects": objects})
        elif found is None:
            self.missing("EntryNotFound")
        else:
            (self.modes if found[2] == "preupload" else self.commit)(found[1], found[3], content)

    def upload(self, one: dict) -> dict:
        return {**one, "actions": {"upload": {"href": f"{self.server.url}/objects/{one['oid']}"}}}

    def do_PUT(self) -> None:
        oid, content = self.path_of().rpartition("/")[2], self.body()
        assert sha256(content) == oid
        self.server.objects[oid] = content
        self.answer(ETag=oid)

    def modes(self, repository: str, revision: str, content: bytes) -> None:
        files = json.loads(content)["files"]
        self.answer({"files": [
            {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular", "shouldIgnore": False}
            for f in files
        ]})  # fmt: skip

    def commit(self, repository: str, revision: str, content: bytes) -> None:
        files = self.server.repositories[repository].setdefault(revision, {})
        for line in map(json.loads, content.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.objects[value["oid"]]
        oid = commit(files)
        self.answer({"commitUrl": f"{self.server.url}/{repository}/commit/{oid}", "commitOid": oid})


def entry(name: str, data: bytes) -> dict:
    """A file of a tree."""
    lfs = {"lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 134}} if name.endswith(LARGE) else {}
    return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest(), **lfs}


@contextmanager
def stand_in_hub() -> Iterator[Hub]:
    """A hub that runs until the block ends."""
    hub = Hub()
    threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
