"""Who may import whom, and habits that the house does without. Read from the source, so that nothing can hide."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lib", "data", "utils", "run", "inspyrenet", "configs")
FILES = [ROOT / "Expr.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]
FILES = [path for path in FILES if path.is_file()]
TESTS = [*sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]
SCRIPTS = [
    path for path in FILES if "__main__" in path.read_text(encoding="utf-8") and path.parent.name in ("run", ROOT.name)
]
FORBIDDEN = {  # folder → what it must not import
    "lib": ("data", "utils", "run", "configs"),
    "data": ("lib", "utils", "run", "configs"),
    "utils": ("lib", "data", "run", "configs"),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name(path))


def module(path: Path) -> list[str]:
    """`utils/metrics/basic.py` → ["inspyrenet", "utils", "metrics"]: the package that relative imports start from."""
    folder = path.parent.relative_to(ROOT).parts
    return [*([] if folder[:1] == ("inspyrenet",) else ["inspyrenet"]), *folder]


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, absolute name) of everything that a file imports."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module(path)[: len(module(path)) + 1 - node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def test_there_is_something_to_check():
    assert len(FILES) > 20


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_layers_do_not_import_each_other(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for line, target in imports(path):
            parts = target.split(".")
            if parts[0] == "inspyrenet":
                assert len(parts) > 1, f"{name(path)}:{line} imports the public face"
                assert parts[1] == folder, f"{name(path)}:{line} imports {target}"


@pytest.mark.parametrize("path", FILES + TESTS, ids=name)
def test_no_bare_folder_is_imported(path):
    for line, target in imports(path):
        assert target.split(".")[0] not in ("lib", "data", "utils", "run", "configs"), f"{name(path)}:{line}: {target}"


@pytest.mark.parametrize("path", FILES + TESTS, ids=name)
def test_habits_the_house_does_without(path):
    for node in ast.walk(tree(path)):
        where = f"{name(path)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ImportFrom):
            assert "*" not in [alias.name for alias in node.names], f"{where}: star import"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"{where}: {node.func.id}()"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("sys", "path"), f"{where}: sys.path"
        if isinstance(node, ast.ImportFrom) and node.module == "sys":
            assert "path" not in [alias.name for alias in node.names], f"{where}: sys.path"
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert isinstance(node.value, ast.Constant), f"{where}: shell=…"
            assert node.value.value is False, f"{where}: shell=True"
        if isinstance(node, ast.ExceptHandler) and (node.type is None or getattr(node.type, "id", "") == "Exception"):
            assert not all(isinstance(inner, ast.Pass) for inner in node.body), f"{where}: an exception is swallowed"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_pickled_files_are_read_as_weights_only(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            safe = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert safe.get("weights_only") == "True", f"{name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", FILES + TESTS, ids=name)
def test_files_stay_readable(path):
    limit = 400 if path in FILES else 600
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


def loaded_by(code: str) -> set[str]:
    """Heavy modules that are loaded after `code`."""
    heavy = ("torch", "numpy", "timm", "cv2", "PIL", "pandas", "matplotlib", "pydantic")
    text = f"import sys\n{code}\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import inspyrenet") == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_say_what_to_do_where_nothing_is_installed(path):
    """`-S` hides what pip installed, so the package is absent, or is only the clone's own inspyrenet folder."""
    done = subprocess.run(
        [sys.executable, "-S", str(path), "--help"], cwd=ROOT, capture_output=True, text=True, env={}, timeout=60
    )
    assert done.returncode != 0
    assert "./install.sh" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_answer_help_from_any_folder(path, tmp_path):
    done = subprocess.run(
        [sys.executable, str(path), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert "usage:" in done.stdout
