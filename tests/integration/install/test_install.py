"""install.sh, without network: a Python that only notes what it is asked to do stands in for the real one."""

import os
import pty
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

PYPROJECT = """\
[project]
name = "inspyrenet"
version = "0.1.0"
[project.optional-dependencies]
dev = ["pytest"]
export = ["inspyrenet[train]", "onnx"]
train = ["torch"]
video = ["av"]
"""

# Makes a .venv that holds itself, "installs" by leaving the traces of pip, and hands all else to the real Python.
PYTHON = """\
#!/bin/sh
echo "$*" | head -n 1 >> "$CALLS"
case "$1 $2" in
"-m venv")
    for folder; do :; done
    mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python"
    exit ;;
"-m pip")
    [ -z "$PIP_SAYS" ] || { echo "$PIP_SAYS"; exit 1; }
    case "$*" in *--editable*)
        info="$SITE/inspyrenet-0.1.0.dist-info"
        mkdir -p "$info"
        printf 'Name: inspyrenet\\nVersion: 0.1.0\\n' > "$info/METADATA"
        url="file://$(echo "$PWD" | sed 's/ /%20/g')"
        printf '{"dir_info": {"editable": true}, "url": "%s"}' "$url" > "$info/direct_url.json" ;;
    esac
    exit ;;
esac
PYTHONPATH="$SITE" exec "$REAL" "$@"
"""

TOOLS = ["bash", "sh", "dirname", "df", "cat", "grep", "tail", "sed", "head", "mkdir", "cp", "rm", "sleep", "env"]


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(ROOT / "install.sh", folder)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "requirements.txt").write_text("torch==2.15.0\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name))
    program(tools / "python3", PYTHON)
    program(tools / "df", "#!/bin/sh\necho Filesystem\necho disk 1 1 ${FREE_KB:-99999999} 1% /\n")
    return folder


def program(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def environment(clone: Path, **settings: str) -> dict[str, str]:
    tmp = clone.parent
    return {
        "PATH": str(tmp / "tools"),
        "HOME": str(tmp),
        "CALLS": str(tmp / "calls"),
        "SITE": str(tmp / "site"),
        "REAL": sys.executable,
        **settings,
    }


def install(clone: Path, *words: str, cwd: Path | None = None, **settings: str) -> subprocess.CompletedProcess:
    (clone.parent / "calls").unlink(missing_ok=True)
    return subprocess.run(
        [str(clone / "install.sh"), *words],
        cwd=cwd or clone.parent,
        env=environment(clone, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def pip_calls(clone: Path) -> list[str]:
    """What pip was asked to install."""
    prefix = "-m pip install --disable-pip-version-check --no-input "
    lines = (clone.parent / "calls").read_text().splitlines()
    return [line.removeprefix(prefix) for line in lines if line.startswith("-m pip")]


def fails_with(done: subprocess.CompletedProcess, *parts: str) -> None:
    assert done.returncode == 1
    assert done.stderr.startswith("install.sh: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def test_first_run_installs_and_second_skips_pip(clone):
    first = install(clone)
    assert first.returncode == 0, first.stderr
    assert "2–3 minutes and about 6 GB" in first.stdout
    assert pip_calls(clone) == [
        "setuptools>=70.1",
        "--no-build-isolation --constraint requirements.txt --editable .[train]",
    ]
    second = install(clone, cwd=clone)
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.startswith("Ready: ")
    assert pip_calls(clone) == []


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.txt"])
def test_a_changed_file_installs_again(clone, name):
    install(clone)
    with (clone / name).open("a") as file:
        file.write("# changed\n")
    install(clone)
    assert len(pip_calls(clone)) == 2
    install(clone)
    assert pip_calls(clone) == []


def test_extras_add_up(clone):
    install(clone, "--extras", "video")
    assert pip_calls(clone)[1].endswith("--editable .[train,video]")
    install(clone)
    assert pip_calls(clone) == []
    install(clone, "--dev")
    assert pip_calls(clone)[1].endswith("--editable .[dev,export,train,video]")
    for words in ([], ["--dev"], ["--extras", "dev", "video"], ["--extras", "dev,video"]):
        assert install(clone, *words).stdout.startswith("Ready"), words
        assert pip_calls(clone) == []


def test_what_was_added_stays_when_the_versions_change(clone):
    install(clone, "--extras", "video")
    for pins in ("torch==2.14.0\n", "torch==2.13.0\n"):
        (clone / "requirements.txt").write_text(pins)
        install(clone)
        assert pip_calls(clone)[1].endswith("--editable .[train,video]")


# -- light -----------------------------------------------------------------------------------------------------------


def test_light_installs_the_core_alone(clone):
    done = install(clone, "--light")
    assert done.returncode == 0, done.stderr
    assert "20 seconds and a quarter of a GB" in done.stdout
    assert done.stdout.endswith("Next: .venv/bin/inspyrenet photo.jpg\n")
    assert pip_calls(clone)[1] == "--no-build-isolation --constraint requirements.txt --editable ."
    assert install(clone, "--light").stdout.startswith("Ready: ")
    assert pip_calls(clone) == []


def test_light_takes_extras_and_keeps_them(clone):
    install(clone, "--light")
    install(clone, "--extras", "video")
    assert pip_calls(clone)[1].endswith("--editable .[video]")
    for words in (["--light"], ["--extras", "video"], ["--light", "--extras", "video"]):
        assert install(clone, *words).stdout.startswith("Ready: "), words
    fails_with(install(clone, "--extras", "dev", PIP_SAYS="ERROR: no"), "pip stopped: no")
    install(clone, "--extras", "video")
    assert pip_calls(clone)[1].endswith("--editable .[video]")


def test_light_becomes_full_without_options(clone):
    install(clone, "--light", "--extras", "video")
    done = install(clone)
    assert "2–3 minutes and about 6 GB" in done.stdout
    assert pip_calls(clone)[1].endswith("--editable .[train,video]")
    assert install(clone).stdout.startswith("Ready: ")


def test_full_stays_full_and_says_so(clone):
    install(clone)
    done = install(clone, "--light")
    assert (done.returncode, pip_calls(clone)) == (0, [])
    first, second = done.stdout.splitlines()
    assert first.startswith("Not light: the extra train is in ") and second.startswith("Ready: ")


def test_an_extra_that_needs_train_is_not_light(clone):
    done = install(clone, "--light", "--extras", "export")
    assert done.stdout.startswith("Not light: ") and "6 GB" in done.stdout
    assert pip_calls(clone)[1].endswith("--editable .[export,train]")


def test_a_stamp_of_the_time_before_light_is_a_full_one(clone):
    install(clone)
    (clone / ".venv" / "installed").write_text("of another time\nvideo\n")
    install(clone, "--extras", "dev")
    assert pip_calls(clone)[1].endswith("--editable .[dev,train,video]")


def test_light_needs_less_disk(clone):
    assert install(clone, "--light", FREE_KB="700000").returncode == 0
    shutil.rmtree(clone / ".venv")
    fails_with(install(clone, "--light", FREE_KB="300000"), "only 292 MB are free", "about 600 MB are needed")
    assert not (clone / ".venv").exists()


def test_another_folder_than_venv(clone):
    done = install(clone, "--light", VENV=".venv-light")
    assert f"Making {clone}/.venv-light with Python" in done.stdout
    assert done.stdout.endswith("Next: .venv-light/bin/inspyrenet photo.jpg\n")
    assert install(clone, "--light", VENV=".venv-light").stdout.startswith(f"Ready: {clone}/.venv-light is")
    assert not (clone / ".venv").exists()
    outside = clone.parent / "elsewhere"
    assert f"Making {outside} with Python" in install(clone, "--light", VENV=str(outside)).stdout


# -- repairs ---------------------------------------------------------------------------------------------------------


def test_a_moved_clone_and_a_plain_pip_install_are_repaired(clone):
    install(clone)
    info = clone.parent / "site" / "inspyrenet-0.1.0.dist-info" / "direct_url.json"
    info.write_text(info.read_text().replace('"editable": true', ""))
    install(clone)
    assert len(pip_calls(clone)) == 2
    moved = clone.rename(clone.parent / "elsewhere")
    install(moved)
    assert len(pip_calls(moved)) == 2


def test_an_interrupted_installation_is_taken_up_again(clone):
    fails_with(
        install(clone, PIP_SAYS="ERROR: Operation cancelled by user"), "pip stopped: Operation cancelled by user"
    )
    assert install(clone).returncode == 0
    assert len(pip_calls(clone)) == 2
    (clone / "requirements.txt").write_text("torch==2.14.0\n")
    assert install(clone, PIP_SAYS="ERROR: no").returncode == 1
    (clone / "requirements.txt").write_text("torch==2.15.0\n")
    assert install(clone).returncode == 0
    assert len(pip_calls(clone)) == 2


def test_a_broken_environment_is_made_anew(clone):
    install(clone)
    (clone / ".venv" / "bin" / "python").unlink()
    assert install(clone).returncode == 0
    assert install(clone).stdout.startswith("Ready")


@pytest.mark.parametrize(
    ("output", "part"),
    [
        (
            "WARNING: Retrying: NewConnectionError('Failed to establish a new connection')",
            "no package registry in reach",
        ),
        ("WARNING: Retrying: ProxyError('Cannot connect to proxy.')", "check the network or the proxy"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        (
            "Retrying: ReadTimeout\n" + "Collecting\n" * 20 + "ERROR: Failed building wheel",
            "pip stopped: Failed building",
        ),
        ("Looking…\nERROR: No matching distribution found for torch==9", "pip stopped: No matching distribution found"),
    ],
)
def test_pip_failures_are_one_line_and_name_the_log(clone, output, part):
    fails_with(install(clone, PIP_SAYS=output), part, f"{clone}/.venv/install.log")
    assert output in (clone / ".venv" / "install.log").read_text()


def test_verbose_shows_pip(clone):
    (clone.parent / "tools" / "tee").symlink_to(shutil.which("tee"))
    done = install(clone, "--verbose", PIP_SAYS="ERROR: this")
    fails_with(done, "pip stopped: this")
    assert "ERROR: this" in done.stdout


def test_no_python(clone):
    (clone.parent / "tools" / "python3").unlink()
    fails_with(install(clone), "no Python 3.11 or newer found", "PYTHON=/path/to/python ./install.sh")
    program(clone.parent / "tools" / "python3", "#!/bin/sh\nexit 1\n")  # too old, or a shim for nothing
    fails_with(install(clone), "no Python 3.11 or newer found")
    fails_with(install(clone, PYTHON="/nowhere/python"), "PYTHON=/nowhere/python is not a Python 3.11 or newer")


def test_python_without_venv(clone):
    program(clone.parent / "tools" / "python3", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexit 0\n')
    fails_with(install(clone), "python3 has no venv module", "apt install python3-venv")


def test_named_python_and_what_is_preferred(clone):
    tools = clone.parent / "tools"
    program(clone.parent / "own python", PYTHON)
    assert install(clone, PYTHON=str(clone.parent / "own python")).returncode == 0
    shutil.rmtree(clone / ".venv")
    for name in ("python3.11", "python3.12", "python3.13"):
        program(tools / name, PYTHON.replace("#!/bin/sh\n", f"#!/bin/sh\necho {name} >> $CALLS\n"))
    install(clone)
    assert (clone.parent / "calls").read_text().splitlines()[0] == "python3.12"


def test_no_disk(clone):
    fails_with(install(clone, FREE_KB="3000000"), "only 2 GB are free", "about 8 GB are needed", str(clone))
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--extras"], "--extras needs at least one name"),
        (["--extras", "--dev"], "--extras needs at least one name"),
        (["--extras", "vidoe"], "no extra called vidoe; there is: dev, export, train, video"),
        (["--light", "--dev"], "--light and --dev are two different installations"),
        (["--devv"], "unknown option --devv"),
    ],
)
def test_wrong_words(clone, words, part):
    fails_with(install(clone, *words), part)
    assert not (clone / ".venv").exists()


def test_help(clone):
    done = install(clone, "--help")
    assert done.returncode == 0
    for word in ("--light", "--dev", "--extras", "PYTHON=", "VENV=", "6 GB", "a quarter of a GB"):
        assert word in done.stdout
    assert not (clone.parent / "calls").exists()


def test_asks_nothing_even_on_a_terminal(clone):
    controller, terminal = pty.openpty()
    done = subprocess.run(
        [str(clone / "install.sh")],
        env=environment(clone),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        timeout=60,
    )
    shown = os.read(controller, 10000).decode()
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 0
    assert "Done in" in shown
    assert "?" not in shown


# -- .ci/run ---------------------------------------------------------------------------------------------------------

CI_PYTHON = """\
#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
*tests/light*) echo "5 passed in 1.2s"; exit $LIGHT ;;
*"pip install"*) exit ;;
*pytest*) echo "12 passed in 3.4s"; exit $PYTEST ;;
*format*) exit $FORMAT ;;
*mypy*) exit $TYPES ;;
*mkdocs*) exit $DOCUMENTATION ;;
*deptry*) exit $DEPENDENCIES ;;
*) exit $LINT ;;
esac
"""


@pytest.mark.parametrize(
    ("words", "codes", "last"),
    [
        ([], "0000000", "== 12 passed in 3.4s"),
        (["--system"], "0000000", "== 12 passed in 3.4s"),
        ([], "1000000", "== failed: light; 12 passed in 3.4s"),
        ([], "0100000", "== failed: tests; 12 passed in 3.4s"),
        ([], "0010000", "== failed: lint; 12 passed in 3.4s"),
        ([], "0101000", "== failed: tests format; 12 passed in 3.4s"),
        ([], "0000111", "== failed: types site dependencies product-dependencies; 12 passed in 3.4s"),
    ],
)
def test_ci_run_checks_everything_and_closes_with_pytests_line(tmp_path, words, codes, last):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    for name in (".venv", ".venv-light"):
        (tmp_path / name / "bin").mkdir(parents=True)
        program(tmp_path / name / "bin" / "python", CI_PYTHON)
    program(tmp_path / "install.sh", '#!/bin/sh\necho "install.sh $*${VENV:+ in $VENV}" >> "$CALLS"\n')
    names = ("LIGHT", "PYTEST", "LINT", "FORMAT", "TYPES", "DOCUMENTATION", "DEPENDENCIES")
    settings = dict(zip(names, codes, strict=True), CALLS=str(tmp_path / "calls"))
    done = subprocess.run(
        [str(tmp_path / ".ci" / "run"), *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == last
    assert (done.returncode == 0) == (codes == "0000000")
    marks = " -m system or not system" if words else ""
    small = ["install.sh --light in .venv-light", "-m pip install -q --disable-pip-version-check pytest>=8"]
    small.append("-m pytest -q -o addopts= --confcutdir tests/light tests/light")
    calls = [*small, "install.sh --dev", f"-m pytest{marks}", "-m ruff check", "-m ruff format --check", "-m mypy"]
    made = (tmp_path / "calls").read_text().splitlines()
    assert made[: len(calls)] == calls
    assert made[len(calls)].startswith("-m mkdocs build -q -d ")
    assert made[len(calls) + 1 :] == [
        "-m deptry . benchmarks benchmarks/engines benchmarks/interactive",
        "-m deptry . --extend-exclude tests|benchmarks --optional-dependencies-dev-groups dev",
    ]


def test_ci_run_fails_where_the_installation_fails(tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    program(tmp_path / "install.sh", "#!/bin/sh\nexit 1\n")
    done = subprocess.run([str(tmp_path / ".ci" / "run")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("== failed: light tests")


def test_requirements_are_pinned_and_are_the_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line and "/" not in line for line in lines)
    extras = project["optional-dependencies"]
    pinned = [*project["dependencies"], *extras["train"], *extras["openvino"]]
    direct = {line.split(">=")[0] for line in pinned}
    assert {line.split("==")[0] for line in lines[: len(direct)]} == direct
