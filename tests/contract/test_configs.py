"""The shipped experiments: they load, say how to run them, and repeat nothing that they inherit."""

import re
from pathlib import Path

import pytest

import inspyrenet.configs
from inspyrenet.commands.configs import load
from inspyrenet.engine.options import Options
from inspyrenet.utils.config import yaml_loader
from inspyrenet.utils.config.load import load_config

FOLDER = Path(inspyrenet.configs.__file__).resolve().parent
# Listed, because what people add to the folder is theirs and follows no rule of the house.
SHIPPED = """
BiRefNet_SwinL BiRefNet_SwinL_HR BiRefNet_SwinT BiRefNet_finetune InSPyReNet_Bundled InSPyReNet_Bundled_coarse
InSPyReNet_HR InSPyReNet_Light InSPyReNet_Res2Net50 InSPyReNet_SwinB InSPyReNet_SwinB_DH InSPyReNet_SwinB_DHU_LR
InSPyReNet_SwinB_DH_LR InSPyReNet_SwinB_DIS5K InSPyReNet_SwinB_DIS5K_LR InSPyReNet_SwinB_HU InSPyReNet_SwinB_HU_LR
InSPyReNet_SwinB_Plus_Ultra InSPyReNet_SwinB_Plus_Ultra_LR InSPyReNet_SwinT InSPyReNet_finetune PSPNet_ResNet50
Quickstart SotA SotA/BASNet SotA/EDN SotA/F3Net SotA/GateNet SotA/LDF SotA/MINet SotA/PA-KRN SotA/PFSNet SotA/PGNet
SotA/PoolNet SotA/U2Net SotA/VST
"""
FILES = [FOLDER / f"{name}.yaml" for name in SHIPPED.split()]
NAMES = [str(path.relative_to(FOLDER)) for path in FILES]
SOTA = [path for path in FILES if path.parent.name == "SotA"]

LOW = {"DH_LR", "HU_LR", "DHU_LR", "DIS5K_LR", "Plus_Ultra_LR"}
HIGH = {"DH", "HU", "DIS5K", "Plus_Ultra"}
SETS = {"D": "DUTS-TR", "H": "HRSOD-TR", "U": "UHRSD-TR"}


def read(path: Path) -> dict:
    problems = []
    document = yaml_loader.read(path, str(path), problems)
    assert problems == []
    return document.data


def inherited(path: Path) -> dict:
    """What a file would be without its own lines."""
    own = read(path)
    if "extends" not in own:
        return {}
    base = path.parent / own["extends"]
    return overlay(inherited(base), {key: value for key, value in read(base).items() if key not in ("extends", "name")})


def overlay(low: dict, high: dict) -> dict:
    both = {
        key: overlay(low[key], high[key])
        for key in low.keys() & high.keys()
        if isinstance(high[key], dict) and low[key]
    }
    return {**low, **high, **both}


def leaves(data: dict, keys: tuple = ()) -> dict:
    found = {}
    for key, value in data.items():
        found |= leaves(value, (*keys, key)) if isinstance(value, dict) and value else {(*keys, key): value}
    return found


def family(name: str):
    return load_config(FOLDER / f"InSPyReNet_SwinB_{name}.yaml")[0]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_loads(path, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    (config,) = load_config(path)
    assert config.name == path.stem
    assert config.Eval.pred_root == f"snapshots/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_first_line_is_the_command_that_runs_it(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    match = re.fullmatch(
        r"# python (Expr\.py|run/(?:Train|Test|Eval)\.py) --config (\S+) --verbose((?: \S+=\S+)*)", first
    )
    assert match, first
    assert path in FOLDER.parent.glob(match[2]) or path == FOLDER / "SotA.yaml"
    assert (match[1] == "run/Eval.py") == ("Train" not in inherited(path) | read(path))
    assert load_config(path, match[3].split())


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_says_nothing_that_it_inherits(path):
    above = leaves(inherited(path))
    same = {keys for keys, value in leaves(read(path)).items() if keys in above and above[keys] == value}
    assert same == set()


def test_published_recipe():
    (config,) = load_config(FOLDER / "InSPyReNet_SwinB.yaml")
    model, train = config.Model, config.Train
    assert (model.base_size, model.depth, model.pretrained) == ((384, 384), 64, True)
    optimizer, scheduler = train.Optimizer, train.Scheduler
    assert (optimizer.type, optimizer.lr, optimizer.head_factor, optimizer.weight_decay) == ("Adam", 1e-5, 10, 0)
    assert (scheduler.type, scheduler.epoch, scheduler.warmup_iteration) == ("PolyLr", 60, 12000)
    assert (scheduler.gamma, scheduler.minimum_lr) == (0.9, 1e-7)
    assert (train.Dataloader.batch_size, train.Dataset.sets, train.Loss) == (6, ("DUTS-TR",), "released")
    steps = train.Dataset.transforms
    assert (steps.static_resize.size, steps.random_scale_crop.range) == ((384, 384), (0.75, 1.25))
    assert (steps.random_flip.lr, steps.random_flip.ud, steps.random_rotate.range) == (True, False, (-10, 10))
    assert steps.random_image_enhance.methods == ("contrast", "sharpness", "brightness")
    assert config.Test.Dataset.sets == ("DUTS-TE", "DUT-OMRON", "ECSSD", "HKU-IS", "PASCAL-S")
    assert config.Test.Dataset.transforms.random_flip is None


@pytest.mark.parametrize("name", ["Res2Net50", "SwinT"])
def test_other_encoders_differ_in_the_model_only(name):
    (ours,), (base,) = (load_config(FOLDER / f"InSPyReNet_{which}.yaml") for which in (name, "SwinB"))
    assert ours.Model.model_copy(update={"name": base.Model.name}) == base.Model
    assert ours.Model.name == f"InSPyReNet_{name}"
    assert (ours.Train.Optimizer, ours.Train.Scheduler) == (base.Train.Optimizer, base.Train.Scheduler)


def test_published_family_is_complete():
    names = {path.stem for path in FILES if path.stem.startswith("InSPyReNet_SwinB_")}
    assert {name.removeprefix("InSPyReNet_SwinB_") for name in names} == LOW | HIGH


@pytest.mark.parametrize("name", sorted(LOW))
def test_low_resolution_family(name):
    config = family(name)
    assert (config.Model.name, config.Model.base_size, config.Model.threshold) == ("InSPyReNet_SwinB", (384, 384), 512)
    assert config.Train.Dataloader.batch_size == 6
    assert config.Train.Dataset.transforms.static_resize.size == (384, 384)
    assert config.Test.Dataset.transforms.dynamic_resize.size == 1280


@pytest.mark.parametrize("name", sorted(HIGH))
def test_high_resolution_family(name):
    config = family(name)
    assert (config.Model.name, config.Model.base_size, config.Model.threshold) == (
        "InSPyReNet_SwinB",
        (1024, 1024),
        None,
    )
    assert config.Train.Dataloader.batch_size == 1
    assert config.Train.Dataset.transforms.static_resize.size == (1024, 1024)
    assert config.Test.Dataset.transforms.static_resize.size == (1024, 1024)


@pytest.mark.parametrize("name", ["DH", "DH_LR", "HU", "HU_LR", "DHU_LR"])
def test_letters_stand_for_training_sets(name):
    assert family(name).Train.Dataset.sets == tuple(SETS[letter] for letter in name.removesuffix("_LR"))


@pytest.mark.parametrize("name", ["DIS5K", "DIS5K_LR"])
def test_dis5k(name):
    config = family(name)
    assert config.Train.Dataset.sets == ("DIS-TR",)
    assert config.Eval.datasets == ("DIS-VD", "DIS-TE1", "DIS-TE2", "DIS-TE3", "DIS-TE4")


@pytest.mark.parametrize("name", sorted(LOW | HIGH))
def test_training_on_test_sets_carries_a_warning(name):
    config = family(name)
    trained = {Path(one).name for one in config.Train.Dataset.sets}
    assert bool(trained & set(config.Test.Dataset.sets)) == (config.note is not None) == name.startswith("Plus_Ultra")
    assert len(trained) == (19 if config.note else len(trained))


def test_older_folder_names_work(monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    roots = [f"{part}.Dataset.root=data/RGB_Dataset/{part}_Dataset" for part in ("Train", "Test")]
    (config,) = load_config(FOLDER / "InSPyReNet_SwinB.yaml", roots)
    assert config.Train.Dataset.root == "data/RGB_Dataset/Train_Dataset"
    assert (config.Test.Dataset.root, config.Eval.gt_root) == ("data/RGB_Dataset/Test_Dataset",) * 2
    assert "Train.Dataset.root=data/RGB_Dataset/Train_Dataset" in (FOLDER / "InSPyReNet_SwinB.yaml").read_text()


def test_quickstart_downloads_nothing():
    (config,) = load_config(FOLDER / "Quickstart.yaml")
    assert (config.name, config.Model.name, config.Model.pretrained) == ("Quickstart", "InSPyReNet_Light", False)
    assert (config.Train.Dataset.sets, config.Test.Dataset.sets) == (("train",), ("heldout",))
    assert Path(config.Train.Dataset.root) == Path(config.Test.Dataset.root)


def test_other_methods_are_scored_on_the_usual_sets():
    assert len(SOTA) >= 10
    for path in SOTA:
        (config,) = load_config(path)
        assert config.Model is config.Train is config.Test is None
        assert config.Eval.datasets == ("DUTS-TE", "DUT-OMRON", "ECSSD", "HKU-IS", "PASCAL-S")
        assert Path(config.Eval.gt_root).parts[-2:] == ("data", "Test_Dataset")


def documented(path: Path) -> dict[str, list[str]]:
    """Override words of each setting that a file's head describes: `#   label  words`, continued by deeper indents."""
    found, label = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("#"):
            break
        if re.match(r"#(   | )\S", line):
            label = line[1:].strip()
        words = re.findall(r"(?:Model|Train|Test|Eval)\.[\w.]+=(?:\{[^}]*\}|\S+)", line)
        found.setdefault(label, []).extend(words)
    return {label: words for label, words in found.items() if words}


SETTINGS = [
    pytest.param(path, words, id=f"{path.stem}-{label[:24]}")
    for path in FILES
    if path.stem.startswith(("BiRefNet", "PSPNet"))
    for label, words in documented(path).items()
]


@pytest.mark.parametrize(("path", "words"), SETTINGS)
def test_documented_settings_work(path, words):
    options = Options((str(path),), tuple(word.rstrip(",;.") for word in words))
    assert load(options)[0] != load(Options((str(path),)))[0]


def test_documented_settings_are_found():
    assert len(SETTINGS) > 15


def test_birefnet_recipe():
    (config,) = load_config(FOLDER / "BiRefNet_SwinL.yaml")
    steps = config.Train.Dataset.transforms.model_dump(exclude_none=True, exclude={"plugins"})
    assert list(steps) == [
        "static_resize", "random_flip", "random_turn", "random_color", "salt_and_pepper", "normalize",
    ]  # fmt: skip
    assert (steps["random_turn"], steps["salt_and_pepper"]) == ({"range": (-15, 15), "p": 0.2}, {"share": 0.0015})
    assert (steps["random_flip"]["lr"], steps["random_flip"]["ud"], steps["random_flip"]["p"]) == (True, False, 0.5)
    for name in ("SwinT", "SwinL", "SwinL_HR", "finetune"):
        (other,) = load_config(FOLDER / f"BiRefNet_{name}.yaml")
        sizes = [other.Train.Dataset.transforms.static_resize, other.Test.Dataset.transforms.static_resize]
        assert sizes[0] == sizes[1] and sizes[0].backend == "opencv" and sizes[0].size == other.Model.base_size
    optimizer = config.Train.Optimizer
    assert (optimizer.type, optimizer.lr, optimizer.head_factor, optimizer.weight_decay) == ("AdamW", 1e-4, 1, 1e-2)
    assert config.Eval.metrics == ("maxFm", "wFm", "mae", "Sm", "avgEm", "HCE")


def test_pspnet_recipe():
    (config,) = load_config(FOLDER / "PSPNet_ResNet50.yaml")
    optimizer, scheduler = config.Train.Optimizer, config.Train.Scheduler
    assert (optimizer.type, optimizer.lr, optimizer.head_factor, optimizer.momentum) == ("SGD", 0.01, 10, 0.9)
    assert (optimizer.weight_decay, scheduler.type, scheduler.gamma, scheduler.minimum_lr) == (1e-4, "PolyLr", 0.9, 0)
    assert (config.Model.base_size, config.Train.Dataloader.batch_size, scheduler.epoch) == ((473, 473), 16, 50)
    steps = config.Train.Dataset.transforms
    assert (steps.random_blur.p, steps.random_blur.size, steps.random_crop) == (0.5, 5, None)
