"""What the recipes of BiRefNet and PSPNet ask of a training run: random sizes, class labels, padding, losses of their own."""

import json
import logging
from pathlib import Path

import pytest
import torch

from inspyrenet.commands.configs import load
from inspyrenet.commands.options import build_parser, read_options
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.engine import train as training
from tests.integration.conftest import write_config
from tests.toy_training import CPU, criterion, make_trainer, same, weights

LOG = logging.getLogger(__name__)


def trainer_of(config: Path, *words: str):
    parser = build_parser("test")
    parser.add_argument("--overwrite", action="store_true")
    options = read_options(parser, ["--config", str(config), *words])
    return training.build_trainer(load(options)[0], options, CPU, LOG)


def rewrite(config: Path, change) -> Path:
    content = json.loads(config.read_text())
    change(content["Train"])
    config.write_text(json.dumps(content))
    return config


def test_random_sizes_resume_exactly_with_any_number_of_workers(tmp_path):
    def change(train):
        train["Dataset"]["transforms"] = {
            "random_size": {"height": [64, 127], "width": [64, 127]},
            "random_flip": {},
            "random_color": {},
        }
        train["Dataloader"] = {"batch_size": 2, "num_workers": 0}
        train["Scheduler"]["epoch"] = 2
        train["Checkpoint"]["every_steps"] = 2

    config = rewrite(write_config(tmp_path), change)
    seen = []
    straight = trainer_of(config, f"Train.Checkpoint.checkpoint_dir={tmp_path / 'straight'}")
    straight.model.register_forward_pre_hook(lambda model, given: seen.append(tuple(given[0].shape[-2:])))
    straight.fit()
    assert len(set(seen)) > 2 and all(side % 32 == 0 for size in seen for side in size)

    words = (f"Train.Checkpoint.checkpoint_dir={tmp_path / 'run'}",)
    first, steps = trainer_of(config, *words), []
    losses = first.criterion.forward

    def until_the_eighth(*given):
        steps.append(1)
        if len(steps) == 8:
            raise KeyboardInterrupt
        return losses(*given)

    first.criterion.forward = until_the_eighth
    assert first.fit().reason == "interrupted"
    second = trainer_of(config, *words, "Train.Dataloader.num_workers=2")
    assert second.resume() and second.progress.iteration == 6  # in the middle of an epoch
    second.fit()
    assert same(weights(straight), weights(second))


def one_step(trainer):
    batch = next(iter(trainer.loader.batches(0)))
    trainer.model.train()
    return batch, trainer.step([batch])[0]


def test_birefnet_learns_classes_by_its_own_augmentations(tmp_path):
    folder = write_dataset(tmp_path / "data", "DIS", 3, seed=1, size=(80, 64))
    for kind in ("images", "masks"):
        for path, name in zip(sorted((folder / kind).iterdir()), ("UAV", "Bag", "UAV"), strict=True):
            path.rename(path.with_stem(f"1#Group#2#{name}#{path.stem}"))

    def change(train):
        train["Dataset"] = {
            "root": str(tmp_path / "data"),
            "sets": ["DIS"],
            "labels": "DIS5K",
            "transforms": {
                "static_resize": {"size": [64, 64], "backend": "opencv"},
                "background_color": {},
                "random_flip": {},
                "random_turn": {},
                "random_color": {},
                "salt_and_pepper": {},
            },
        }
        train["Dataloader"] = {"batch_size": 2, "num_workers": 0}
        train["LossArguments"] = {"weights": {"iou": 0}, "classification": 2, "finetune": 0}

    model = {"name": "BiRefNet_SwinT", "base_size": [64, 64], "arguments": {"classes": 2}}
    config = rewrite(write_config(tmp_path, Model=model), change)
    trainer = trainer_of(config)
    batch, losses = one_step(trainer)
    assert batch["label"].tolist() == [0 if "Bag" in name else 1 for name in trainer.describe(batch["index"])]
    assert set(losses) == {"bce", "ssim", "gradient", "class", "total"}
    assert 0 < losses["class"] < 10 and trainer.criterion.classification == 2
    with pytest.raises(ValueError, match=r"2 classes, the network learns 0: set Model\.arguments=\{classes: 2\}"):
        trainer_of(config, "Model.arguments.classes=0")
    with pytest.raises(ValueError, match=r"Train\.Dataset\.labels: '00000' is not named as DIS5K"):
        write_dataset(tmp_path / "data", "plain", 2, seed=1, size=(80, 64))
        trainer_of(config, "Train.Dataset.sets=[plain]")


def test_pspnet_leaves_padding_out(tmp_path):
    def change(train):
        train["Dataset"]["transforms"] = {"random_crop": {"size": [65, 65], "scale": [0.1, 0.2]}, "random_blur": {}}
        train["Dataloader"] = {"batch_size": 2, "num_workers": 0}

    model = {"name": "PSPNet_ResNet50", "base_size": [65, 65], "threshold": None}
    trainer = trainer_of(rewrite(write_config(tmp_path, Model=model), change))
    batch, losses = one_step(trainer)
    assert batch["image"].shape == (2, 3, 65, 65) and 0 < batch["valid"].mean() < 1
    assert set(losses) == {"main", "aux", "total"}
    out = trainer.model.eval()(batch["image"])
    changed = batch["mask"] + (1 - batch["valid"])
    told = [trainer.criterion(out, mask, batch["valid"])["total"].item() for mask in (batch["mask"], changed)]
    assert told[0] == told[1] != trainer.criterion(out, changed)["total"].item()


def test_what_a_batch_has_beside_the_mask_reaches_the_criterion(tmp_path):
    seen = []

    def noting(output, mask, **extras):
        seen.append(extras)
        return criterion(output, mask)

    trainer = make_trainer(tmp_path, criterion=noting)
    batch = next(iter(trainer.loader.batches(0)))
    trainer.step([batch])
    trainer.step([{**batch, "label": torch.tensor([3, 4]), "valid": torch.ones(2, 1, 8, 8), "epoch": torch.zeros(2)}])
    assert seen[0] == {} and set(seen[1]) == {"label", "valid"} and seen[1]["label"].tolist() == [3, 4]
