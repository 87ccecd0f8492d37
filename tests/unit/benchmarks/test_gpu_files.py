"""What benchmarks/gpu.py writes while it trains, and that no item of a stage ends the others."""

import time
from argparse import Namespace

import pytest
import torch

from benchmarks.gpu_stages import train_files
from benchmarks.gpu_stages.setting import Setting, Skip, run_all
from benchmarks.gpu_stages.train_files import Files, TooLarge


def state(count: int = 4, numbers: int = 1000) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    weights = {f"layer{i}.weight": torch.randn(numbers // 10, 10) for i in range(count)}
    return {**weights, "norm.num_batches_tracked": torch.tensor(7)}


def test_small_weights_are_one_file_each_in_float32_and_best_in_float16(tmp_path):
    files, ours = Files(tmp_path, state(), averaged=True, largest=100_000), state()
    assert files.write("raw", ours) == ["raw.safetensors"]
    back = train_files.read(tmp_path, ["raw.safetensors"])
    assert back.keys() == ours.keys() and all(torch.equal(back[name], ours[name]) for name in ours)
    best = train_files.read(tmp_path, files.write("best", ours))
    assert best["layer0.weight"].dtype == torch.float16 and best["norm.num_batches_tracked"] == 7
    torch.testing.assert_close(best["layer0.weight"].float(), ours["layer0.weight"], atol=1e-3, rtol=1e-3)


def test_larger_weights_are_split_into_files_of_the_size_that_is_allowed(tmp_path):
    largest, ours = 5_000, state()  # 8 KB in float16
    files = Files(tmp_path, ours, averaged=True, largest=largest)
    assert "raw (float16, 2 file(s))" in files.describe(ours)
    names = [name for kind in ("best", "raw", "ema") for name in files.write(kind, ours)]
    assert names[:2] == ["best-1-of-2.safetensors", "best-2-of-2.safetensors"] and len(names) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert all((tmp_path / name).stat().st_size < largest for name in names)
    assert train_files.read(tmp_path, names[:2]).keys() == ours.keys()


@pytest.mark.parametrize("largest", [2_500, 500])
def test_weights_that_do_not_fit_are_refused_with_a_way_out(tmp_path, largest):
    with pytest.raises(TooLarge, match="--file-mb"):
        Files(tmp_path, state(), averaged=True, largest=largest)


def test_a_number_that_float16_does_not_have_stays_float32(tmp_path):
    ours = {"variance": torch.tensor([1e6]), "mean": torch.tensor([1.0])}
    files = Files(tmp_path, ours, averaged=False, largest=100_000)
    best = train_files.read(tmp_path, files.write("best", ours))
    assert best["variance"].item() == 1e6 and best["mean"].dtype == torch.float16


def test_a_folder_that_holds_a_training_is_never_overwritten(tmp_path):
    with pytest.raises(FileNotFoundError, match="--resume"):
        train_files.read_progress(tmp_path, resume=True)
    assert train_files.read_progress(tmp_path, resume=False) is None
    Files(tmp_path, state(), averaged=False, largest=100_000).write_progress({"iteration": 3})
    assert train_files.read_progress(tmp_path, resume=True) == {"iteration": 3}
    with pytest.raises(FileExistsError, match="--resume"):
        train_files.read_progress(tmp_path, resume=False)


def setting(tmp_path, seconds: float) -> Setting:
    options = Namespace(stage="check", out=tmp_path, device="cpu", tiny=True, until=time.monotonic() + seconds, since=0)
    return Setting.of(options)


def fails() -> dict:
    raise ValueError("no\nway")


def skipped() -> dict:
    raise Skip("needs CUDA")


def test_no_item_ends_the_others(tmp_path):
    items = [
        ("fails", fails),
        ("skipped", skipped),
        ("too large", lambda: {"value": 2, "limit": 1, "ok": False}),
        ("fine", dict),
    ]
    here = setting(tmp_path, 60)
    assert run_all(here, items) is False
    assert [(r["name"], r["ok"], r["error"]) for r in here.records.read()] == [
        ("fails", False, "ValueError: no way"),
        ("skipped", None, "needs CUDA"),
        ("too large", False, None),
        ("fine", True, None),
    ]
    assert run_all(here, items) is True  # a second process of the stage goes on behind what has its line
    assert len(here.records.read()) == 4


def test_an_item_is_ended_when_the_time_of_its_stage_is_over(tmp_path):
    here = setting(tmp_path, 0.2)
    assert run_all(here, [("endless", lambda: time.sleep(600)), ("next", fails)])
    assert [(r["ok"], r["error"]) for r in here.records.read()] == [
        (None, "its time was over"),
        (None, "no time was left"),
    ]
