"""What run/Export.py --web writes, without a browser (tests/integration/web_page has one)."""

import gzip
import json
import re
from dataclasses import replace

import pytest

from inspyrenet.commands.export import main
from inspyrenet.engine.presets import bundled_graphs
from inspyrenet.web_page import export
from inspyrenet.web_page.export import POLICY, WebExportError, export_web

VERSION = ".".join(map(str, export.TESTED)) + ".7"


def write_runtime(folder, about=None, files=(export.SCRIPTS, export.WASM)):
    """Something that looks like npm's onnxruntime-web."""
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(about or {"name": "onnxruntime-web", "version": VERSION}))
    for name in files:
        (folder / "dist" / name).write_bytes(name.encode() * 100)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    runtime = write_runtime(tmp_path_factory.mktemp("npm") / "node_modules" / "onnxruntime-web")
    return export_web(tmp_path_factory.mktemp("web"), runtime), runtime


def kept(folder) -> list[str]:
    """The service worker's list."""
    script = (folder / "service-worker.js").read_text()
    return json.loads(re.search(r"const FILES = (\[.*\]);", script)[1])


def test_the_folder_has_the_page_the_network_and_the_runtime(written):
    result, runtime = written
    for name in export.GRAPHS:
        packed = (result.folder / f"{name}.onnx.gz").read_bytes()
        assert gzip.decompress(packed) == (bundled_graphs() / f"{name}.onnx").read_bytes()
    wasm = (result.folder / "ort" / f"{export.WASM}.gz").read_bytes()
    assert gzip.decompress(wasm) == (runtime / "dist" / export.WASM).read_bytes()
    settings = json.loads((result.folder / "network.json").read_text())
    assert settings == {"size": [320, 320], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    files = [path for path in result.folder.rglob("*") if path.is_file()]
    assert result.files == len(files) and "{{" not in "".join(one.read_text() for one in files if one.suffix != ".gz")


def test_what_the_network_takes_leaves_room_for_the_runtime(written):
    """The real runtime takes 3.7 MB more than this one; together they stay below 15 MB on any host."""
    assert 8e6 < written[0].transferred < 11e6


def test_every_file_that_the_page_names_is_there_and_works_offline(written):
    folder = written[0].folder
    names = kept(folder)
    assert names[0] == "./" and all((folder / name).is_file() for name in names[1:])
    assert len(names) == len(set(names)) and "index.html" in names
    named = set()
    for path in [*folder.glob("*.js"), folder / "index.html"]:
        text = path.read_text()
        named |= set(re.findall(r'(?:from|src=|URL\(|href=) ?"(?:\./)?([\w./-]+\.\w+)"', text))
    assert {"page.js", "worker.js", "page.css", f"ort/{export.SCRIPTS}"} <= named <= set(names)


def test_the_policy_allows_webassembly_and_nothing_else(written):
    folder = written[0].folder
    assert f'content="{POLICY}"' in (folder / "index.html").read_text()
    assert f'"{POLICY}"' in (folder / "service-worker.js").read_text()
    assert re.findall(r"'unsafe-\w+'|'wasm-\S+'|https?:|\*", POLICY) == ["'wasm-unsafe-eval'"]
    assert POLICY.startswith("default-src 'none';")
    page = (folder / "index.html").read_text()
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>", page)  # which the policy would not let run


def test_the_same_again_changes_nothing_and_another_file_changes_the_version(written, tmp_path, monkeypatch):
    first, runtime = written
    before = (first.folder / "service-worker.js").read_bytes()
    assert export_web(first.folder, runtime) == first and (first.folder / "service-worker.js").read_bytes() == before
    monkeypatch.setattr(export, "__version__", "0.0.0")  # in package.json
    other = (export_web(tmp_path / "other", runtime).folder / "service-worker.js").read_bytes()
    version = rb'const VERSION = "(\w{16})"'
    assert re.search(version, other)[1] != re.search(version, before)[1]


def test_the_package_names_files_that_are_there(written):
    folder = written[0].folder
    about = json.loads((folder / "package.json").read_text())
    named = {about["main"], about["types"], *about["exports"]["."].values()}
    assert all((folder / name).is_file() for name in named)
    functions = r"export (?:async )?(?:function|class|const) (\w+)"
    declared, written_ = (re.findall(functions, (folder / name).read_text()) for name in ("index.d.ts", "index.js"))
    assert sorted(declared) == sorted(written_) and "removeBackground" in declared


@pytest.mark.parametrize(
    ("about", "files", "message"),
    [
        ({"name": "onnxruntime-web", "version": "1.2.0"}, (), "is onnxruntime-web 1.2.0, but the page needs"),
        ({"name": "onnxruntime-node", "version": VERSION}, (), "is onnxruntime-node"),
        ({"name": "onnxruntime-web"}, (), "does not describe an npm package"),
        (None, (export.SCRIPTS,), export.WASM),
    ],
)
def test_a_runtime_that_does_not_fit_is_told(tmp_path, about, files, message):
    runtime = write_runtime(tmp_path / "runtime", about, files)
    with pytest.raises(WebExportError, match=re.escape(message)) as found:
        export_web(tmp_path / "web", runtime)
    assert "npm install onnxruntime-web@" in str(found.value) and not (tmp_path / "web").exists()


def test_other_files_are_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WebExportError, match="has other files"):
        export_web(tmp_path)
    with pytest.raises(WebExportError, match="is a file"):
        export_web(tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_network_that_the_page_cannot_run_is_told(tmp_path, monkeypatch):
    whole = export.metadata_of
    monkeypatch.setattr(export, "metadata_of", lambda *words: replace(whole(*words), normalize="minmax"))
    with pytest.raises(WebExportError, match="normalize"):
        export_web(tmp_path / "web", write_runtime(tmp_path / "runtime"))


def test_a_network_without_its_part_for_strokes_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "head_beside", lambda folder: None)
    with pytest.raises(WebExportError, match=r"prompt\.onnx"):
        export_web(tmp_path / "web", write_runtime(tmp_path / "runtime"))


def test_the_command_writes_the_folder_and_says_what_to_do(tmp_path, monkeypatch, capsys):
    write_runtime(tmp_path / "node_modules" / "onnxruntime-web")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert main(["--web", "out"]) == 0
    assert "python -m http.server -d out" in capsys.readouterr().out and (tmp_path / "below/out/index.html").is_file()


def test_the_command_without_the_runtime_says_how_to_get_it(tmp_path, capsys):
    assert main(["--web", str(tmp_path / "web"), "--runtime", str(tmp_path / "none")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "npm install onnxruntime-web@" in error and error.count("\n") == 1


@pytest.mark.parametrize("words", [["--runtime", "x"], ["--web", "x", "--dynamic"], ["--web", "x", "Model.depth=64"]])
def test_options_of_other_exports_do_not_go_together_with_the_page(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2 and "--web FOLDER writes" in capsys.readouterr().err
