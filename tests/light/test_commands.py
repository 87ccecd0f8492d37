"""The other commands, where nothing but the core is installed."""

import functools
import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.light.running import ROOT, good, inspyrenet, run

SCRIPTS = ["Expr.py", *(f"run/{path.name}" for path in sorted((ROOT / "run").glob("*.py")))]


def test_there_are_scripts():
    assert len(SCRIPTS) == 11


@pytest.mark.parametrize("name", ["i", "p", "batch", "s", "d", "models", "train", "test", "eval"])
def test_help(folder, name):
    assert b"usage: " in good(inspyrenet(name, "--help", cwd=folder)).stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_of_scripts(folder, script):
    assert b"usage: " in good(run(ROOT / script, "--help", cwd=folder)).stdout


def test_models_are_listed(folder):
    lines = good(inspyrenet("models", cwd=folder)).stdout.decode().splitlines()
    assert next(line for line in lines if "(default)" in line).split()[1] == "yes"
    assert any(line.startswith("  fast ") for line in lines)


DOWNLOAD = """
import sys
from inspyrenet import cli
from inspyrenet.data.hub import registry

address, digest = sys.argv[1:]
entries = registry.load("weights")
entries["toy"] = registry.Published("toy", "weights", "toy.pth", (address,), "MIT", sha256=(digest,))
sys.exit(cli.main(["d", "toy"]))
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        """Nothing."""


def test_a_download(folder):
    content = b"\x80weights"
    (folder / "toy.pth").write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/toy.pth"
        good(run("-c", DOWNLOAD, address, hashlib.sha256(content).hexdigest(), cwd=folder))
    finally:
        server.shutdown()
        server.server_close()
    assert (folder / "home" / "weights" / "toy.pth").read_bytes() == content
