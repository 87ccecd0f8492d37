"""Every example of docs/extending.md, taken from the page itself, from a folder that has nothing else."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from inspyrenet.commands.experiment import main as expr
from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, TRAIN_SEED, ensure_dataset
from inspyrenet.engine import build
from inspyrenet.engine.export import ExportOptions, export
from inspyrenet.engine.presets import resolve_model
from inspyrenet.utils.config.load import ConfigError, load_config
from inspyrenet.utils.train.checkpoint import read_weights

PAGE = Path(__file__).resolve().parents[3] / "docs" / "extending.md"
FILES = dict(
    re.findall(r'^```\w+ title="([\w.]+)"\n(.*?)^```$', PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)
KINDS = [name.removesuffix(".yaml") for name in FILES if name.endswith(".yaml")]
SMALL = [
    "Train.Dataset.limit=8",
    "Train.Dataloader.batch_size=4",
    "Train.Dataloader.num_workers=0",
    "Train.Scheduler.warmup_iteration=0",
    "Test.Dataset.limit=2",
    "Test.Dataloader.num_workers=0",
    "Model.base_size=[64,64]",
    "Train.Dataset.transforms.static_resize.size=[64,64]",
    "Test.Dataset.transforms.static_resize.size=[64,64]",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The page's files, and painted images in the layout of my_data."""
    folder = tmp_path_factory.mktemp("mine")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    pairs = folder / "pairs"
    pairs.mkdir()
    for name, count, seed in (("train", 8, TRAIN_SEED), ("heldout", 2, HELD_OUT_SEED)):
        ensure_dataset(folder / "data" / "Synthetic", name, count, seed)
        images = sorted((folder / "data" / "Synthetic" / name / "images").iterdir())
        for image in images:
            shutil.copy(image, pairs / f"{name}{image.stem}.jpg")
            shutil.copy(image.parents[1] / "masks" / f"{image.stem}.png", pairs / f"{name}{image.stem}_gt.png")
        (pairs / f"{name}.txt").write_text("\n".join(f"{name}{image.stem}" for image in images))
    return folder


def run(kind: str, *words: str, epochs: int = 1) -> int:
    return expr(["-c", f"{kind}.yaml", "--device", "cpu", *SMALL, f"Train.Scheduler.epoch={epochs}", *words])


def test_each_kind_has_a_short_example():
    assert KINDS == ["my_model", "my_encoder", "my_loss", "my_metric", "my_augmentation", "my_data"]
    assert all(len(FILES[f"{kind}.py"].splitlines()) <= 30 for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_trains_tests_and_scores(kind, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert run(kind) == 0
    table = capsys.readouterr().out
    assert kind in table
    assert ("Area" in table and "relative error of the object's area" in table) == (kind == "my_metric")
    maps = sorted(path.name for path in (folder / "snapshots" / kind / "heldout").iterdir())
    assert maps == (["heldout00000.png", "heldout00001.png"] if kind == "my_data" else ["00000.png", "00001.png"])


def test_a_run_is_resumed_exported_and_used_with_its_own_model(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    run_folder = folder / "snapshots" / "my_model"
    assert run_folder.is_dir() or run("my_model") == 0
    assert run("my_model", "--resume", epochs=2) == 0
    assert "trained to epoch 2/2, step 4" in capsys.readouterr().err
    monkeypatch.chdir(folder.parent)  # config.yaml knows where the code is
    spec = resolve_model(run_folder / "config.yaml", run_folder)
    assert spec.config.plugin_folders == (str(folder),)
    net = build.network(spec.config, start=False)
    assert net.head.in_channels == 24
    assert net(torch.zeros(2, 3, 64, 96)).logits.shape == (2, 1, 64, 96)
    weights = max(run_folder.glob("*.pth"))
    assert "backbone.0.weight" in read_weights(weights)
    written = export(spec, ExportOptions("torch", output=folder / "small.pt2", size=(64, 96)))
    assert written.is_file()


def test_a_config_beside_weights_runs_no_code(folder, monkeypatch):
    """Unless it is named itself."""
    monkeypatch.chdir(folder)
    assert (folder / "snapshots" / "my_model").is_dir() or run("my_model") == 0
    for ckpt in ("snapshots/my_model", max(Path("snapshots/my_model").glob("*.pth"))):
        with pytest.raises(
            ConfigError, match=r"config.yaml:\d+: Model.name: my_model:Small is code that is not imported"
        ):
            resolve_model(ckpt=ckpt)
    assert load_config("snapshots/my_model/config.yaml")[0].Model.name == "my_model:Small"
