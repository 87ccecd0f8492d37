"""Front ends are imported where the research stack is not installed; with `tests/light`, what they do there."""

import json
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

from tests.light.running import HIDDEN, good, run

FRONT = [
    "inspyrenet",
    "inspyrenet.cli",
    "inspyrenet.demo.command",
    "inspyrenet.demo.serving",
    "inspyrenet.engine.presets",
]
FOLDERS = ("batch", "commands", "data.hub", "files", "remover", "video")
SERVER = {"fastapi", "starlette", "uvicorn", "h11", "python_multipart", "pydantic"}  # fastapi brings pydantic

IMPORT = """
import json, sys
from importlib import import_module

failed = {}
for name in json.loads(sys.argv[1]):
    try:
        import_module(name)
    except ImportError as error:
        failed[name] = str(error)
print(json.dumps({"failed": failed, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def modules_of(*folders: str) -> list[str]:
    """Modules of these folders of the package."""
    return [
        f"inspyrenet.{folder}.{module.name}"
        for folder in folders
        for module in pkgutil.iter_modules(import_module(f"inspyrenet.{folder}").__path__)
    ]


def imported(names, cwd, shown=()) -> dict:
    """What a process says that imports these."""
    return json.loads(good(run("-c", IMPORT, json.dumps(names), cwd=cwd, shown=shown)).stdout)


def test_front_ends_need_no_extra(tmp_path):
    names = [*FRONT, *modules_of(*FOLDERS)]
    assert len(names) > 50
    said = imported(names, tmp_path)
    assert said["failed"] == {}
    assert HIDDEN & set(said["loaded"]) == set()


def test_the_server_needs_its_own_extra_alone(tmp_path):
    names = modules_of("serve")
    assert "inspyrenet.serve.server" in names
    said = imported(names, tmp_path, SERVER)
    assert said["failed"] == {}
    assert HIDDEN & set(said["loaded"]) <= SERVER


def test_what_is_hidden_is_as_if_not_installed(tmp_path):
    names = ["numpy", "torch", "cv2", "pydantic"]
    assert set(imported(names, tmp_path)["failed"]) == set(names[1:])
    assert set(imported(names, tmp_path, {"cv2"})["failed"]) == {"torch", "pydantic"}


HEAVY = ("numpy", "PIL", "yaml", "onnxruntime", "asyncio")


@pytest.mark.parametrize("words", [["--help"], ["--version"], []])
def test_the_overview_imports_next_to_nothing(words):
    """So that it is there at once; time itself is not asserted."""
    code = (
        f"import sys; from inspyrenet.cli import main; main({words}); sys.exit(str(sys.modules.keys() & {set(HEAVY)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "set()\n" and "inspyrenet" in done.stdout
