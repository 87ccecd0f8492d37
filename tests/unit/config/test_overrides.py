"""Override words and grids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.utils.config.load import ConfigError, load_config
from inspyrenet.utils.config.overrides import read_overrides, split_commas

BASE = """\
Model: {name: M}
Train:
  Dataset: {root: data, sets: [A], transforms: {static_resize: {size: [64, 64]}}}
Test:
  Dataset: {root: data, sets: [A], transforms: {static_resize: {size: [64, 64]}}}
"""


@pytest.fixture(autouse=True)
def base(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)


def load(*words):
    return load_config("base.yaml", words)


def messages(*words) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(*words)
    return caught.value.messages


@pytest.mark.parametrize(
    ("word", "read", "expected"),
    [
        ("Train.Optimizer.lr=1e-4", lambda c: c.Train.Optimizer.lr, 1e-4),
        ("Train.Optimizer.lr=3", lambda c: c.Train.Optimizer.lr, 3.0),
        ("Model.base_size=[64, 96]", lambda c: c.Model.base_size, (64, 96)),
        ("Model.threshold=512", lambda c: c.Model.threshold, 512),
        ("Model.threshold=", lambda c: c.Model.threshold, None),
        ("Model.pretrained=yes", lambda c: c.Model.pretrained, True),
        ("Model.pretrained=a=b.pth", lambda c: c.Model.pretrained, "a=b.pth"),
        ("Model.arguments.window=12", lambda c: c.Model.arguments, {"window": 12}),
        ("Model={name: N, depth: 8}", lambda c: (c.Model.name, c.Model.depth), ("N", 8)),
        ("Test.Dataset.sets=['a,b', c]", lambda c: c.Test.Dataset.sets, ("a,b", "c")),
        ("Train.Validation.fraction=0.1", lambda c: c.Train.Validation.fraction, 0.1),
        ("name=other", lambda c: c.name, "other"),
        ("note='007'", lambda c: c.note, "007"),
    ],
)
def test_one_override(word, read, expected):
    (config,) = load(word)
    assert read(config) == expected
    assert config.name == ("other" if word.startswith("name") else "base")


def test_resize_can_be_changed_to_another_kind():
    (config,) = load("Test.Dataset.transforms.static_resize=null", "Test.Dataset.transforms.dynamic_resize.size=640")
    assert config.Test.Dataset.transforms.static_resize is None
    assert config.Test.Dataset.transforms.dynamic_resize.size == 640


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Train.Optimizer.lrr=1"], "override: Train.Optimizer.lrr: unknown; did you mean lr?"),
        (["Optimizer.lr=1"], "override: Optimizer: unknown; did you mean Train.Optimizer?"),
        (["extends=x.yaml"], "override: extends: unknown"),
        (["Train.Optimizer.lr=fast"], "override: Train.Optimizer.lr: must be a valid number, not 'fast'"),
        (["Model.name.x=1"], "override: Model.name: must be text, not {'x': 1}"),
        (["Test.Dataset.sets=A,B"], "override: Test.Dataset.sets: must be a list, such as [A], not 'A'"),
        (["Train.Optimizer.lr=1,"], "override: Train.Optimizer.lr: an empty value between commas in '1,'"),
        (["seed=1,1"], "override: seed: the same value twice in '1,1'"),
        (["seed=1", "seed=2"], "override: seed: is given twice"),
        (
            ["Model.base_size=[1"],
            "override: Model.base_size: not valid YAML: expected ',' or ']', but got '<stream end>'",
        ),
        (["Model={name: a, name: b}"], "override: Model: name: is written twice"),
        (["a b=1"], "override: 'a b=1': write it as Section.key=value, e.g. Train.Optimizer.lr=1e-5"),
        (["=1"], "override: '=1': write it as Section.key=value, e.g. Train.Optimizer.lr=1e-5"),
        (["seed=!!python/object/apply:os.getcwd []"], "override: seed: the tag"),
        (["seed=0,a"], "override: seed: must be a valid integer, not 'a'"),
    ],
)
def test_mistakes(words, message):
    said = messages(*words)
    assert any(line.startswith(message) for line in said), said


def test_grid_multiplies_and_names_each_run():
    configs = load("Train.Optimizer.lr=1e-5,3e-5", "seed=0,1", "Train.Scheduler.epoch=2")
    assert [(c.Train.Optimizer.lr, c.seed, c.name) for c in configs] == [
        (1e-5, 0, "base_lr-1e-5_seed-0"),
        (1e-5, 1, "base_lr-1e-5_seed-1"),
        (3e-5, 0, "base_lr-3e-5_seed-0"),
        (3e-5, 1, "base_lr-3e-5_seed-1"),
    ]
    assert {c.Train.Scheduler.epoch for c in configs} == {2}
    assert [c.Train.Checkpoint.checkpoint_dir for c in configs] == [f"snapshots/{c.name}" for c in configs]
    assert [c.Eval.pred_root for c in configs] == [f"snapshots/{c.name}" for c in configs]


def test_grid_over_lists():
    configs = load("Model.base_size=[64,64],[96, 128]")
    assert [(c.name, c.Model.base_size) for c in configs] == [
        ("base_base_size-64x64", (64, 64)),
        ("base_base_size-96x128", (96, 128)),
    ]


def test_equal_last_words_are_told_apart():
    names = [c.name for c in load("Train.Dataset.limit=1,2", "Test.Dataset.limit=3,4")]
    assert names[0] == "base_Train.Dataset.limit-1_Test.Dataset.limit-3"
    assert len(set(names)) == 4


def test_grid_over_files_and_names():
    (first, second) = load("Train.Dataset.root=data/a,data/b")
    assert (first.name, second.name) == ("base_root-data-a", "base_root-data-b")
    assert [c.name for c in load("name=a,b", "seed=1,2")] == ["a_seed-1", "a_seed-2", "b_seed-1", "b_seed-2"]


def test_names_that_look_alike_as_folders_are_refused():
    assert messages("Train.Dataset.root=a/b,a-b") == [
        "base.yaml: name: 'base_root-a-b' is the name of two runs (also base.yaml)"
    ]


def test_runs_that_differ_in_testing_share_the_trained_model():
    configs = load("Test.precision=float32,bfloat16")
    assert {c.Test.Checkpoint.checkpoint_dir for c in configs} == {"snapshots/base"}
    assert [c.Eval.pred_root for c in configs] == [
        "snapshots/base_precision-float32",
        "snapshots/base_precision-bfloat16",
    ]


def test_runs_that_differ_in_scoring_share_the_maps():
    configs = load("Eval.conventions=pysod,published", "seed=3")
    assert {c.Eval.pred_root for c in configs} == {"snapshots/base"}
    assert len({c.name for c in configs}) == 2


def test_a_grid_does_not_train_into_one_folder():
    words = ["Train.Checkpoint.checkpoint_dir=here", "seed=1,2"]
    text = "override: Train.Checkpoint.checkpoint_dir: all runs of the grid would write to here: set it to null"
    assert messages(*words) == [text]
    assert len(load(words[0], "Eval.num_workers=1,2")) == 2
    assert len(load("Train.Checkpoint.checkpoint_dir=here,there")) == 2


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1e-5,3e-5", ["1e-5", "3e-5"]),
        ("[1,2],[3,4]", ["[1,2]", "[3,4]"]),
        ("{a: [1,2], b: 3},x", ["{a: [1,2], b: 3}", "x"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("it's,that's", ["it's", "that's"]),
        ("['a', 'b,]'],c", ["['a', 'b,]']", "c"]),
        ("", [""]),
    ],
)
def test_split_commas(text, parts):
    assert split_commas(text) == parts


@given(st.lists(st.text(alphabet="ab[]{},'\" =:", max_size=12), max_size=3))
def test_any_words_are_read_or_reported(values):
    problems = []
    points = read_overrides([f"key{place}={value}" for place, value in enumerate(values)], problems)
    assert all(line.startswith("override: ") for line in problems)
    assert points
    assert problems or all(len(point.choices) == len(values) for point in points)
