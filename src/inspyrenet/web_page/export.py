"""Write the page that cuts out in the browser: one folder for any static host, with the bundled model and onnxruntime-web."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .. import __version__
from ..data.hub.onnx_files import ModelMetadata, metadata_of
from ..data.whole_file import whole_file
from ..editor.assets import PAGE, SHARED, read
from ..engine.presets import bundled_graphs
from ..interactive.head import FILE, head_beside
from ..networks.runtimes import open_graph

RUNTIME = "onnxruntime-web"
TESTED = (1, 30)  # the runtime's version; files of its package change their names from one to the next
SCRIPTS = "ort.wasm.bundle.min.mjs"
WASM = "ort-wasm-simd-threaded.wasm"  # SIMD, with threads and without
GRAPHS = ("encoder", "decoder", "prompt")
SETTINGS = "network.json"
WORKER = "service-worker.js"
POLICY = (  # the same in the page and, for its workers, in the service worker's answers
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'"
)
WORDS = {  # what the page says where the browser computes
    "head": f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    '<meta name="description" content="Cut the object out of a photo, on your own device.">',
    "title": "Cut out photos, on your own device",
    "open": "Add images",
    "drop": "Drop images here, paste them",
    "choose": "Choose images",
    "promise": " Images are not sent anywhere: the network runs in this browser.",
}


class WebExportError(ValueError):
    """The folder, the runtime or the network do not fit; the message says what to do."""


@dataclass(frozen=True)
class WebFolder:
    """What was written. Sizes in bytes: `transferred` is what a browser loads at its first visit."""

    folder: Path
    files: int
    transferred: int

    def __str__(self) -> str:
        return (
            f"{self.folder}: {self.files} files, {self.transferred / 1e6:.1f} MB to load, once. "
            f"Try it: python -m http.server -d {self.folder}"
        )


def export_web(folder: Path, runtime: Path | None = None) -> WebFolder:
    """Write the page. runtime: the folder of the npm package onnxruntime-web; None: the nearest, as node looks for it.

    Files of an earlier export are replaced. Raises WebExportError for a folder that has other files, a runtime that is not there
    or of another version, or a network that the page does not know how to run.
    """
    if folder.exists() and not folder.is_dir():
        raise WebExportError(f"{folder} is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SETTINGS).is_file():
        raise WebExportError(f"{folder} has other files: name a new or empty folder")
    contents = {**_page(), **_network(bundled_graphs()), **_runtime(runtime or _installed())}
    contents[WORKER] = _service_worker(contents)
    for name, data in contents.items():
        with whole_file(folder / name) as path:
            path.write_bytes(data)
    kept = [len(contents[name]) for name in _kept(contents)]
    return WebFolder(folder, len(contents), sum(kept) + len(contents[WORKER]))


def _page() -> dict[str, bytes]:
    """The page of inspyrenet.editor, and what computes in its place of the server."""
    own = [one.name for one in resources.files(__package__).iterdir() if one.name.endswith((".js", ".ts", ".json"))]
    shared = {name: read(name, {}).encode() for name in SHARED}
    filled = {name: _filled(name, {"release": __version__}) for name in sorted(own) if name != WORKER}
    return {"index.html": read(PAGE, WORDS).encode(), **shared, **filled}


def _filled(name: str, values: dict[str, str]) -> bytes:
    return read(name, values, __package__).encode()


def _network(folder: Path) -> dict[str, bytes]:
    """Graphs, packed, and how images go into them."""
    path = folder / f"{GRAPHS[0]}.onnx"
    metadata = metadata_of(open_graph(path, device="cpu").metadata, str(path))
    _check(metadata, folder)
    settings = {"size": metadata.size, "mean": metadata.mean, "std": metadata.std}
    graphs = {f"{name}.onnx.gz": _packed(folder / f"{name}.onnx") for name in GRAPHS}
    return {SETTINGS: json.dumps(settings).encode(), **graphs}


def _check(metadata: ModelMetadata, folder: Path) -> None:
    """Raises WebExportError for what the page's JavaScript does not do."""
    if head_beside(folder) is None:
        raise WebExportError(f"{folder}: the page needs {FILE}, trained for this network, to understand strokes")
    known = {"sizing": "static", "backend": "pillow", "threshold": None, "normalize": "none"}
    other = {name: getattr(metadata, name) for name, value in known.items() if getattr(metadata, name) != value}
    if other:
        raise WebExportError(f"{folder}: the page takes networks with {known} only, and this one has {other}")


def _installed() -> Path:
    """In node_modules of this folder or of one above it."""
    here = Path.cwd()
    places = [folder / "node_modules" / RUNTIME for folder in (here, *here.parents)]
    return next((place for place in places if place.is_dir()), places[0])


def _runtime(package: Path) -> dict[str, bytes]:
    """The WebAssembly build of onnxruntime-web, packed. Nothing is ever downloaded here."""
    wanted = ".".join(map(str, TESTED))
    how = f"npm install {RUNTIME}@{wanted}, and run this there, or name the package's folder with --runtime"
    about = package / "package.json"
    if not about.is_file():
        raise WebExportError(f"no {RUNTIME} in {package}: {how}")
    try:
        described = json.loads(about.read_bytes())
        name, version = described["name"], described["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise WebExportError(f"{about} does not describe an npm package ({error!r}): {how}") from None
    if name != RUNTIME or version.split(".")[:2] != [*map(str, TESTED)]:
        raise WebExportError(f"{package} is {name} {version}, but the page needs {RUNTIME} {wanted}: {how}")
    files = {file: package / "dist" / file for file in (SCRIPTS, WASM)}
    absent = [str(path) for path in files.values() if not path.is_file()]
    if absent:
        raise WebExportError(f"{RUNTIME} lacks {', '.join(absent)}: {how}")
    return {f"ort/{SCRIPTS}": files[SCRIPTS].read_bytes(), f"ort/{WASM}.gz": _packed(files[WASM])}


def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)  # the same bytes at every export


def _kept(contents: dict[str, bytes]) -> list[str]:
    """What the page needs offline; the rest is for developers."""
    return [name for name in contents if name != WORKER and not name.endswith((".ts", "package.json"))]


def _service_worker(contents: dict[str, bytes]) -> bytes:
    """Its version changes with any file, so that browsers load them anew."""
    digest = hashlib.sha256()
    for name, data in sorted(contents.items()):
        digest.update(f"{name} {len(data)} ".encode() + data)
    files = ["./", *_kept(contents)]
    values = {"version": digest.hexdigest()[:16], "files": json.dumps(files), "policy": POLICY}
    return _filled(WORKER, values)
