"""The health check of the Dockerfile asks on the port that the server was started with."""

import io
import json
import re
import runpy
import urllib.request
from pathlib import Path

import pytest

from inspyrenet.serve.settings import build_parser

DOCKERFILE = (Path(__file__).resolve().parents[3] / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ["--host", "0.0.0.0"],
        ["--host", "0.0.0.0", "--port", "8000"],
        ["--port=8001", "-v"],
        ["--port", "1", "--port", "8002"],
    ],
)
def test_it_asks_on_the_servers_port(tmp_path, monkeypatch, words):
    python, option, code = json.loads(re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[1])
    assert (python, option) == ("python", "-c")
    started = {"/proc/1/cmdline": "\0".join(["/app/bin/python", "/app/bin/inspyrenet", "s", *words, ""])}
    asked = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: asked.append(address))
    (tmp_path / "check.py").write_text(code)
    runpy.run_path(str(tmp_path / "check.py"), {"open": lambda path: io.StringIO(started[path])})
    assert asked == [f"http://127.0.0.1:{build_parser().parse_args(words).port}/api/health"]
