"""Scene parsing from end to end on painted scenes: train, go on exactly, test, score, and what is said of mistakes."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inspyrenet.commands.configs import load
from inspyrenet.commands.evaluate import main as evaluate
from inspyrenet.commands.test import main as predict
from inspyrenet.commands.train import main as train
from inspyrenet.data.datasets.painted_scenes import PaintedScenes
from inspyrenet.data.datasets.synthetic import ensure_dataset
from inspyrenet.data.images.label_maps import read_label_map
from inspyrenet.engine import build
from inspyrenet.engine.options import Options
from inspyrenet.engine.predictor import Predictor
from inspyrenet.parsing.confusion import ConfusionMatrix
from inspyrenet.utils.config.load import ConfigError, load_config
from tests.integration.conftest import write_config

SIZE = [33, 33]
NAMES = ["sky", "ground", "disc", "box", "triangle"]


def scenes_config(folder: Path, **model: object) -> Path:
    """A PSPNet of a sixteenth of the channels, or another model, on eight painted scenes."""

    def dataset(name: str, limit: int, **transforms: dict) -> dict:
        return {
            "type": "PaintedScenes",
            "root": str(folder / "data"),
            "sets": [name],
            "limit": limit,
            "transforms": {"static_resize": {"size": SIZE}, **transforms},
        }

    narrow = {"name": "PSPNet_ResNet50", "arguments": {"width": 1 / 16}}
    return write_config(
        folder,
        Model={"classes": 5, "class_names": NAMES, "base_size": SIZE, **narrow, **model},
        Train={
            "Dataset": dataset("train", 8, random_flip={}, random_rotate={}),
            "Dataloader": {"batch_size": 2, "num_workers": 0},
            "Optimizer": {"type": "SGD", "lr": 0.02, "head_factor": 1},
            "Scheduler": {"epoch": 2, "warmup_iteration": 0},
            "Validation": {"fraction": 0.25, "metric": "miou"},
            "Checkpoint": {"checkpoint_dir": str(folder / "run"), "keep": 9, "every_steps": 2},
        },
        Test={"Dataset": dataset("heldout", 3), "Dataloader": {"num_workers": 0}, "overlay": True, "flip": True},
        Eval={"pred_root": str(folder / "maps"), "result_path": str(folder / "results")},
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_test_and_eval(folder, capsys):
    config = ["-c", str(scenes_config(folder)), "--device", "cpu"]
    assert train(config) == 0
    assert "best mIoU" in capsys.readouterr().err
    weights = sorted((folder / "run").glob("checkpoint_*.pth"))
    whole = torch.load(weights[-1], weights_only=True)["model"]

    for path in weights[1:]:  # as if the run had been killed after its first steps
        path.unlink()
    (folder / "run" / "best.pth").unlink()
    assert train([*config, "--resume"]) == 0
    again = torch.load(weights[-1], weights_only=True)["model"]
    assert whole.keys() == again.keys() and all(torch.equal(whole[name], again[name]) for name in whole)

    assert predict(config) == 0
    matrix = ConfusionMatrix(5)
    for label_map in sorted((folder / "data" / "heldout" / "masks").iterdir()):
        predicted = folder / "maps" / "heldout" / label_map.name
        matrix.update(read_label_map(predicted), read_label_map(label_map))
        with (
            Image.open(predicted) as image,
            Image.open(folder / "maps" / "overlay" / "heldout" / label_map.name) as shown,
        ):
            assert image.mode == "P" and shown.mode == "RGB" and shown.width > image.width

    assert evaluate(config) == 0
    [row] = table(folder / "results" / "tiny" / "scenes.csv")
    values = matrix.scores().values()
    assert {name: float(row[name]) for name in values} == pytest.approx(values, abs=1e-12) and row["images"] == "3"
    classes = table(folder / "results" / "tiny" / "classes.csv")
    assert [line["class"] for line in classes] == NAMES
    assert [int(line["pixels"]) for line in classes] == matrix.scores().pixels.tolist()
    printed = capsys.readouterr().out
    assert (
        "| tiny   | heldout | 3 " in printed
        and f"{values['mIoU']:.4f}" in printed
        and "left out of the mean" in printed
    )

    other = folder / "others"
    (folder / "maps" / "heldout").rename(other)
    assert evaluate([*config, f"Eval.pred_root={other}"]) == 1
    assert "--overwrite" in capsys.readouterr().err  # the tables of another run's maps stay
    other.rename(folder / "maps" / "heldout")

    seeds = [shutil.copy(config[1], folder / f"tiny_seed-{seed}.yaml") for seed in (1, 2)]
    assert evaluate(["-c", *map(str, seeds), "--device", "cpu"]) == 0
    assert [row["method"] for row in table(folder / "results" / "joint" / "scenes.csv")] == [
        "tiny_seed-1",
        "tiny_seed-2",
    ]
    printed = capsys.readouterr().out
    assert f"| tiny   | heldout | 2     | {values['mIoU']:.4f} ± 0.0000 |" in printed

    spoiled = folder / "maps" / "heldout" / "00001.png"
    Image.fromarray(np.full_like(read_label_map(spoiled), 9)).save(spoiled)
    assert evaluate(config) == 1
    assert f"{spoiled}: has label 9 at row 0, column 0, but there are 5 classes" in capsys.readouterr().err


def test_label_maps_below_a_root_of_their_own_in_folds_with_a_light_encoder(folder, capsys):
    path = str(scenes_config(folder, name="PSPNet_Light", encoder="resnet18", arguments={}))
    (folder / "labels").mkdir()
    for name, count in (("train", 8), ("heldout", 3)):
        masks = ensure_dataset(folder / "data", name, count, painter=PaintedScenes) / "masks"
        masks.rename(folder / "labels" / name)
    keys = ("type=Scenes", f"mask_root={folder / 'labels'}")
    words = [f"{part}.Dataset.{key}" for part in ("Train", "Test") for key in keys]
    folds = ["Train.Validation.fraction=null", "Train.Validation.folds=4", "Train.Validation.split_seed=3"]
    config = ["-c", path, *words, *folds, "Train.Scheduler.epoch=1", "--device", "cpu"]
    assert [main(config) for main in (train, predict, evaluate)] == [0, 0, 0], capsys.readouterr().err
    [row] = table(folder / "results" / "tiny" / "scenes.csv")
    assert row["images"] == "3" and 0 < float(row["mIoU"]) < 1


def test_a_loss_from_outside_learns_scenes(folder, capsys):
    (folder / "their_loss.py").write_text(
        "from torch.nn import functional as F\n\n\n"
        "def focal(out, mask):\n"
        "    entropy = F.cross_entropy(out.logits, mask[:, 0].long(), ignore_index=255, reduction='none')\n"
        "    return ((1 - (-entropy).exp()) ** 2 * entropy).mean()\n"
    )
    words = ["Train.Loss=their_loss:focal", "Train.Scheduler.epoch=1", "Train.Dataset.limit=4"]
    assert train(["-c", str(scenes_config(folder)), *words, "--device", "cpu"]) == 0, capsys.readouterr().err
    assert "mIoU" in capsys.readouterr().err


def test_maps_that_are_missing_are_said_beneath_the_table(folder, capsys):
    path = str(scenes_config(folder))
    for name in ("train", "heldout"):
        ensure_dataset(folder / "data", name, 8 if name == "train" else 3, painter=PaintedScenes)
    labels = sorted((folder / "data" / "heldout" / "masks").glob("*.png"))
    (folder / "maps" / "heldout").mkdir(parents=True)
    shutil.copy(labels[0], folder / "maps" / "heldout" / labels[0].name)
    assert evaluate(["-c", path, "--allow-missing", "note=a test"]) == 0
    shown = capsys.readouterr().out
    assert "| 1 of 3 " in shown and "heldout: 1 of 3 label maps have a prediction" in shown and "tiny: a test" in shown
    (row,) = table(folder / "results" / "tiny" / "scenes.csv")
    assert (row["images"], row["masks"]) == ("1", "3")


def test_labels_beyond_the_classes_end_a_training_before_it_starts(folder, capsys):
    path = str(scenes_config(folder))
    assert train(["-c", path, "Model.classes=3", "Model.class_names=[a,b,c]", "--device", "cpu"]) == 1
    said = capsys.readouterr().err
    assert ".png: has label" in said and "there are 3 classes, 0 to 2, and 255 is ignored" in said
    assert "set Model.classes and Dataset.ignore_label to what they hold" in said
    assert not (folder / "run").is_dir() or not list((folder / "run").glob("*.pth"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Model.classes=null"], "Train.Dataset.type: PaintedScenes has label maps: set Model.classes"),
        (["Train.Dataset.type=Synthetic"], "Train.Dataset.type: scene parsing needs label maps"),
        (["Model.name=InSPyReNet_SwinB"], "Model.classes: InSPyReNet_SwinB parses no scenes"),
        (["Model.name=their_model:Net"], "Model.classes: their_model:Net parses no scenes"),
        (["Train.Dataset.type=their_data:Files"], "Train.Dataset.type: scene parsing needs label maps"),
        (["Train.Validation.metric=their_metric:Area"], "Train.Validation.metric: unknown metric 'their_metric:Area'"),
        (["Model.class_names=[a,b]"], "Model.class_names: 2 names for 5 classes"),
        (["Train.Dataset.ignore_label=4"], "Train.Dataset.ignore_label: 4 is one of the 5 classes, 0 to 4"),
        (["Train.Dataset.cache=ram"], "Train.Dataset.cache: label maps are not cached"),
        (["Train.Dataset.transforms.random_turn={}"], "transforms.random_turn: mixes the values of masks"),
        (["Train.Loss=bce"], "Train.Loss: Scenes has no loss called 'bce'; there is released, cross_entropy"),
        (["Train.LossArguments.weights={bce: 1}"], "Train.LossArguments.weights: the losses of Scenes do not take it"),
        (["Train.Validation.metric=maxFm"], "Train.Validation.metric: unknown metric 'maxFm'; there is mIoU"),
        (["Test.palette=[[1,2,3]]"], "Test.palette: 1 colors for 5 classes"),
        (["Test.normalize=minmax"], "Test.normalize: is for saliency: set it to none"),
        (["Model.threshold=512"], "Model.threshold: is for saliency"),
        (["Model.arguments.sizes=8n+1", "Test.crop=[64,64]"], "Test.crop: size 64×64"),
    ],
)
def test_configs_that_do_not_fit_together(folder, words, said):
    path = scenes_config(folder)
    with pytest.raises(ConfigError) as caught:
        load(Options((str(path),), tuple(words)))
    assert any(said in message for message in caught.value.messages), caught.value.messages


def test_what_needs_saliency_says_so(folder, capsys):
    config = str(scenes_config(folder))
    network = build.network(load_config(config)[0])
    with pytest.raises(ValueError, match="this network parses scenes"):
        Predictor(network, torch.device("cpu"))
    assert evaluate(["-c", config, "--report"]) == 1
    assert "--report: is for saliency" in capsys.readouterr().err


def test_saliency_has_no_crop(folder):
    path = write_config(folder)
    with pytest.raises(ConfigError, match=r"Test\.overlay: is for scene parsing, which Model\.classes asks for"):
        load(Options((str(path),), ("Test.overlay=true",)))
