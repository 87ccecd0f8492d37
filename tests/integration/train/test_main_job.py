"""Train, test, evaluate: the commands as people type them, on a network that trains in seconds."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet.commands import evaluate, test, train
from inspyrenet.commands.experiment import main as expr
from inspyrenet.engine import test as testing
from inspyrenet.lib import build_model
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.train.checkpoint import read_weights
from inspyrenet.utils.train.trainer import Trainer
from tests.integration.conftest import write_config


def test_expr_trains_tests_and_scores(tiny, tmp_path, capsys):
    assert expr(["--config", str(tiny), "--device", "cpu"]) == 0
    run = tmp_path / "snapshots" / "tiny"
    assert sorted(path.name for path in (run / "heldout").iterdir()) == ["00000.png", "00001.png", "00002.png"]
    for path in (run / "heldout").iterdir():
        source = Image.open(tmp_path / "data" / "heldout" / "images" / f"{path.stem}.jpg")
        assert Image.open(path).size == source.size
        assert Image.open(path).mode == "L"
    printed = capsys.readouterr()
    assert "maxFm" in printed.out
    assert "3 maps" in printed.err
    assert "images/s" in printed.err
    assert load_config(run / "config.yaml")[0] == load_config(tiny)[0]
    assert (tmp_path / "results" / "tiny" / "curves.png").is_file()
    log = next(run.glob("train_*.log")).read_text()
    assert "torch:" in log
    assert "Train:" in log
    # the same command again neither trains nor overwrites unasked, nor does another run of this name
    tables = (tmp_path / "results" / "tiny" / "scores.csv").read_bytes()
    assert expr(["--config", str(tiny), "--device", "cpu"]) == 1
    assert "already holds a run: continue it with --resume" in capsys.readouterr().err
    assert expr(["--config", str(tiny), "Train.Optimizer.lr=1", "--device", "cpu"]) == 1
    assert "Train.Optimizer.lr was 0.001 and is 1.0 now: keep both with" in capsys.readouterr().err
    assert (tmp_path / "results" / "tiny" / "scores.csv").read_bytes() == tables


def test_several_configs_end_in_one_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = [str(write_config(tmp_path, name)) for name in ("first", "second")]
    assert expr(["-c", *files, "--device", "cpu"]) == 0
    rows = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith(("first", "second"))]
    assert rows == ["first", "second"]


def test_a_grid_of_overrides_trains_each_point(tiny, tmp_path, capsys):
    words = ["Train.Optimizer.lr=1e-3,1e-4", "Train.Checkpoint.checkpoint_dir=null", "Eval.pred_root=null"]
    assert expr(["-c", str(tiny), *words, "--device", "cpu"]) == 0
    runs = [path.name for path in (tmp_path / "snapshots").iterdir()]
    assert len(runs) == 2
    assert capsys.readouterr().out.count("tiny") >= 2


def test_seeds_end_in_mean_and_deviation(tiny, tmp_path, capsys):
    free = ["Train.Checkpoint.checkpoint_dir=null", "Eval.pred_root=null"]
    assert expr(["-c", str(tiny), *free, "--seeds", "2", "--device", "cpu"]) == 0
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == ["tiny_seed-0", "tiny_seed-1"]
    [line] = [line for line in capsys.readouterr().out.splitlines() if "±" in line and "heldout" in line]
    assert line.split()[:3] == ["tiny", "heldout", "2"]
    spreads = line.split("  ")[-1].strip()
    joint = tmp_path / "results" / "joint"
    assert all(spreads in (joint / name).read_text() for name in ("scores.md", "seeds.csv"))
    assert spreads.replace("±", r"$\pm$") in (joint / "scores.tex").read_text()
    # a half-done grid goes on: what is finished is not trained again
    assert expr(["-c", str(tiny), *free, "--seeds", "3", "--resume", "--device", "cpu"]) == 0
    assert len(list((tmp_path / "snapshots").iterdir())) == 3


APART = ["Train.Checkpoint.checkpoint_dir=null", "Eval.pred_root=null"]
DIVERGES = "Train.Optimizer.lr=1e30,1e-3"


def test_a_point_that_diverges_is_a_line_of_the_table(tiny, tmp_path, capsys):
    words = ["Train.Optimizer.type=SGD", DIVERGES, "Train.Scheduler.epoch=3", *APART]
    assert expr(["-c", str(tiny), *words, "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines() if line.startswith("tiny")]
    assert lines[0][:3] == ["tiny_lr-1e-3", "heldout", "3"]
    assert lines[1] == ["tiny_lr-1e30", "-", "failed", "-", "-"]
    assert lines[2][:2] == ["tiny_lr-1e30", "failed:"] and "not finite" in " ".join(lines[2])
    assert "tiny_lr-1e30: failed: epoch" in printed.err and "Traceback" not in printed.err
    joint = tmp_path / "results" / "joint"
    with (joint / "scores.csv").open(newline="") as file:
        failed = {row["method"]: row["failure"] for row in csv.DictReader(file)}
    assert failed["tiny_lr-1e-3"] == "" and "not finite" in failed["tiny_lr-1e30"]
    assert "| tiny_lr-1e30 | - | failed |" in (joint / "scores.md").read_text()


def test_a_grid_in_shards_is_joined_to_one_table(tiny, tmp_path, capsys):
    cited = tmp_path / "cited.yaml"
    cited.write_text("Theirs: {source: 'Doe et al., 2020', figures: {heldout: {maxFm: 1, mae: 0}}}")
    grid = ["-c", str(tiny), "Train.Optimizer.type=SGD", DIVERGES, "Train.Scheduler.epoch=3", *APART, "--device", "cpu"]
    assert expr([*grid, "--shard", "1/2"]) == 1
    assert expr([*grid, "--shard", "2/2"]) == 0
    joint = tmp_path / "results" / "joint"
    assert not joint.exists()
    assert "tiny_lr-1e30" not in capsys.readouterr().out.splitlines()[2]
    assert expr([*grid, "--join", "--report", f"Eval.cited={cited}"]) == 1  # since a point has failed
    assert "tiny_lr-1e30 failed: epoch" in capsys.readouterr().out
    lines = list(csv.DictReader((joint / "paper.csv").open(newline="")))
    assert [line["method"] for line in lines] == ["Theirs", "tiny_lr-1e-3", "tiny_lr-1e30"]
    assert lines[1]["heldout mae"] and not lines[2]["heldout mae"]
    assert r"Theirs$^\dagger$ & \textbf{0.000} & \textbf{1.000} \\" in (joint / "paper.tex").read_text()
    assert (joint / "report.html").is_file()
    # the table of another grid does not take its place
    assert expr(["-c", str(tiny), "Train.Optimizer.lr=1e-4,1e-2", *APART, "--device", "cpu"]) == 1
    assert "joint holds the tables of another command, with the run tiny_lr-1e30" in capsys.readouterr().err
    assert not (tmp_path / "snapshots" / "tiny_lr-1e-4").exists()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), KeyError("a bug")])
def test_whatever_a_point_raises_ends_that_point_alone(tiny, tmp_path, capsys, monkeypatch, error):
    """Also where points share a training, and in the step after it."""
    predict = testing.predict_sets

    def fails_for_the_first(config, *given, **options):
        if config.name.endswith("none"):
            raise error
        return predict(config, *given, **options)

    monkeypatch.setattr(testing, "predict_sets", fails_for_the_first)
    words = ["Test.normalize=none,minmax", "Eval.pred_root=null"]
    assert expr(["-c", str(tiny), *words, "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    rows = [line.split()[0] for line in printed.out.splitlines() if line.startswith("tiny")]
    assert rows[:2] == ["tiny_normalize-minmax", "tiny_normalize-none"]
    assert f"{type(error).__name__}: " in printed.out
    assert "Traceback" in printed.err  # a bug of ours is still to be seen


def test_points_that_share_a_training_that_failed_say_so(tiny, capsys):
    words = ["Train.Optimizer.lr=1e30", "Train.Optimizer.type=SGD", "Train.Scheduler.epoch=3"]
    assert expr(["-c", str(tiny), *words, "Test.normalize=none,minmax", "Eval.pred_root=null", "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert "it shares the training of tiny_normalize-none" in error
    assert "error: no run could be scored:" in error


def test_the_joint_table_of_a_sweep_whose_points_all_failed_is_not_an_earlier_one(tiny, tmp_path, monkeypatch):
    joint = tmp_path / "results" / "joint"
    joint.mkdir(parents=True)
    for name in ("scores.csv", "per_image.csv"):
        (joint / name).write_text("of an earlier sweep")
    monkeypatch.setattr(testing, "predict_sets", lambda *_, **__: 1 / 0)
    words = ["Test.normalize=none,minmax", "Eval.pred_root=null"]
    assert expr(["-c", str(tiny), *words, "--device", "cpu"]) == 1
    lines = list(csv.reader((joint / "scores.csv").open()))
    assert [line[0] for line in lines] == ["method", "tiny_normalize-none", "tiny_normalize-minmax"]
    assert not (joint / "per_image.csv").exists()


def test_a_mistake_in_one_point_is_found_before_any_starts(tiny, tmp_path, capsys):
    assert expr(["-c", str(tiny), "Train.Optimizer.lr=1e-3,-1", *APART, "--device", "cpu"]) == 1
    assert "Train.Optimizer.lr: must be greater than 0" in capsys.readouterr().err
    assert expr(["-c", str(tiny), "Eval.conventions=pysod,published", *APART, "--device", "cpu"]) == 1
    assert "one table needs one kind" in capsys.readouterr().err
    assert not (tmp_path / "snapshots").exists()


def test_a_run_that_is_asked_to_stop_ends_the_sweep(tiny, tmp_path, monkeypatch):
    fit = Trainer.fit

    def terminated(trainer):
        return replace(fit(trainer), reason="terminated")

    monkeypatch.setattr(Trainer, "fit", terminated)
    words = ["-c", str(tiny), "Train.Optimizer.lr=1e-3,1e-4", *APART, "--device", "cpu"]
    assert expr(words) == 143
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["tiny_lr-1e-3"]
    assert train.main([*words, "--overwrite"]) == 0  # Train.py has saved, which is all that was asked
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_train_and_test_go_on_behind_a_point_that_fails(tiny, tmp_path, capsys):
    words = [
        "-c",
        str(tiny),
        "Train.Optimizer.type=SGD",
        DIVERGES,
        "Train.Scheduler.epoch=3",
        *APART,
        "--device",
        "cpu",
    ]
    assert train.main(words) == 1
    assert (tmp_path / "snapshots" / "tiny_lr-1e-3" / "checkpoint_00000006.pth").is_file()
    assert test.main(words) == 1
    assert len(list((tmp_path / "snapshots" / "tiny_lr-1e-3" / "heldout").iterdir())) == 3
    assert "tiny_lr-1e30: failed: " in capsys.readouterr().err
    assert evaluate.main(words[:-2]) == 1


def test_points_that_differ_in_testing_only_share_their_weights(tiny, tmp_path):
    words = ["Test.normalize=none,minmax", "Eval.pred_root=null"]
    assert expr(["-c", str(tiny), *words, "--device", "cpu"]) == 0
    assert len(list((tmp_path / "snapshots").glob("**/*.pth"))) == 1


def test_a_finished_run_is_not_overwritten_by_accident(tiny, capsys):
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 0
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 1
    assert "--resume" in capsys.readouterr().err
    assert train.main(["-c", str(tiny), "--device", "cpu", "--overwrite"]) == 0


def test_resume_trains_to_the_epoch_that_is_asked_for(tiny, capsys):
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 0
    assert train.main(["-c", str(tiny), "Train.Scheduler.epoch=3", "--resume", "--device", "cpu"]) == 0
    assert "trained to epoch 3/3, step 6" in capsys.readouterr().err


def test_expr_can_start_later(tiny, tmp_path):
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 0
    assert expr(["-c", str(tiny), "--from", "test", "--device", "cpu"]) == 0
    for path in (tmp_path / "snapshots" / "tiny" / "heldout").iterdir():
        path.unlink()
    assert expr(["-c", str(tiny), "--from", "eval", "--device", "cpu"]) == 1  # nothing is predicted again


def test_under_torchrun_one_process_scores(tiny, monkeypatch, capsys):
    for name, value in {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    for rank, code in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        assert expr(["-c", str(tiny), "--from", "eval", "--device", "cpu"]) == code
        assert ("no such folder" in capsys.readouterr().err) == (rank == "0")  # there are no maps to score


def test_debug_writes_pictures_of_every_step(tiny, tmp_path):
    assert expr(["-c", str(tiny), "--debug", "--device", "cpu"]) == 0
    run = tmp_path / "snapshots" / "tiny"
    assert (run / "debug" / "epoch_0001.png").is_file()
    assert len(list((run / "debug" / "heldout").glob("*.png"))) == 3
    assert list((tmp_path / "results").glob("**/*.png"))


def test_a_prediction_does_not_depend_on_its_batch(tiny, tmp_path):
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 0
    assert test.main(["-c", str(tiny), "Test.Dataloader.batch_size=3", "--device", "cpu"]) == 0
    together = [np.asarray(Image.open(p)) for p in sorted((tmp_path / "snapshots/tiny/heldout").iterdir())]
    assert test.main(["-c", str(tiny), "Test.Dataloader.batch_size=1", "--device", "cpu"]) == 0
    alone = [np.asarray(Image.open(p)) for p in sorted((tmp_path / "snapshots/tiny/heldout").iterdir())]
    for a, b in zip(together, alone, strict=True):
        assert np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_an_image_damaged_in_its_middle_costs_its_own_map_alone(tiny, tmp_path, capsys):
    assert expr(["-c", str(tiny), "--device", "cpu"]) == 0  # whose maps do not stay where there are no new ones
    photo = tmp_path / "data" / "heldout" / "images" / "00001.jpg"
    with Image.open(photo) as image:
        image.save(photo.with_suffix(".png"))
    photo.unlink()
    data = bytearray(photo.with_suffix(".png").read_bytes())
    middle = data.index(b"IDAT") + 40
    data[middle : middle + 20] = bytes(20)  # its two ends, which are looked at before anything runs, stay whole
    photo.with_suffix(".png").write_bytes(data)
    assert test.main(["-c", str(tiny), "Test.Dataset.type=RGB_Dataset", "--device", "cpu"]) == 1
    assert sorted(path.name for path in (tmp_path / "snapshots/tiny/heldout").iterdir()) == ["00000.png", "00002.png"]
    said = capsys.readouterr().err
    assert "1 of 3 images have no map" in said and "00001.png: the image is damaged" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Model.name=InSPyReNet_SwinBB"], "did you mean"),
        (["Train.Optimizer.wieght_decay=0"], "weight_decay"),
        (["Train.Scheduler.epoch=many"], "Train.Scheduler.epoch"),
        (["Train.Dataset.type=RGB_Dataset", "Train.Dataset.root=nowhere"], "nowhere"),
        (["Model.encoder=mobilenetv4_conv_smalll"], "no encoder called"),
        (["Train.Scheduler.warmup_iteration=12000", "Train.Scheduler.fit_warmup=false"], "warmup_iteration"),
        (["Model.pretrained=absent.pth"], "absent.pth"),
    ],
)
def test_mistakes_are_one_clear_line(tiny, capsys, words, message):
    assert train.main(["-c", str(tiny), *words, "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_warm_up_longer_than_the_training_is_scaled_and_said(tiny, capsys):
    assert train.main(["-c", str(tiny), "Train.Scheduler.warmup_iteration=12000", "--device", "cpu"]) == 0
    assert "warm-up shortened from 12000 to 0 iterations, because the whole run has 2" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_an_error(tiny, capsys):
    wanted = "cuda:99" if torch.cuda.is_available() else "cuda"
    assert train.main(["-c", str(tiny), "--device", wanted]) == 1
    assert "here: " in capsys.readouterr().err


def test_weights_of_another_model_are_refused(tiny, capsys):
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 0
    assert test.main(["-c", str(tiny), "Model.depth=32", "--device", "cpu"]) == 1
    assert "depth 16" in capsys.readouterr().err


def test_an_empty_data_set_is_an_error(tiny, tmp_path, capsys):
    (tmp_path / "data" / "void" / "images").mkdir(parents=True)
    (tmp_path / "data" / "void" / "masks").mkdir()
    words = ["Train.Dataset.type=RGB_Dataset", "Train.Dataset.sets=[void]", "Train.Dataset.limit=null"]
    assert train.main(["-c", str(tiny), *words, "--device", "cpu"]) == 1
    assert "void" in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_an_error(tiny, tmp_path, capsys):
    """As a read-only folder would, and for the superuser too: a file stands where the folder should be."""
    (tmp_path / "snapshots").write_text("in the way")
    assert train.main(["-c", str(tiny), "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert "snapshots" in error
    assert "Traceback" not in error


def test_missing_predictions_are_listed(tiny, tmp_path, capsys):
    assert expr(["-c", str(tiny), "--device", "cpu"]) == 0
    (tmp_path / "snapshots/tiny/heldout/00001.png").unlink()
    assert evaluate.main(["-c", str(tiny)]) == 1
    assert "00001" in capsys.readouterr().err
    assert evaluate.main(["-c", str(tiny), "--allow-missing"]) == 0
    assert "2 of 3" in capsys.readouterr().out


def test_data_sets_in_the_older_place_are_found(tiny, tmp_path):
    assert expr(["-c", str(tiny), "--device", "cpu"]) == 0
    (tmp_path / "old" / "RGB_Dataset").mkdir(parents=True)
    (tmp_path / "data").rename(tmp_path / "old" / "RGB_Dataset" / "data")
    config = tiny.read_text().replace(str(tmp_path / "data"), str(tmp_path / "old" / "data"))
    tiny.write_text(config.replace("Synthetic", "RGB_Dataset"))
    assert load_config(tiny)[0].Test.Dataset.root == str(tmp_path / "old" / "RGB_Dataset" / "data")
    assert test.main(["-c", str(tiny), "--device", "cpu"]) == 0


def test_validation_keeps_the_best_and_fine_tuning_starts_from_it(tiny, tmp_path, capsys):
    held_out = ["Train.Validation.fraction=0.25", "Train.Scheduler.epoch=2", "Train.ema=0.9"]
    assert train.main(["-c", str(tiny), *held_out, "--device", "cpu"]) == 0
    best = tmp_path / "snapshots" / "tiny" / "best.pth"
    assert best.is_file()
    assert "best maxFm" in capsys.readouterr().err
    frozen = [
        "name=tuned",
        f"Train.Checkpoint.checkpoint_dir={tmp_path}/snapshots/tuned",
        f"Train.FineTune.weights={best}",
        "Train.FineTune.freeze_stages=5",
        "Train.FineTune.freeze_batchnorm=true",
        "Train.Validation.sets=[heldout]",
        f"Train.Validation.root={tmp_path}/data",
    ]
    assert test.main(["-c", str(tiny), "--device", "cpu"]) == 0  # paints the held-out set
    assert train.main(["-c", str(tiny), *frozen, "--device", "cpu"]) == 0
    start, tuned = read_weights(best), read_weights(tmp_path / "snapshots" / "tuned")
    backbone = [name for name in start if name.startswith("backbone.")]
    assert all(torch.equal(start[name], tuned[name]) for name in backbone)
    assert not torch.equal(start["decoder.conv5.conv.weight"], tuned["decoder.conv5.conv.weight"])


def test_an_encoder_can_come_from_a_file(tiny, tmp_path, capsys):
    encoder = build_model("InSPyReNet_Light", depth=16, base_size=(64, 64)).backbone
    torch.save(encoder.state_dict(), tmp_path / "encoder.pth")
    assert train.main(["-c", str(tiny), f"Model.pretrained={tmp_path}/encoder.pth", "-v", "--device", "cpu"]) == 0
    assert "0 entries stay" in capsys.readouterr().err
    # which a run that goes on needs no more, and no other start either: all weights are in its checkpoint
    resume = ["-c", str(tiny), f"Model.pretrained={tmp_path}/encoder.pth", "--resume", "--device", "cpu"]
    (tmp_path / "encoder.pth").unlink()
    assert train.main([*resume, "Train.Scheduler.epoch=2"]) == 0
    assert train.main([*resume, "Train.Scheduler.epoch=3", "Train.FineTune.weights=absent.pth"]) == 0
    assert "trained to epoch 3/3" in capsys.readouterr().err
