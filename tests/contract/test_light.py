"""Front ends are imported where the research stack is not installed; with `tests/light`, what they do there."""

import io
import json
import pkgutil
import re
import subprocess
import sys
import urllib.request
from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from tests.light.running import HIDDEN, environment, finds_the_thing, good, photograph, run
from tests.moving import make_video

FRONT = [
    "inspyrenet",
    "inspyrenet.cli",
    "inspyrenet.demo.command",
    "inspyrenet.demo.serving",
    "inspyrenet.engine.presets",
]
FOLDERS = (
    "batch",
    "commands",
    "data.hub",
    "files",
    "interactive",
    "mending",
    "networks",
    "quality",
    "remover",
    "video",
    "web_page",
)
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
    in_torch = {"inspyrenet.networks.torch_network", "inspyrenet.networks.torch_parts"}
    names = [*FRONT, *(set(modules_of(*FOLDERS)) - in_torch)]
    assert len(names) > 50
    said = imported(names, tmp_path)
    assert said["failed"] == {}
    assert HIDDEN & set(said["loaded"]) == set()


def test_the_server_needs_its_own_extra_alone(tmp_path):
    names = modules_of("serve", "editor")
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


# -- one extra at a time ------------------------------------------------------------------------------------------


def cut(words, cwd, shown):
    """`inspyrenet WORDS` with these modules alone."""
    return good(run("-m", "inspyrenet", *words, cwd=cwd, shown=shown))


def test_a_batch_needs_parquet_alone(tmp_path):
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    cut(["batch", "-i", "*.png", "-o", "cut", "--workers", "1"], tmp_path, {"pyarrow"})
    assert finds_the_thing(np.asarray(Image.open(tmp_path / "cut" / "photo.png"))[..., 3])
    assert (tmp_path / "cut" / "manifest.parquet").is_file()


def test_a_video_needs_video_alone(tmp_path):
    make_video(tmp_path / "clip.mp4", frames=2)
    cut(["clip.mp4"], tmp_path, {"av", "cv2"})
    assert (tmp_path / "clip.out.webm").stat().st_size > 0


def test_the_server_cuts_out_with_its_own_extra_alone(tmp_path):
    picture = io.BytesIO()
    Image.fromarray(photograph()).save(picture, "png")
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    words = [sys.executable, "-m", "inspyrenet", "s", "--port", "0"]
    with subprocess.Popen(words, env=environment(tmp_path, SERVER), stderr=subprocess.PIPE, text=True) as server:
        try:
            said = next(line for line in server.stderr if line.startswith(("serving on ", "error: ")))
            address = re.match(r"serving on (\S+),", said)[1]
            request = urllib.request.Request(f"{address}/api/remove", head + picture.getvalue() + b"\r\n--b--\r\n")
            request.add_header("Content-Type", "multipart/form-data; boundary=b")
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                result = Image.open(io.BytesIO(answer.read()))
        finally:
            server.terminate()
    assert finds_the_thing(np.asarray(result)[..., 3])
    assert server.returncode == 0
