"""What the wheel holds, and that it works outside the clone."""

import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from tests.light.running import finds_the_thing, photograph

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "configs", "data", "lib", "utils")
LINKS = ("configs", "data", "lib", "utils")
SUFFIXES = (".css", ".html", ".js", ".py", ".typed", ".yaml")  # of the package's files


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [Path(name) for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def package_name(folder: Path) -> str:
    """lib/models → inspyrenet.lib.models; src/inspyrenet/batch → inspyrenet.batch."""
    parts = folder.relative_to(ROOT).parts
    return ".".join(parts[1:] if parts[0] == "src" else ("inspyrenet", *parts))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of the tracked files, built beside a data set of 100 MB, without network."""
    folder = tmp_path_factory.mktemp("clone")
    for path in tracked():
        (folder / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    for link in LINKS:
        (folder / "src" / "inspyrenet" / link).symlink_to(Path("..", "..", link))
    images = folder / "data" / "Dummy" / "images"
    images.mkdir(parents=True)
    with (images / "large.png").open("wb") as file:
        file.truncate(100 * 2**20)
    (images.parent / "__init__.py").write_text("")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist"), str(folder))
    (built,) = (folder / "dist").glob("*.whl")
    return built


def code(pattern: str) -> list[Path]:
    """Files of the package, each where it really lies."""
    found = [path for top in FOLDERS for path in (ROOT / top).rglob(pattern)]
    return [path for path in found if not any(parent.is_symlink() for parent in path.parents)]


def pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *words, "--no-index"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that the wheel alone is installed into."""
    target = tmp_path_factory.mktemp("target")
    pip("install", "--no-deps", "--no-compile", "--target", str(target), str(wheel))
    return target


def run(installed: Path, *words: str) -> str:
    """Runs outside the clone, with the wheel's package in front of the editable one."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=installed.parent, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_package_list_is_the_folders():
    folders = {path.parent for path in code("__init__.py")}
    assert set(project()["tool"]["setuptools"]["packages"]) == {package_name(folder) for folder in folders}


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in code("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_wheel_is_small_and_holds_one_package(wheel):
    assert wheel.stat().st_size < 20 * 10**6
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"inspyrenet"}
    assert not [name for name in names if "Dummy" in name or "/tests/" in name]


def test_wheel_holds_all_code_every_config_and_every_page(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = [path for path in tracked() if path.parts[0] in FOLDERS and path.suffix in SUFFIXES]
    missing = [
        str(path) for path in wanted if str(Path(*package_name(ROOT / path.parent).split("."), path.name)) not in names
    ]
    assert missing == []
    assert any(path.parts[:2] == ("configs", "SotA") for path in wanted)
    assert {path.suffix for path in wanted} == set(SUFFIXES)


def test_wheel_states_its_dependencies(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    headers = email.message_from_bytes(archive.read(name))
    assert headers["Requires-Python"] == ">=3.11"
    lines = headers.get_all("Requires-Dist")
    core, wanted = [line for line in lines if "extra ==" not in line], project()["project"]["dependencies"]
    assert [re.split("[<>]", line)[0] for line in core] == [re.split("[<>]", line)[0] for line in wanted]
    assert [line.partition(";")[2].strip() for line in lines if line.startswith("torch>")] == ['extra == "train"']
    assert set(headers.get_all("Provides-Extra")) == set(project()["project"]["optional-dependencies"])


def test_wheel_is_what_runs_outside_the_clone(installed):
    code = (
        "import inspyrenet; from importlib.util import find_spec; print(inspyrenet.__file__);"
        "[print(find_spec(f'inspyrenet.{name}').origin) for name in ('configs', 'data', 'lib', 'engine', 'utils')]"
    )
    files = run(installed, sys.executable, "-c", code).split()
    assert len(files) == 6
    assert all(Path(file).is_relative_to(installed) for file in files), files


def test_shipped_configs_load_from_the_wheel(installed):
    code = "from inspyrenet.utils.config.load import load_config as l; c = l('Quickstart')[0]; print(c.name, c.Train.Dataset.root)"
    assert run(installed, sys.executable, "-c", code).split() == ["Quickstart", "data/Synthetic"]


def test_command_runs_from_the_wheel(installed):
    code = "import sys; from inspyrenet.cli import main; sys.exit(main(['--help']))"
    ways = ([sys.executable, "-c", code], [str(installed / "bin" / "inspyrenet"), "--help"])
    for words in (*ways, [sys.executable, "-m", "inspyrenet", "--help"]):
        text = run(installed, *words)
        assert "inspyrenet" in text
        assert len(text.splitlines()) > 3


def test_the_wheel_alone_cuts_out_a_photograph(installed, tmp_path):
    """With the bundled model, and no other file of ours."""
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    run(installed, str(installed / "bin" / "inspyrenet"), str(tmp_path / "photo.png"), "--device", "cpu")
    cut = np.asarray(Image.open(tmp_path / "photo.out.png"))
    assert finds_the_thing(cut[..., 3])


def sent_to_docker(path: str) -> bool:
    """As Docker reads .dockerignore: the last pattern counts that fits the path or a folder above it."""
    sent = True
    names = [path, *map(str, Path(path).parents)][:-1]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        anywhere = line.startswith(("**/", "!**/"))
        fit = (name for name in names if PurePath("/", name).match(pattern if anywhere else f"/{pattern}"))
        if line and not line.startswith("#") and any(fit):
            sent = line.startswith("!")
    return sent


def test_the_container_is_built_from_what_the_wheel_is():
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    copied = {name for line in copies for name in line.split()}
    assert copied == {*FOLDERS, "pyproject.toml", "requirements.txt", "README.md", "LICENSE"}
    package = [str(path) for path in tracked() if path.parts[0] in copied]
    assert len(package) > 200 and [path for path in package if not sent_to_docker(path)] == []
    for path in (
        "data/DUTS-TR/images/a.png",
        "src/inspyrenet/__pycache__/a.pyc",
        ".git/config",
        "tests/conftest.py",
        "a.pth",
    ):
        assert not sent_to_docker(path), path


def test_advice_on_extras_can_be_followed():
    """The program is on no package index; what messages and pages name instead are extras that pyproject.toml has."""
    texts = {
        path: path.read_text(encoding="utf-8") for path in [*code("*.py"), *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    }
    assert [path for path, text in texts.items() if "inspyrenet[" in text] == []
    named = {name for text in texts.values() for name in re.findall(r"how_to_install\('(\w+)'\)|--extras (\w+)", text)}
    named = {one or other for one, other in named}
    assert {"video", "web"} <= named <= {*project()["project"]["optional-dependencies"], "NAME"}
