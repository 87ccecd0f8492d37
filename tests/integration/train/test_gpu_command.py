"""benchmarks/gpu.py on the CPU, with small networks: every stage, what it leaves, and that one stage does not harm the next."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu_stages.records import Records
from inspyrenet.engine import build
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.checkpoint import read_weights

ROOT = Path(__file__).resolve().parents[3]
BUDGET = "1800"  # so that a busy machine changes nothing: without --tiny's short training it would all be used
NETWORK = ["Model.base_size=[64,64]", "Model.depth=8"]
LEARN = [
    "Train.Dataset.limit=60",
    "Train.Dataset.transforms.static_resize.size=[64,64]",
    "Train.Dataloader.num_workers=0",
    "Train.ema=0.9",
    *NETWORK,
]


def run(out: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--device", "cpu", "--tiny", "--budget", BUDGET]
    command += ["--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=out.parent, timeout=1800)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> list[str]:
    """Words that train on painted pictures."""
    return ["--config", "Quickstart", f"Train.Dataset.root={tmp_path_factory.mktemp('data')}", *LEARN]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data) -> tuple[subprocess.CompletedProcess, Path]:
    """All stages, one after the other."""
    out = tmp_path_factory.mktemp("gpu") / "out"
    return run(out, *data), out


def results(out: Path, stage: str) -> list[dict]:
    return [record for record in Records(out / "results.jsonl").read() if record["stage"] == stage]


def test_all_stages_end_well(whole):
    done, out = whole
    assert done.returncode == 0, done.stdout + done.stderr
    first = json.loads((out / "results.jsonl").read_text().splitlines()[0])
    assert first["stage"] == "machine" and first["machine"]["cores"] >= 1 and first["machine"]["commit"]
    assert "0 failed" in done.stdout


def test_every_check_is_ok_or_says_why_it_was_skipped(whole):
    checks = results(whole[1], "check")
    assert len(checks) > 30
    for record in checks:
        assert record["ok"] is True or (
            record["ok"] is None and record["error"].startswith(("needs CUDA", "--tiny"))
        ), record
        assert record["ok"] is None or record["value"] <= record["limit"]
    done = {record["name"] for record in checks if record["ok"]}
    wanted = ("golden pyramid operations", "fast against reference, float32", "fast against reference, bfloat16")
    assert {*wanted, "resume after a kill, bfloat16", "SyncBatchNorm in a group of one"} <= done
    skipped = {record["name"]: record["error"] for record in checks if record["ok"] is None}
    assert "needs CUDA" in skipped["out of memory"] and "needs CUDA" in skipped["CUDA graph"]


def test_every_case_is_measured_beside_its_floor(whole):
    found = {record["name"]: record for record in results(whole[1], "measure")}
    assert {"matrix product float32", "matrix product bfloat16", "copy, read and written"} <= found.keys()
    cases = [record for record in found.values() if "floor_ms_flops" in record]
    assert len(cases) == 7
    for record in cases:
        assert record["ok"] and record["value"] > 0 and record["gflop"] > 0
        assert record["floor_ms_flops"] > 0 and record["floor_ms_bytes"] > 0 and record["images_per_second"] > 0
    assert sum("training" in record["name"] for record in cases) == 1
    assert [record["compile_seconds"] > 0 for record in cases if record["name"].endswith("compiled")] == [True]
    published = [record for record in found.values() if record.get("published")]
    assert [record["value"] for record in published] == [87.0, 69.0]


def test_trained_weights_load_into_the_network(whole):
    out = whole[1]
    assert sorted(path.name for path in out.iterdir()) == [
        "best.safetensors",
        "ema.safetensors",
        "progress.json",
        "raw.safetensors",
        "results.jsonl",
    ]
    state = read_weights(out / "best.safetensors")
    network = build.network(load_config(["Quickstart"], NETWORK)[0], start=False)
    load_state(network, state)
    progress = json.loads((out / "progress.json").read_text())
    assert progress["iteration"] >= 1 and progress["best"]["metric"] == "maxFm"
    assert len(progress["history"]) == len(results(out, "train")) - 1 >= 1


def test_training_goes_on(whole, data):
    out = whole[1]
    before = json.loads((out / "progress.json").read_text())
    done = run(out, "--only", "train", "--resume", *data)
    assert done.returncode == 0, done.stdout + done.stderr
    after = json.loads((out / "progress.json").read_text())
    assert after["iteration"] > before["iteration"] and after["calls"] == 2
    assert after["history"][: len(before["history"])] == before["history"]
    assert after["best"]["value"] >= before["best"]["value"]


def test_a_stage_that_fails_is_reported_and_the_next_begins(tmp_path):
    done = run(tmp_path / "out", "--only", "train", "measure", f"Train.Dataset.root={tmp_path / 'nowhere'}")
    assert done.returncode == 1
    (failed,) = results(tmp_path / "out", "train")
    assert failed["ok"] is False and "nowhere" in failed["error"] and "no such folder" in failed["error"]
    assert any(record["ok"] and "floor_ms_flops" in record for record in results(tmp_path / "out", "measure"))


def test_a_device_that_is_not_there_is_one_line_and_code_2(tmp_path):
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": ""}, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --device cuda, but torch") and len(done.stderr.splitlines()) == 1
