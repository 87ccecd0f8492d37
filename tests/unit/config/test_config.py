"""Config files: what is read, and what is said about mistakes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inspyrenet.utils.config import yaml_loader
from inspyrenet.utils.config.errors import _all_keys
from inspyrenet.utils.config.load import _FILES, _FOLDERS, ConfigError, load_config, save_resolved

BASE = """\
Model:
  name: InSPyReNet_SwinB
  base_size: [384, 384]
Train:
  Dataset:
    root: data/Train_Dataset
    sets: [DUTS-TR]
    transforms:
      static_resize:
        size: [384, 384]
      random_flip:
        p: 0.25
  Optimizer:
    lr: 1e-5
Test:
  Dataset:
    root: data/Test_Dataset
    sets: [ECSSD, PASCAL-S]
    transforms:
      dynamic_resize: {}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Tests run in an empty folder that holds base.yaml."""
    monkeypatch.chdir(tmp_path)
    write("base.yaml", BASE)
    return tmp_path


def write(name: str, text: str) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return name


def messages(*arguments, **options) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(*arguments, **options)
    assert str(caught.value) == "\n".join(caught.value.messages)
    return caught.value.messages


# -- reading ------------------------------------------------------------------------------------------------------


def test_reads_a_file_with_defaults():
    (config,) = load_config("base.yaml")
    assert config.name == "base"
    assert config.Train.Optimizer.lr == 1e-5
    assert config.Train.Optimizer.head_factor == 10
    assert config.Train.Dataset.transforms.random_flip.p == 0.25
    assert config.Test.Dataset.transforms.dynamic_resize.size == 1280


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("+.5", 0.5),
        ("2.", 2.0),
        ("1_000", 1000),
        ("-3", -3),
        ("0x10", 16),
        ("010", "010"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("'1e-4'", "1e-4"),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("", None),
        ("nullx", "nullx"),
        ("DUT-OMRON", "DUT-OMRON"),
        ("[1, 1e1, a]", [1, 10.0, "a"]),
    ],
)
def test_scalars(text, value):
    problems = []
    read = yaml_loader.parse(f"key: {text}", "f", problems).data["key"]
    assert (read, type(read), problems) == (value, type(value), [])


def test_folders_left_out_are_filled_in():
    (config,) = load_config("base.yaml")
    assert config.Train.Checkpoint.checkpoint_dir == "snapshots/base"
    assert config.Test.Checkpoint.checkpoint_dir == "snapshots/base"
    assert config.Eval.pred_root == "snapshots/base"
    assert config.Eval.gt_root == "data/Test_Dataset"
    assert config.Eval.datasets == ("ECSSD", "PASCAL-S")


def test_test_takes_its_weights_where_training_wrote_them():
    (config,) = load_config("base.yaml", ["Train.Checkpoint.checkpoint_dir=elsewhere"])
    assert config.Test.Checkpoint.checkpoint_dir == "elsewhere"


def test_shipped_config_by_name():
    (config,) = load_config("InSPyReNet_SwinT")
    assert (config.name, config.Model.name) == ("InSPyReNet_SwinT", "InSPyReNet_SwinT")
    assert load_config("configs/InSPyReNet_SwinT.yaml") == [config]


def test_import_needs_neither_torch_nor_numpy():
    code = "import sys, inspyrenet.utils.config.load; print({'torch', 'numpy', 'timm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# -- extends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["InSPyReNet_SwinB.yaml", "configs/InSPyReNet_SwinB.yaml", "InSPyReNet_SwinB"])
@pytest.mark.parametrize("own", ["my.yaml", "sub/my.yaml", "InSPyReNet_SwinB.yaml"])
def test_an_own_file_extends_a_shipped_one_from_any_folder(own, name):
    """Its data and results are then where the own file counts from, as after a pip install without a clone."""
    write(own, f"extends: {name}\nTrain: {{Dataset: {{sets: [my_train]}}}}\n")
    (config,) = load_config(own)
    assert (config.Model.name, config.Train.Dataset.sets) == ("InSPyReNet_SwinB", ("my_train",))
    assert (config.Train.Dataset.root, config.Test.Dataset.root) == ("data/Train_Dataset", "data/Test_Dataset")
    assert (config.Train.Checkpoint.checkpoint_dir, config.Eval.result_path) == (
        f"snapshots/{Path(own).stem}",
        "results",
    )


def test_a_mistake_in_an_own_file_is_blamed_on_it_and_one_below_on_the_shipped_one():
    write("my.yaml", "extends: InSPyReNet_SwinT.yaml\nTrain: {Dataset: {limit: x}, Optimizer: null}\n")
    assert [line.partition(" ")[0] for line in messages("my.yaml")] == ["my.yaml:2:", "my.yaml:2:"]


def test_a_file_beside_comes_before_a_shipped_one():
    write("sub/InSPyReNet_SwinB.yaml", BASE.replace("0.25", "0.75"))
    write("sub/my.yaml", "extends: InSPyReNet_SwinB.yaml\n")
    assert load_config("sub/my.yaml")[0].Train.Dataset.transforms.random_flip.p == 0.75


def test_extends_merges_sections_and_replaces_values():
    write("sub/child.yaml", "extends: ../base.yaml\nTrain:\n  Dataset:\n    sets: [A, B]\n")
    (child,) = load_config("sub/child.yaml")
    (base,) = load_config("base.yaml")
    assert child.name == "child"
    assert child.Train.Dataset.sets == ("A", "B")
    assert child.Train.Dataset.transforms == base.Train.Dataset.transforms
    assert child.Model == base.Model


def test_extends_in_a_chain_and_null_switches_off():
    write("one.yaml", "extends: base.yaml\nname: first\nseed: 1\nnote: kept\n")
    write(
        "two.yaml",
        "extends: one.yaml\nseed: 2\nTrain: {Dataset: {transforms: {random_flip: null}}}\nModel: {depth: 8}\n",
    )
    (config,) = load_config("two.yaml")
    assert (config.name, config.seed, config.note, config.Model.depth) == ("two", 2, "kept", 8)
    assert config.Train.Dataset.transforms.random_flip is None
    assert config.Train.Dataset.transforms.static_resize.size == (384, 384)


def test_extends_in_a_circle():
    write("one.yaml", "extends: two.yaml\n")
    write("two.yaml", "seed: 1\nextends: one.yaml\n")
    assert messages("one.yaml") == ["two.yaml:2: extends: goes round in a circle: one.yaml → two.yaml → one.yaml"]
    write("self.yaml", "extends: self.yaml\n")
    assert messages("self.yaml") == ["self.yaml:1: extends: goes round in a circle: self.yaml → self.yaml"]


def test_extends_something_absent():
    write("one.yaml", "# comment\nextends: bsae.yaml\n")
    assert messages("one.yaml") == ["one.yaml:2: extends: no such file bsae.yaml; did you mean base.yaml?"]
    write("one.yaml", "extends: [base.yaml]\n")
    assert messages("one.yaml") == ["one.yaml:1: extends: must be the name of one YAML file, not ['base.yaml']"]


def test_a_mistake_is_reported_where_it_was_written():
    write("bad.yaml", "seed: 1\nTrain:\n  Optimizer:\n    wieght_decay: 0\n    lr: fast\n")
    write("sub/child.yaml", "extends: ../bad.yaml\nTrain:\n  Optimizer: {lr: 0}\n")
    assert set(messages("sub/child.yaml")) == {
        "sub/child.yaml:2: Train.Dataset: is missing",
        "bad.yaml:4: Train.Optimizer.wieght_decay: unknown; did you mean weight_decay?",
        "sub/child.yaml:3: Train.Optimizer.lr: must be greater than 0, not 0",
    }


# -- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    lr: 1e-5", "    lr: -1", "base.yaml:14: Train.Optimizer.lr: must be greater than 0, not -1"),
        ("    lr: 1e-5", "    lr: .inf", "base.yaml:14: Train.Optimizer.lr: must be a finite number, not inf"),
        ("    lr: 1e-5", "    lr: [1]", "base.yaml:14: Train.Optimizer.lr: must be a valid number, not [1]"),
        ("    lr: 1e-5", "    mode: x", "base.yaml:14: Train.Optimizer.mode: unknown"),
        ("    lr: 1e-5", "    type: adam", "did you mean Adam?"),
        ("Train:", "Trian:", "base.yaml:4: Trian: unknown; did you mean Train?"),
        ("Train:", "lr: 1\nTrain:", "or Train.Optimizer.lr or"),
        ("sets: [DUTS-TR]", "sets: DUTS-TR", "Train.Dataset.sets: must be a list, such as [DUTS-TR], not 'DUTS-TR'"),
        ("sets: [DUTS-TR]", "sets: []", "Train.Dataset.sets: has too few values: at least 1"),
        (
            "sets: [DUTS-TR]",
            "sets: [a, 7]",
            "base.yaml:7: Train.Dataset.sets[1]: must be text, not 7 (write it in quotes)",
        ),
        ("base_size: [384, 384]", "base_size: [384]", "base.yaml:3: Model.base_size: has too few values: [384]"),
        (
            "base_size: [384, 384]",
            "base_size: [1, 2, 3]",
            "base.yaml:3: Model.base_size: has too many values: at most 2",
        ),
        (
            "base_size: [384, 384]",
            "base_size: [384, 16]",
            "Model.base_size[1]: must be greater than or equal to 32, not 16",
        ),
        ("    root: data/Train_Dataset\n", "", "base.yaml:5: Train.Dataset.root: is missing"),
        (
            "        p: 0.25",
            "        p: 2",
            "Train.Dataset.transforms.random_flip.p: must be less than or equal to 1, not 2",
        ),
        ("dynamic_resize: {}", "dynamic_resize: 3", "dynamic_resize: must be a section with keys below it, not 3"),
        (
            "dynamic_resize: {}",
            "tonumpy: null",
            "base.yaml:19: Test.Dataset.transforms: give exactly one of static_resize",
        ),
        (
            "random_flip:",
            "random_rotate: {range: [3, 1]}\n      random_flip:",
            "range: must be [low, high], not [3.0, 1.0]",
        ),
        ("name: InSPyReNet_SwinB", "name: a\n  name: b", "base.yaml:3: Model.name: is written twice (first in line 2)"),
        (
            "name: InSPyReNet_SwinB",
            "name: a\n  pretrained: [1]",
            "must be a valid boolean, not [1] or must be text, not [1]",
        ),
        ("name: InSPyReNet_SwinB", "name: !!python/name:os.system a", "base.yaml:2: Model.name: the tag"),
        ("name: InSPyReNet_SwinB", "name: *a", "base.yaml:2: not valid YAML: anchors and aliases are not used here"),
        ("name: InSPyReNet_SwinB", "name: [a", "base.yaml:3: not valid YAML: "),
        ("name: InSPyReNet_SwinB", "\tname: a", "base.yaml:2: not valid YAML: found character '\\t'"),
        ("name: InSPyReNet_SwinB", "? [a]\n  : b", "base.yaml:2: Model: a key must be one word"),
        ("Model:", "name: ../../x\nModel:", "base.yaml:1: name: must be usable as the name of a folder, not '../../x'"),
        ("Model:", "name: 2024\nModel:", "base.yaml:1: name: must be text, not 2024 (write it in quotes)"),
        ("Model:", "seed: -1\nModel:", "base.yaml:1: seed: must be greater than or equal to 0, not -1"),
    ],
)
def test_one_mistake(old, new, message):
    assert BASE.count(old) >= 1
    write("base.yaml", BASE.replace(old, new, 1))
    said = messages("base.yaml")
    assert [line for line in said if message in line], said


def test_all_mistakes_of_all_files_at_once():
    write("one.yaml", "extends: base.yaml\nModel: {depht: 1, threshold: x}\nseed: a\nseed: 2\n")
    write("two.yaml", "extends: base.yaml\nEvl: {}\n")
    said = messages(["one.yaml", "two.yaml", "three.yaml"], ["Train.Optimiser.lr=1", "nonsense"])
    assert sorted(said) == [
        "one.yaml:2: Model.depht: unknown; did you mean depth?",
        "one.yaml:2: Model.threshold: must be a valid integer, not 'x'",
        "one.yaml:3: seed: must be a valid integer, not 'a'",
        "one.yaml:4: seed: is written twice (first in line 3)",
        "override: 'nonsense': write it as Section.key=value, e.g. Train.Optimizer.lr=1e-5",
        "override: Train.Optimiser: unknown; did you mean Optimizer?",
        "three.yaml: no such file",
        "two.yaml:2: Evl: unknown; did you mean Eval?",
    ]


def test_what_lies_behind_a_mistake_is_said_in_the_same_round():
    """pydantic checks a section as a whole, and our own checks a config, only once their parts are right."""
    write(
        "one.yaml",
        """\
extends: base.yaml
Model: {name: Nobody, depth: 0}
Train:
  Dataset:
    limit: many
    transforms: {dynamic_resize: {}}
  Validation: {every: 0}
  Optimizer: {lr: -1}
Test: {Dataset: {sets: [], transforms: {dynamic_resize: null, random_crop: {size: [64, 64]}}}}
Eval: {metrics: 3, num_workers: -1}
""",
    )
    seen = []

    def check(config):
        seen.append(config)
        return [("Eval.result_path", "is on another planet"), ("Train.Optimizer.lr", "is said already")]

    said = messages("one.yaml", choices={"Model.name": ["InSPyReNet_SwinB"]}, check=check)
    assert sorted(line.partition(": ")[2].partition(": ")[0] for line in said) == [
        "Eval.metrics",
        "Eval.num_workers",
        "Eval.result_path",
        "Model.depth",
        "Model.name",
        "Test.Dataset",
        "Test.Dataset.sets",
        "Train.Dataset.limit",
        "Train.Dataset.transforms",
        "Train.Optimizer.lr",
        "Train.Validation.every",
    ]
    assert all(line.startswith("one.yaml:") for line in said)
    assert seen[0].Model.name == "Nobody"  # the check may know what holds of every name


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Model: {root: 1, sets: 2}", ["Model.root", "Model.sets"]),
        ("root: 1\nsets: x\nname: 3", ["root", "sets", "name"]),
        ("Model: 3\nTrain: [a]\nTest: {}\nEval: x", ["Model", "Train", "Test.Dataset", "Eval"]),
        ("Train: {Dataset: {root: [1], sets: {a: 1}}}", ["Train.Dataset.root", "Train.Dataset.sets"]),
        ("Train: {Dataset: null}\nTest: {Dataset: {sets: [1, 2]}}", ["Train.Dataset", "Test.Dataset.sets[0]"]),
        ("Eval: {metrics: [[1], {a: 2}], datasets: 1}", ["Eval.metrics[0]", "Eval.metrics[1]", "Eval.datasets"]),
        ("a: {b: 1}\nDebug: {fast: {x: 1}}\nseed: [[]]", ["a", "Debug.fast", "seed"]),
    ],
)
def test_nothing_that_can_be_written_keeps_the_reader_busy(text, keys):
    write("one.yaml", text + "\n")
    places = {line.partition(": ")[2].partition(": ")[0] for line in messages("one.yaml")}
    assert set(keys) <= places


def test_advice_is_what_the_schema_accepts():
    words = (
        "Model.base_size=32",
        "Train.Dataset.transforms.random_turn.range=5",
        "Train.Dataset.transforms.normalize.mean=0.5",
        "Test.Dataset.sets=5",
        "Test.scales=2",
    )
    assert [line.removeprefix("override: ") for line in messages("base.yaml", words)] == [
        "Model.base_size: must be a list, such as [32, 32], not 32",
        "Train.Dataset.transforms.random_turn.range: must be a list, not 5",
        "Train.Dataset.transforms.normalize.mean: must be a list, such as [0.5, 0.5, 0.5], not 0.5",
        "Test.Dataset.sets: must be a list, not 5",
        "Test.scales: must be a list, such as [2], not 2",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: nowhere.yaml\n", "extends: no such file nowhere.yaml"),
        ("extends: [base.yaml]\n", "extends: must be the name of one YAML file, not ['base.yaml']"),
        ("Train: !!x {}\n", "Train: the tag 'tag:yaml.org,2002:x' is not used here: write the plain value"),
        (f"Train: {'9' * 3001}\n", f"Train: '{'9' * 37}...' cannot be read as a number"),
        ("Train: [1, 2]\n", "Train: must be a section with keys below it, not [1, 2]"),
        ("Train: {Dataset: 7}\n", "Train.Dataset: must be a section with keys below it, not 7"),
    ],
)
def test_what_cannot_be_read_is_said_once_whatever_is_laid_over_it(text, message):
    write("one.yaml", text)
    assert messages("one.yaml", ["Train.Dataset.limit=1", "Train.Loss=region"]) == [f"one.yaml:1: {message}"]
    write("two.yaml", "extends: one.yaml\nTrain: {Dataset: {limit: 1}}\n")
    assert messages("two.yaml") == [f"one.yaml:1: {message}"]


@pytest.mark.parametrize("value", ["!!x 1", "9" * 3001])
def test_a_value_that_cannot_be_read_is_said_once(value):
    write("base.yaml", BASE.replace("lr: 1e-5", f"lr: {value}").replace("sets: [DUTS-TR]", f"sets: [a, {value}]"))
    assert [line.split()[1] for line in messages("base.yaml")] == ["Train.Dataset.sets[1]:", "Train.Optimizer.lr:"]
    assert len(messages("base.yaml", [f"Test.Dataset.limit={value}"])) == 3


def test_names_that_the_caller_knows():
    choices = {"Model.name": ["InSPyReNet_SwinB"], "Eval.metrics": ["Sm", "maxFm"], "Train.Loss": ["released"]}
    assert load_config("base.yaml", ["Eval.metrics=[Sm]"], choices=choices)
    write("one.yaml", "extends: base.yaml\nModel:\n  name: InSPyReNet_Swin\nEval:\n  metrics: [Sm, maxF]\n")
    assert messages("one.yaml", ["Train.Loss=zzz"], choices=choices) == [
        "one.yaml:3: Model.name: unknown name 'InSPyReNet_Swin'; did you mean InSPyReNet_SwinB?",
        "one.yaml:5: Eval.metrics[1]: unknown name 'maxF'; did you mean maxFm?",
        "override: Train.Loss: unknown name 'zzz'; there is released",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.yaml: is empty"),
        (b"# only a comment\n", "x.yaml: is empty"),
        (b"- a\n", "x.yaml: must consist of sections (`key: value`)"),
        (b"\xff\xfe\x00", "x.yaml: is not a text file in UTF-8"),
        (b"a: \x00", "x.yaml: not valid YAML: unacceptable character #x0000: special characters are not allowed"),
        (b"seed: " + b"[" * 1500, "x.yaml: is nested too deeply"),
        *[(text * 20_000, "x.yaml: is nested too deeply") for text in (b"[", b"{", b"- ", b"? ", b"[\n", b"[a,")],
        ("".join(" " * depth + "a:\n" for depth in range(100)).encode(), "x.yaml: is nested too deeply"),
        (b"a: [" + b"1," * 40_000 + b"]", "x.yaml: is longer than 64,000 characters, which no config is"),
        (b"a: &a [x]\nb: [*a, *a]\n", "x.yaml:1: not valid YAML: anchors and aliases are not used here"),
        (b"seed: 0x" + b"f" * 5000, "x.yaml:1: seed: '0x" + "f" * 35 + "...' cannot be read as a number"),
        (b"seed: " + b"9" * 5000, "x.yaml:1: seed: '" + "9" * 37 + "...' cannot be read as a number"),
    ],
)
def test_files_that_are_no_config(content, message):
    Path("x.yaml").write_bytes(content)
    assert messages("x.yaml")[0] == message


def test_hostile_text_costs_no_more_than_a_config(monkeypatch):
    """PyYAML looks at every open bracket for every further one; here it is stopped long before they are many."""
    opened = []
    scan = yaml_loader._Loader.fetch_flow_collection_start
    monkeypatch.setattr(
        yaml_loader._Loader, "fetch_flow_collection_start", lambda *given: (opened.append(1), scan(*given))
    )
    Path("x.yaml").write_text("[" * 20_000)
    assert messages("x.yaml") == ["x.yaml: is nested too deeply"]
    assert len(opened) < 100


def test_a_folder_is_not_a_config(folder):
    assert messages(folder) == [f"{folder}: is a folder"]
    assert messages("/") == ["/: is a folder"]


def test_shipped_name_with_a_typo():
    assert messages("InSPyReNet_SwinBB") == ["InSPyReNet_SwinBB: no such file; did you mean InSPyReNet_SwinB?"]


def test_two_runs_of_one_name():
    write("sub/base.yaml", BASE)
    said = messages(["base.yaml", "sub/base.yaml"])
    assert said == ["sub/base.yaml: name: 'base' is the name of two runs (also base.yaml)"]


def test_a_finished_config_does_not_change():
    (config,) = load_config("base.yaml")
    with pytest.raises(ValueError, match="frozen"):
        config.Model.name = "other"


# -- where relative paths belong ----------------------------------------------------------------------------------


@pytest.fixture
def clone(folder):
    """A clone of the project beside the current folder."""
    write("clone/Expr.py", "")
    write("clone/configs/exp/a.yaml", BASE)
    return folder / "clone"


def test_paths_in_a_clone_count_from_the_clone(clone, monkeypatch):
    (config,) = load_config("clone/configs/exp/a.yaml")
    assert config.Train.Dataset.root == str(clone / "data/Train_Dataset")
    assert config.Train.Checkpoint.checkpoint_dir == str(clone / "snapshots/a")
    assert config.Eval.result_path == str(clone / "results")
    monkeypatch.chdir(clone)
    (config,) = load_config("configs/exp/a.yaml")
    assert config.Train.Dataset.root == "data/Train_Dataset"
    assert config.Train.Checkpoint.checkpoint_dir == "snapshots/a"


def test_paths_on_the_command_line_count_from_the_current_folder(clone):
    (config,) = load_config("clone/configs/exp/a.yaml", ["Train.Dataset.root=mine", "Test.Dataset.root=~/mine"])
    assert config.Train.Dataset.root == "mine"
    assert config.Test.Dataset.root == os.path.expanduser("~/mine")  # noqa: PTH111


def test_own_file_that_extends_one_in_a_clone(clone):
    write("own.yaml", "extends: clone/configs/exp/a.yaml\nTest: {Dataset: {root: here}}\n")
    (config,) = load_config("own.yaml")
    assert config.Train.Dataset.root == str(clone / "data/Train_Dataset")
    assert config.Test.Dataset.root == "here"
    assert config.Train.Checkpoint.checkpoint_dir == "snapshots/own"


def test_own_file_in_a_clone_that_extends_a_shipped_one_has_the_paths_of_the_clone(clone):
    write("clone/own/my.yaml", "extends: InSPyReNet_SwinT\n")
    (config,) = load_config("clone/own/my.yaml")
    assert config.Train.Dataset.root == str(clone / "data/Train_Dataset")


def test_pretrained_may_be_a_file_or_a_name(clone):
    write("clone/data/backbone_ckpt/swin.pth", "")
    for text, expected in (
        ("data/backbone_ckpt/swin.pth", str(clone / "data/backbone_ckpt/swin.pth")),
        ("swin.pth", str(clone / "data/backbone_ckpt/swin.pth")),
        ("other.pth", "other.pth"),
        ("true", True),
    ):
        write("clone/configs/b.yaml", f"extends: exp/a.yaml\nModel: {{pretrained: {text}}}\n")
        assert load_config("clone/configs/b.yaml")[0].Model.pretrained == expected


def test_path_keys_exist_in_the_schema():
    assert {".".join(keys) for keys in (*_FOLDERS, *_FILES)} <= set(_all_keys())


def test_save_resolved_makes_folders_and_says_where_it_cannot(folder):
    (config,) = load_config("base.yaml")
    save_resolved(config, "a/b/config.yaml")
    assert load_config("a/b/config.yaml") == [config]
    with pytest.raises(OSError, match=r"base\.yaml"):
        save_resolved(config, "base.yaml/config.yaml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Train.Dataset.limit", "yes"),
        ("Train.Optimizer.lr", "on"),
        ("Train.Optimizer.clip_norm", "true"),
        ("Model.threshold", "true"),
        ("Model.base_size", "[true, 384]"),
        ("seed", "true"),
    ],
)
def test_a_boolean_is_no_number(key, value):
    (message,) = messages("base.yaml", [f"{key}={value}"])
    assert f"{key}: must be a number, not " in message


@pytest.mark.parametrize("name", ["/data/photos", "../photos", "a/../../photos", "..", "."])
def test_sets_lie_below_their_root(name):
    for key in ("Train.Dataset.sets", "Test.Dataset.sets", "Eval.datasets"):
        (message,) = messages("base.yaml", [f"{key}=[{name}]"])
        assert f"must be the name of a folder below the root of the data sets, not '{name}'" in message


def test_a_seed_has_31_bits():
    assert messages("base.yaml", ["seed=20261127123456"]) == [
        "override: seed: must be less than 2147483648, not 20261127123456"
    ]
