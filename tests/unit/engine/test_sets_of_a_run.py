"""Which pairs a run learns from: split by a seed of its own, in folds, from other roots, and sets drawn by weight."""

import shutil

import pytest

from inspyrenet.data.datasets.pairs import Pair
from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, ensure_dataset
from inspyrenet.engine import build
from inspyrenet.engine.config_checks import missing_paths
from inspyrenet.engine.train import drops_last, shares_of, split_pairs
from inspyrenet.utils.config.load import ConfigError, load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.train import distributed
from tests.unit.datasets.test_files import make

CONFIG = """
Train:
  Dataset: {{root: '{root}', sets: [A, B], transforms: {{static_resize: {{size: [32, 32]}}}}}}
  Validation: {{{validation}}}
"""


@pytest.fixture
def load(tmp_path):
    for name, count in (("A", 6), ("B", 4)):
        make(
            tmp_path / "data", f"{name}/images/{{}}.jpg", f"{name}/masks/{{}}.png", [f"{name}{i}" for i in range(count)]
        )

    def train(validation: str, *words: str):
        (tmp_path / "a.yaml").write_text(CONFIG.format(root=tmp_path / "data", validation=validation))
        (config,) = load_config([tmp_path / "a.yaml"], words)
        return config.Train

    return train


def halves(train, seed: int) -> tuple[list[str], list[str]]:
    learn, held_out = split_pairs(train, seed)
    return [pair.name for pair in learn], [pair.name for pair in held_out]


def test_the_split_has_a_seed_of_its_own(load):
    own = load("fraction: 0.3, split_seed: 5")
    assert halves(own, 0) == halves(own, 1) == halves(load("fraction: 0.3"), 5)
    assert halves(load("fraction: 0.3"), 0) != halves(load("fraction: 0.3"), 1)
    assert halves(load("fraction: 0.3, split_seed: 0"), 7) == halves(load("fraction: 0.3"), 0)


def test_folds_hold_every_pair_out_once(load):
    folds = [halves(load(f"folds: 3, fold: {fold}, split_seed: 1"), fold) for fold in range(3)]
    everything = sorted([f"A{i}" for i in range(6)] + [f"B{i}" for i in range(4)])
    assert sorted(name for _, held_out in folds for name in held_out) == everything
    assert [len(held_out) for _, held_out in folds] == [4, 3, 3]
    assert all(sorted([*learn, *held_out]) == everything for learn, held_out in folds)


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ("folds: 3, fold: 3", "the folds are 0 to 2"),
        ("fraction: 0.1, fold: 1", "there are no folds"),
        ("fraction: 0.1, folds: 3", "exactly one of fraction, folds and sets"),
    ],
)
def test_ways_that_contradict_are_refused(load, validation, message):
    with pytest.raises(ConfigError, match=message):
        load(validation)


def test_more_folds_than_pairs_are_refused(load):
    with pytest.raises(ValueError, match="11 parts of 10 pairs"):
        split_pairs(load("folds: 11"), 0)


@pytest.mark.parametrize(
    ("validation", "sets", "message"),
    [
        ("sets: [A/val.txt]", "[A]", r"2 of the 2 images held out are also learned from, e\.g\. .*A4\.jpg"),
        ("fraction: 0.3", "[A,A/train.txt]", r"of the 3 images held out are.*sets=\[Own/train\.txt\]"),
        ("sets: [B]", "[A,B]", r"4 of the 4 images"),
    ],
)
def test_an_image_is_learned_from_or_held_out(load, tmp_path, validation, sets, message):
    for name, numbers in (("train", range(4)), ("val", (4, 5))):
        (tmp_path / f"data/A/{name}.txt").write_text("".join(f"A{i}\n" for i in numbers))
    with pytest.raises(ValueError, match=message):
        split_pairs(load(validation, f"Train.Dataset.sets={sets}"), 0)
    learn, held_out = halves(load("sets: [A/val.txt]", "Train.Dataset.sets=[A/train.txt]"), 0)
    assert (learn, held_out) == (["A0", "A1", "A2", "A3"], ["A4", "A5"])


def test_masks_may_have_a_root_of_their_own(load, tmp_path):
    make(tmp_path, "photos/C/{}.jpg", "truth/C/{}.png", ("x", "y"))
    words = [f"Train.Dataset.root={tmp_path / 'photos'}", f"Train.Dataset.mask_root={tmp_path / 'truth'}"]
    make(tmp_path, "photos/D/{}.jpg", "truth/D/{}.png", ("z",))
    learn, held_out = split_pairs(load("sets: [D]", *words, "Train.Dataset.sets=[C]"), 0)
    assert [pair.mask for pair in learn] == [tmp_path / f"truth/C/{n}.png" for n in "xy"]
    assert [pair.mask for pair in held_out] == [tmp_path / "truth/D/z.png"]


def test_a_type_from_outside_also_finds_the_validation_sets(load, tmp_path):
    (tmp_path / "sets_by_letter.py").write_text(
        "def pairs(root, name):\n"
        "    for image in sorted(root.glob(f'*/images/{name}*.jpg')):\n"
        "        yield image, image.parents[1] / 'masks' / f'{image.stem}.png'\n"
    )
    words = ["Train.Dataset.type=sets_by_letter:pairs", "Train.Dataset.sets=[A]"]
    train = load("sets: [B3]", *words)
    assert halves(train, 0) == ([f"A{i}" for i in range(6)], ["B3"])
    assert not list(missing_paths(Config(name="a", Train=train), ["train"], set()))


def test_weights_belong_to_sets(load):
    train = load("fraction: 0.2", "Train.Dataset.weights=[1,3]")
    pairs = [Pair(None, None, str(i), name) for i, name in enumerate("ABABA")]
    assert shares_of(train, pairs) == [([0, 2, 4], 1.0), ([1, 3], 3.0)]
    assert shares_of(load("fraction: 0.2"), pairs) is None
    with pytest.raises(ValueError, match="B has no pair left"):
        shares_of(train, pairs[::2])
    with pytest.raises(ConfigError, match="one number for each set: 2, not 1"):
        load("fraction: 0.2", "Train.Dataset.weights=[1]")


def test_a_last_step_of_single_images_is_left_out_unless_all_are(load, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    pairs = load("fraction: 0.2", "Train.Dataloader.batch_size=2")
    assert [drops_last(pairs, range(count)) for count in (3, 8, 9, 12, 13)] == [False, False, True, True, False]
    single = load("fraction: 0.2", "Train.Dataloader.batch_size=1")
    assert not any(drops_last(single, range(count)) for count in range(3, 14))


def test_the_limit_of_painted_sets_is_one_for_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["Test.Dataset.sets=[heldout, other]", "Test.Dataset.limit=3"]
    (config,) = load_config(["Quickstart"], words)
    found = build.pairs(build.section(config, "Test").Dataset)
    assert [pair.dataset for pair in found] == ["heldout"] * 3 + ["other"] * 3


def test_painted_sets_may_validate(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "Train: {Dataset: {type: Synthetic, root: data, sets: [train], limit: 2, transforms: {static_resize: {size: [32, 32]}}},"
        " Validation: {sets: [heldout]}}"
    )
    (config,) = load_config(tmp_path / "p.yaml", [f"Train.Dataset.root={tmp_path}/data"])
    ensure_dataset(tmp_path / "data", "heldout", 3, HELD_OUT_SEED)
    learn, held_out = halves(config.Train, 0)
    assert len(learn) == 2 and len(held_out) == 3
    shutil.rmtree(tmp_path / "data" / "heldout")
    assert len(halves(config.Train, 0)[1]) == 2


@pytest.mark.parametrize("key", ["root: elsewhere", "mask_root: elsewhere"])
def test_roots_are_of_sets(load, key):
    with pytest.raises(ConfigError, match="name the sets, or leave both out"):
        load(f"fraction: 0.3, {key}")
