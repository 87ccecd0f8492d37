"""Configs that are well formed but ask a model for what it does not do: said with file and line, before anything is built."""

from pathlib import Path

import pytest

from inspyrenet.commands.configs import load
from inspyrenet.engine.options import Options
from inspyrenet.utils.config.load import ConfigError, load_config

CONFIG = """\
Model: {{name: {model}, base_size: [64, 64]}}
Train:
  Dataset:
    root: data
    sets: [A]
{dataset}
  Scheduler: {{epoch: 10, warmup_iteration: 0}}
{train}
"""
RESIZED = "    transforms: {static_resize: {size: [64, 64]}}"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(model: str = "BiRefNet_SwinT", train: str = "", dataset: str = RESIZED, words: tuple[str, ...] = ()):
    Path("one.yaml").write_text(CONFIG.format(model=model, dataset=dataset, train=train))
    return load(Options(("one.yaml",), words))[0]


def wrong(*arguments, **options) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*arguments, **options)
    return caught.value.messages


def test_losses_and_their_arguments_are_typed():
    config = read(
        train="  Loss: General\n  LossArguments: {weights: {iou: 1, mae: 0}, finetune: 3, decay: {ssim: 0.9}}"
    )
    given = config.Train.LossArguments.model_dump(exclude_none=True)
    assert given == {"weights": {"iou": 1.0, "mae": 0.0}, "finetune": 3, "decay": {"ssim": 0.9}}
    assert read(words=("Train.LossArguments.gradient=0",)).Train.LossArguments.gradient == 0
    assert read("PSPNet_ResNet50", "  LossArguments: {aux_weight: 0.2}").Train.LossArguments.aux_weight == 0.2
    assert read("InSPyReNet_SwinB", "  LossArguments: {eta: 0}").Train.LossArguments.eta == 0


@pytest.mark.parametrize(
    ("model", "train", "message"),
    [
        (
            "BiRefNet_SwinT",
            "  Loss: Generel",
            "one.yaml:8: Train.Loss: BiRefNet has no loss called 'Generel'; did you mean General?",
        ),
        (
            "PSPNet_ResNet50",
            "  Loss: DIS5K",
            "one.yaml:8: Train.Loss: PSPNet has no loss called 'DIS5K'; there is released, bce, ce, region",
        ),
        (
            "InSPyReNet_SwinB",
            "  LossArguments:\n    finetune: 2",
            "one.yaml:9: Train.LossArguments.finetune: the losses of InSPyReNet do not take it, but eta, ssim, haze, weights",
        ),
        (
            "BiRefNet_SwinT",
            "  LossArguments:\n    finetune: 11",
            "one.yaml:9: Train.LossArguments.finetune: 11 epochs are more than the run has (10)",
        ),
        (
            "BiRefNet_SwinT",
            "  LossArguments:\n    weights:\n      contuor: 2",
            "one.yaml:10: Train.LossArguments.weights.contuor: unknown; did you mean contour?",
        ),
        (
            "InSPyReNet_SwinB",
            "  LossArguments: {weights: {contour: 2}}",
            "one.yaml:8: Train.LossArguments.weights.contour: is no term of the losses of InSPyReNet, "
            "which has bce, iou, ssim, mae, haze, edge",
        ),
        (
            "BiRefNet_SwinT",
            "  LossArguments: {iou_reduction: men}",
            "one.yaml:8: Train.LossArguments.iou_reduction: must be 'sum' or 'mean', not 'men'; did you mean mean?",
        ),
        (
            "BiRefNet_SwinT",
            "  LossArguments: {weights: {bce: -1}}",
            "one.yaml:8: Train.LossArguments.weights.bce: must be greater than or equal to 0, not -1",
        ),
    ],
)  # fmt: skip
def test_what_a_family_does_not_take_is_named(model, train, message):
    assert wrong(model, train) == [message]


def test_classes_and_padding_need_losses_that_know_them():
    labeled = f"{RESIZED}\n    labels: DIS5K"
    assert read(dataset=labeled).Train.Dataset.labels == "DIS5K"
    assert wrong("PSPNet_ResNet50", dataset=labeled) == [
        "one.yaml:7: Train.Dataset.labels: PSPNet learns no classes: leave labels out"
    ]
    cropped = "    transforms:\n      random_crop: {size: [65, 65]}"
    assert read("PSPNet_ResNet50", dataset=cropped).Train.Dataset.transforms.random_crop.scale == (0.5, 2.0)
    (message,) = wrong("InSPyReNet_SwinB", dataset=cropped)
    assert message.startswith("one.yaml:7: Train.Dataset.transforms.random_crop: pads images")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("random_colur: {}", "Train.Dataset.transforms.random_colur: unknown; did you mean random_color?"),
        ("salt_and_pepper: {shar: 0.1}", "Train.Dataset.transforms.salt_and_pepper.shar: unknown; did you mean share?"),
        ("random_turn: {range: [5, 5]}", "Train.Dataset.transforms.random_turn.range: must be [low, high] with low < high"),
        ("random_blur: {size: 4}", "Train.Dataset.transforms.random_blur.size: must be odd, not 4"),
        ("background_color: {p: 2}", "Train.Dataset.transforms.background_color.p: must be less than or equal to 1, not 2"),
        ("random_color: {factor: 2}", "Train.Dataset.transforms.random_color.factor: unknown"),
    ],
)  # fmt: skip
def test_mistakes_in_augmentations_are_named(steps, message):
    dataset = f"    transforms:\n      static_resize: {{size: [64, 64], backend: opencv}}\n      {steps}"
    (found,) = wrong(dataset=dataset)
    assert found.startswith(f"one.yaml:8: {message}")


def test_a_batch_has_one_source_of_its_size():
    both = "    transforms: {static_resize: {size: [64, 64]}, random_size: {}}"
    (message,) = wrong(dataset=both)
    assert message.startswith(
        "one.yaml:6: Train.Dataset.transforms: give exactly one of static_resize, dynamic_resize, random_size"
    )
    words = ("Train.Dataset.transforms.static_resize=null", "Train.Dataset.transforms.random_size={}")
    assert read(words=words).Train.Dataset.transforms.random_size.width == (256, 2304)
    (message,) = wrong(words=(words[0], "Train.Dataset.transforms.random_size.height=[300,64]"))
    assert message == "override: Train.Dataset.transforms.random_size.height: must be [low, high], not [300, 64]"


def test_copy_paste_needs_one_size():
    (message,) = wrong(dataset="    transforms: {dynamic_resize: {size: 64}, copy_paste: {}}")
    assert message.startswith("one.yaml:6: Train.Dataset.transforms: copy_paste needs static_resize")
    assert read(words=("Train.Dataset.transforms.copy_paste={}",)).Train.Dataset.transforms.copy_paste.p == 0.5


def test_coarse_maps_need_one_size_and_a_network_that_starts_from_them():
    (message,) = wrong("InSPyReNet_SwinB", dataset="    transforms: {dynamic_resize: {size: 64}, coarse_map: {}}")
    assert message.startswith("one.yaml:6: Train.Dataset.transforms: coarse_map needs static_resize")
    given = "    transforms:\n      static_resize: {size: [64, 64]}\n      coarse_map: {p: 0.5}"
    (message,) = wrong("PSPNet_ResNet50", dataset=given)
    assert message.startswith("one.yaml:8: Train.Dataset.transforms.coarse_map: PSPNet has no coarse map to start from")
    assert read("InSPyReNet_SwinB", dataset=given).Train.Dataset.transforms.coarse_map.p == 0.5


def test_images_of_different_sizes_come_one_at_a_time():
    dataset = "    transforms: {dynamic_resize: {size: 64}}"
    assert wrong(train="  Dataloader:\n    batch_size: 2", dataset=dataset) == [
        "one.yaml:9: Train.Dataloader.batch_size: dynamic_resize gives each image a size of its own, and a batch has one "
        "size: set it to 1 (and Train.Optimizer.accumulate to 2)"
    ]
    assert read(dataset=dataset).Train.Dataloader.batch_size == 1


def test_a_test_has_no_random_size():
    test = "Test:\n  Dataset:\n    root: data\n    sets: [A]\n    transforms: {random_size: {}}"
    assert wrong(train=test) == ["one.yaml:9: Test.Dataset: a test needs static_resize or dynamic_resize"]


def test_every_transform_of_the_schema_is_one_of_the_data_sets():
    from inspyrenet.data.augment.transforms import TRANSFORMS
    from inspyrenet.engine.build import BEYOND_ONE, PREPARED
    from inspyrenet.utils.config.schema import Transforms

    assert {*Transforms.model_fields} - {*PREPARED, *BEYOND_ONE} == {*TRANSFORMS}


def test_every_term_of_a_loss_can_be_given_a_weight():
    from inspyrenet.lib.losses.build import CRITERIA
    from inspyrenet.utils.config.schema import LossTerms

    known = {term for criterion in CRITERIA.values() for term in criterion.terms}
    assert known == {*LossTerms.model_fields}


@pytest.mark.parametrize("model", ["BiRefNet_SwinT", "PSPNet_ResNet50"])
@pytest.mark.parametrize("word", ["Model.threshold=512", "Test.patch_merging=true"])
def test_networks_without_a_pyramid_are_not_blended(model, word):
    sized = "Test.Dataset.transforms={static_resize: {size: [64, 64]}}"
    words = ("Test.Dataset.root=data", "Test.Dataset.sets=[B]", sized, word)
    (message,) = wrong(model, words=words)
    assert f"{word.partition('=')[0]}: {model} has no pyramid to blend: set Model.threshold to null" in message
    read("InSPyReNet_SwinB", words=words)


def test_no_check_of_families_where_nothing_is_trained():
    Path("one.yaml").write_text(CONFIG.format(model="BiRefNet_SwinT", dataset=RESIZED, train="  Loss: mine"))
    assert load_config("one.yaml")[0].Train.Loss == "mine"
