"""Who may import whom, and habits that the house does without. Read from the source, so that nothing can hide."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "inspyrenet"
LAYERS = ("lib", "data", "utils")  # real folders of the clone, links in the package; none of them knows another
SCRIPTS = [ROOT / "Expr.py", *sorted((ROOT / "run").glob("*.py"))]
PLUGINS = ROOT / "utils" / "config" / "plugins.py"  # adds folders of configs to sys.path, behind all others
MOST_FILES = 18  # in one folder


def python_files(folder: Path) -> list[Path]:
    """Code below a folder, links and data sets left out."""
    return sorted(path for path in folder.rglob("*.py") if "_Dataset" not in str(path) and not linked(path))


def linked(path: Path) -> bool:
    return any(parent.is_symlink() for parent in path.parents)


MODULES = {  # dotted name → file
    ".".join(["inspyrenet", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): path
    for folder in (*LAYERS, "configs")
    for path in python_files(ROOT / folder)
} | {
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__"): path
    for path in python_files(PACKAGE)
}
NAMES = {path: module for module, path in MODULES.items()}
FILES = [*SCRIPTS, *MODULES.values()]
TESTS = [*python_files(ROOT / "tests"), *python_files(ROOT / "benchmarks")]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name(path))


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, absolute name) of everything that a file imports, wherever in the file."""
    package = NAMES.get(path, "outside").split(".")[: None if path.name == "__init__.py" else -1]
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def arrows() -> dict[str, set[str]]:
    """Module → modules of ours that it imports, lazily and for type hints too."""
    graph = {}
    for module, path in MODULES.items():
        named = {target if target in MODULES else target.rpartition(".")[0] for _, target in imports(path)}
        graph[module] = (named & MODULES.keys()) - {module}
    return graph


def layer(module: str) -> str:
    """lib, data or utils, else the front."""
    part = module.split(".")[1:2]
    return part[0] if part and part[0] in LAYERS else "front"


def test_there_is_something_to_check():
    assert len(MODULES) > 150 and len(SCRIPTS) == 11


def test_imports_go_one_way():
    """run → inspyrenet → { utils, data, lib }: the layers import nothing of the front, and do not know each other."""
    wrong = [
        f"{source} imports {target}"
        for source, targets in arrows().items()
        for target in targets
        if layer(source) != "front" and layer(target) != layer(source)
    ]
    assert wrong == []


def test_scripts_are_imported_by_nobody():
    for path in (*FILES, *TESTS):
        for line, target in imports(path):
            assert target.split(".")[0] not in ("run", "Expr"), f"{name(path)}:{line}"
    assert not (ROOT / "run" / "__init__.py").exists()


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_scripts_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40


def test_there_is_no_circle():
    graph = {module: set(targets) for module, targets in arrows().items()}
    while free := [module for module, targets in graph.items() if not targets & graph.keys()]:
        for module in free:
            del graph[module]
    assert sorted(graph) == [], "these import each other in a circle, or are above one that does"


@pytest.mark.parametrize("folder", sorted({path.parent for path in (*FILES, *TESTS)}), ids=name)
def test_no_folder_is_a_heap(folder):
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= MOST_FILES, f"{name(folder)} holds {len(files)} files: sort them into folders"


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
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and path != PLUGINS:
            assert (node.value.id, node.attr) != ("sys", "path"), f"{where}: sys.path"
        if isinstance(node, ast.ImportFrom) and node.module == "sys":
            assert "path" not in [alias.name for alias in node.names], f"{where}: sys.path"
        if isinstance(node, ast.keyword) and node.arg == "shell":
            assert isinstance(node.value, ast.Constant), f"{where}: shell=…"
            assert node.value.value is False, f"{where}: shell=True"
        if isinstance(node, ast.ExceptHandler) and (node.type is None or getattr(node.type, "id", "") == "Exception"):
            assert not all(isinstance(inner, ast.Pass) for inner in node.body), f"{where}: an exception is swallowed"


def test_signals_are_handled_in_one_place():
    calls = [path for path in FILES for node in ast.walk(tree(path)) if _calls(node, "signal.signal")]
    assert {name(path) for path in calls} == {"utils/system/signals.py"}


def _calls(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == function


@pytest.mark.parametrize("path", FILES, ids=name)
def test_pages_lie_in_files_of_their_own(path):
    """HTML, style sheets and scripts: editors and linters know them there, in a string nobody does."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = [mark for mark in ("<script", "<style", "addEventListener", ";\n}") if mark in node.value]
            assert found == [], f"{name(path)}:{node.lineno}: move it beside the module, see utils/system/page_files.py"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_pickled_files_are_read_as_weights_only(path):
    for node in ast.walk(tree(path)):
        if _calls(node, "torch.load"):
            safe = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert safe.get("weights_only") == "True", f"{name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", FILES + TESTS, ids=name)
def test_files_stay_readable(path):
    limit = 400 if path in FILES else 600
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


def test_no_merge_is_left_half_done():
    kinds = ("*.md", "docs/**/*.md", "configs/**/*.yaml", *(f"src/**/*.{kind}" for kind in ("js", "css", "html")))
    pages = [path for kind in kinds for path in ROOT.glob(kind)]
    texts = {path: path.read_text(encoding="utf-8").splitlines() for path in [*pages, *FILES, *TESTS]}
    assert len(pages) > 60
    assert not [
        str(path) for path, lines in texts.items() if any(line.startswith(("<" * 7, ">" * 7)) for line in lines)
    ]


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


def test_both_layers_write_whole_files_alike():
    """data and utils may not import each other, so each has this helper; a change of one is a change of both."""
    copies = [ROOT / "data" / "whole_file.py", ROOT / "utils" / "system" / "whole_file.py"]
    assert copies[0].read_text(encoding="utf-8") == copies[1].read_text(encoding="utf-8")
