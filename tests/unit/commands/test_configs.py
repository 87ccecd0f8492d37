"""What a command says about its configs before it builds anything: all of it, at once."""

import unicodedata
from pathlib import Path

import pytest

from inspyrenet.commands.configs import load
from inspyrenet.data.hub.huggingface import PREFIX
from inspyrenet.engine.options import Options
from inspyrenet.utils.config.load import ConfigError
from inspyrenet.utils.config.names import ON_HUB

EVERYTHING = """\
Model:
  name: InSPyReNet_Light
  base_size: [100, 100]
  pretrained: tf_efficientnet_lite1.pth
  wings: 2
Train:
  Dataset: {root: here, sets: [mine, yours], transforms: {static_resize: {size: [64, 80]}}}
  Loss: relesed
  Scheduler: {epoch: many}
  Validation: {root: nowhere, sets: [a], metric: beauty}
Test:
  Dataset: {root: gone, sets: [b], transforms: {static_resize: {size: [64, 64]}}}
  Checkpoint: {checkpoint_dir: no_weights}
Eval:
  gt_root: no_masks
  metrics: [maxF]
"""
LINES = {
    "a.yaml:3: Model.base_size": "the nearest is 96×96",
    "a.yaml:4: Model.pretrained": "; `inspyrenet d tf_efficientnet_lite1` fetches it",
    "a.yaml:5: Model.wings": "unknown",
    "a.yaml:7: Train.Dataset.sets": "no such set here/yours; here has mine",
    "a.yaml:7: Train.Dataset.transforms.static_resize.size": "the nearest is 64×64",
    "a.yaml:8: Train.Loss": "did you mean released?",
    "a.yaml:9: Train.Scheduler.epoch": "must be a valid integer",
    "a.yaml:10: Train.Validation.root": "no such folder nowhere",
    "a.yaml:10: Train.Validation.metric": "unknown metric 'beauty'",
    "a.yaml:12: Test.Dataset.root": "no such folder gone",
    "a.yaml:13: Test.Checkpoint.checkpoint_dir": "no such folder or weights file no_weights",
    "a.yaml:15: Eval.gt_root": "no such folder no_masks",
    "a.yaml:16: Eval.metrics": "unknown metric 'maxF'",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("here/mine").mkdir(parents=True)


def said(text: str, steps: list[str], *words: str) -> list[str]:
    Path("a.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Options(("a.yaml",), words), steps)
    return caught.value.messages


def test_everything_at_once():
    lines = said(EVERYTHING, ["train", "test", "eval"])
    for place, text in LINES.items():
        [line] = [line for line in lines if line.startswith(f"{place}: ")]
        assert text in line
    assert len(lines) == len(LINES)


def test_only_what_the_steps_read_must_be_there():
    lines = said(EVERYTHING, ["test"])
    assert not [line for line in lines if "Eval.gt_root" in line or "Train.Dataset.sets" in line]
    assert [line for line in lines if "Test.Dataset.root" in line]


DATA = "{root: here, sets: [mine], transforms: {static_resize: {size: [64, 64]}}}"
SOUND = (
    f"Model: {{name: InSPyReNet_Light, base_size: [64, 64]}}\nTrain: {{Dataset: {DATA}}}\nTest: {{Dataset: {DATA}}}\n"
)


def test_weights_that_an_earlier_step_or_run_makes_need_not_be_there():
    Path("a.yaml").write_text(SOUND)
    Path("b.yaml").write_text("extends: a.yaml\nTrain: {FineTune: {weights: snapshots/a}}\n")
    assert len(load(Options(("a.yaml", "b.yaml")), ["train", "test", "eval"])) == 2
    with pytest.raises(ConfigError, match=r"b\.yaml:2: Train\.FineTune\.weights: no such folder or weights file"):
        load(Options(("b.yaml",)), ["train", "test", "eval"])
    with pytest.raises(
        ConfigError, match=r"Test\.Checkpoint\.checkpoint_dir: no such folder or weights file snapshots/a"
    ):
        load(Options(("a.yaml",)), ["test"])


def test_a_point_of_a_grid_is_blamed_for_its_own_mistake():
    assert said(SOUND, ["train"], "Train.Dataset.sets=[mine],[other]") == [
        "override: Train.Dataset.sets: no such set here/other; here has mine"
    ]


@pytest.mark.parametrize(
    ("metric", "reason"), [("wcm", "needs the photograph, which validation"), ("matting", "unknown metric 'matting'")]
)
def test_validation_takes_one_metric_of_map_and_mask(metric, reason):
    validation = f"{{root: here, sets: [mine], metric: {metric}}}"
    lines = said(
        SOUND.replace(f"Train: {{Dataset: {DATA}", f"Train: {{Validation: {validation}, Dataset: {DATA}"), ["train"]
    )
    assert [line for line in lines if "Train.Validation.metric" in line and reason in line]


def test_a_set_is_found_in_either_form_of_its_accents():
    composed, apart = (unicodedata.normalize(form, "Ünïcode") for form in ("NFC", "NFD"))
    Path("here", apart, "Çaf").mkdir(parents=True)
    Path("a.yaml").write_text(SOUND)
    words = (f"Train.Dataset.sets=[{composed},{composed}/Çaf]", f"Test.Dataset.sets=[{composed}]")
    assert load(Options(("a.yaml",), words), ["train", "test", "eval"])


def test_a_mistake_is_said_once_though_scoring_reads_what_testing_does():
    assert said(SOUND.replace("mine", "yours", 2), ["train", "test", "eval"]) == [
        "a.yaml:2: Train.Dataset.sets: no such set here/yours; here has mine",
        "a.yaml:3: Test.Dataset.sets: no such set here/yours; here has mine",
    ]
    assert said(SOUND, ["eval"], "Eval.datasets=[yours]") == [
        "override: Eval.datasets: no such set here/yours; here has mine"
    ]


@pytest.mark.parametrize("name", ["''", "' '", ".", "./", "mine/..", ".."])
@pytest.mark.parametrize("key", ["Train.Dataset.sets", "Test.Dataset.sets", "Train.Validation.sets", "Eval.datasets"])
def test_the_root_is_no_set_of_itself(key, name):
    (line,) = said(SOUND, [], f"{key}=[{name}]")
    assert line.startswith(f"override: {key}[0]: must be the name of a folder below the root of the data sets, not")


def test_an_encoder_is_checked_before_the_first_point_of_a_sweep_trains():
    words = "Model.encoder=mobilenetv4_conv_small,nonsense_enc,hf-hub:a/b"
    unknown, address = said(SOUND, [], words)
    assert unknown == "override: Model.encoder: timm has no encoder called 'nonsense_enc'"
    (mistyped,) = said(SOUND, [], "Model.encoder=resnet188")
    assert "'resnet188'; names that are close: resnet18" in mistyped
    assert address.startswith("override: Model.encoder: encoder is a name that timm has")
    (line,) = said(SOUND, [], "Model.name=InSPyReNet_SwinT", "Model.encoder=mobilenetv4_conv_small")
    assert "InSPyReNet_SwinT has its own: set it to null, or Model.name to InSPyReNet_Light or BiRefNet_Light" in line


@pytest.mark.parametrize("name", ["InSPyReNet_Ligth", "Nobody"])
def test_an_unknown_model_hides_no_other_mistake(name):
    words = (f"Model.name={name}", "Model.encoder=nonsense_enc", "Train.Loss=relesed", "Train.Scheduler.epoch=many")
    keys = [line.split(": ")[1] for line in said(SOUND, ["train", "test", "eval"], *words)]
    assert sorted(keys) == ["Model.encoder", "Model.name", "Train.Loss", "Train.Scheduler.epoch"]
    assert [line.split(": ")[1] for line in said(SOUND, [], f"Model.name={name}", "Train.Loss=region")] == [
        "Model.name"
    ]


@pytest.mark.parametrize("train", ["[1, 2]", "{Dataset: 7}", "!!x {}"])
def test_a_mistake_in_training_does_not_ask_to_train_first(train):
    (line,) = said(SOUND.replace(f"Train: {{Dataset: {DATA}}}", f"Train: {train}"), ["train", "test", "eval"])
    assert line.startswith("a.yaml:2: Train")


BASE = "extends: Quickstart.yaml\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(steps: tuple[str, ...], files: dict[str, str], *words: str) -> list[str]:
    """What is said of these configs; nothing where they are fine."""
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    try:
        load(Options(tuple(files), tuple(words)), steps)
    except ConfigError as error:
        return error.messages
    return []


MAPS = {"mine.yaml": BASE + "Eval: {pred_root: maps/mine}\n"}
ONE_FOLDER = {
    "base.yaml": BASE + "Train: {Checkpoint: {checkpoint_dir: snapshots/exp}}\n",
    "a.yaml": "extends: base.yaml\nTrain: {Optimizer: {lr: 1e-3}}\n",
}
WEIGHTS = {"mine.yaml": BASE + "Test: {Checkpoint: {checkpoint_dir: snapshots/one}}\n"}


@pytest.mark.parametrize(
    ("steps", "files", "words", "message"),
    [
        (
            ("train", "test"),
            MAPS,
            ["seed=0,1"],
            "would write their maps to one folder, maps/mine: leave Eval.pred_root out",
        ),
        (("test",), MAPS, ["Test.normalize=none,minmax"], "would write their maps to one folder"),
        (("train",), ONE_FOLDER, [], "base and a would be trained into one folder, snapshots/exp"),
        (
            ("train", "test"),
            WEIGHTS,
            ["seed=0,1"],
            "are trained apart, but both would test the weights in snapshots/one",
        ),
    ],
)
def test_runs_that_would_pass_for_each_other_are_refused(here, steps, files, words, message):
    for name in ("one", "mine"):
        (here / "snapshots" / name).mkdir(parents=True)
    (said,) = loaded(steps, files, *words)
    assert message in said


def test_runs_may_share_what_is_the_same_for_both(here):
    (here / "snapshots" / "one").mkdir(parents=True)
    assert loaded(("eval",), MAPS, "Eval.metrics=[mae],[Sm]") == []
    assert loaded(("train", "test"), {"mine.yaml": BASE}, "Test.normalize=none,minmax", "seed=0,1") == []
    assert (
        loaded(("test",), MAPS, "Test.Dataloader.batch_size=1,2", "Test.Checkpoint.checkpoint_dir=snapshots/one") == []
    )


def test_a_chain_works_from_another_folder(tmp_path, monkeypatch):
    clone = tmp_path / "clone"
    (clone / "configs").mkdir(parents=True)
    (clone / "Expr.py").touch()
    (clone / "configs" / "pre.yaml").write_text(BASE)
    (clone / "configs" / "fine.yaml").write_text(BASE + "Train: {FineTune: {weights: snapshots/pre}}\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for place in (clone, elsewhere):
        monkeypatch.chdir(place)
        files = (str(clone / "configs" / "pre.yaml"), str(clone / "configs" / "fine.yaml"))
        pre, fine = load(Options(files), ("train",))
        assert fine.Train.FineTune.weights == pre.Train.Checkpoint.checkpoint_dir


def test_weights_on_the_hub_are_no_path(here):
    words = ("Test.Checkpoint.checkpoint_dir=hf:owner/name", "Train.FineTune.weights=hf:owner/other")
    (here / "mine.yaml").write_text(BASE)
    (config,) = load(Options(("mine.yaml",), words), ("train", "test"))
    assert (config.Test.Checkpoint.checkpoint_dir, config.Train.FineTune.weights) == ("hf:owner/name", "hf:owner/other")
    assert ON_HUB == PREFIX
