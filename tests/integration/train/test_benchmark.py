"""run/Benchmark.py: every kind of work gives figures on the console and in JSON."""

import json

import pytest

from inspyrenet.commands import benchmark
from inspyrenet.engine import benchmark_table

CONFIG = """\
Model: {name: InSPyReNet_Light, encoder: mobilenetv4_conv_small, depth: 8, base_size: [32, 32], threshold: null, pretrained: false}
Train:
  Dataset:
    type: Synthetic
    root: data
    sets: [train]
    limit: 3
    transforms: {static_resize: {size: [32, 32]}, random_flip: {}}
Test:
  Dataset:
    type: Synthetic
    root: data
    sets: [heldout]
    limit: 2
    transforms: {static_resize: {size: [32, 32]}}
"""


@pytest.fixture
def config(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return "tiny.yaml"


def test_all_kinds_of_work_in_one_report(config, tmp_path, capsys):
    words = ["--config", config, "--work", "inference", "train", "data", "evaluation", "--compare", "plain"]
    words += [
        "--rounds",
        "2",
        "--batch",
        "2",
        "--no-memory",
        "--processor-time",
        "--json",
        "out.json",
        "--picture",
        "parts.png",
        "--device",
        "cpu",
    ]
    assert benchmark.main(words) == 0
    shown = capsys.readouterr().out
    report = json.loads((tmp_path / "out.json").read_text())
    (entry,) = report["networks"]
    assert report["machine"]["cores"] >= 1 and report["processor_time"]
    assert entry["parameters"] > 1e6 and entry["macs"] > 1e6
    for work, names in {
        "inference": ["plain float32", "fast float32"],
        "train": ["plain float32", "fast float32"],
        "data": ["published operations", "fused"],
        "evaluation": ["pysodmetrics", "ours"],
    }.items():
        assert list(entry[work]) == names
        assert all(len(figures["seconds"]) == 2 and min(figures["seconds"]) > 0 for figures in entry[work].values())
        assert entry[work][names[0]]["times_faster"] is None
        assert entry[work][names[1]]["times_faster"]["median"] > 0
        assert all(name in shown for name in names)
    assert (tmp_path / "parts.png").stat().st_size > 1000


def test_data_alone_builds_no_network(config, tmp_path, monkeypatch):
    from inspyrenet.engine import build

    monkeypatch.setattr(build, "network", lambda *a, **k: pytest.fail("a network was built"))
    assert benchmark.main(["--config", config, "--work", "data", "--rounds", "1", "--json", "out.json"]) == 0
    (entry,) = json.loads((tmp_path / "out.json").read_text())["networks"]
    assert "parameters" not in entry and entry["data"]["fused"]["seconds"]


def test_peak_memory_comes_from_a_process_of_its_own(config, tmp_path):
    assert benchmark.main(["--config", config, "--rounds", "1", "--json", "out.json"]) == 0
    (entry,) = json.loads((tmp_path / "out.json").read_text())["networks"]
    assert entry["inference"]["fast float32"]["peak_bytes"] > 0


def test_a_size_that_cannot_be_read_is_an_error(config, capsys):
    assert benchmark.main(["--config", config, "--input", "big"]) != 0
    assert "HEIGHTxWIDTH" in capsys.readouterr().err


def test_measurements_are_kept_although_the_picture_fails(config, tmp_path, monkeypatch):
    words = [
        "--config",
        config,
        "--rounds",
        "1",
        "--no-memory",
        "--json",
        "new/out.json",
        "--picture",
        "other/parts.png",
    ]
    monkeypatch.setattr(benchmark_table, "draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        benchmark.main(words)
    assert json.loads((tmp_path / "new" / "out.json").read_text())["networks"][0]["inference"]
    assert (tmp_path / "other").is_dir()


def test_a_picture_shows_one_size(config, capsys):
    assert benchmark.main(["--config", config, "--input", "64x64", "96x96", "--picture", "parts.png"]) == 1
    assert "--picture: shows one network at one size" in capsys.readouterr().err
