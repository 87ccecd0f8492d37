"""What in a config of scene parsing does not fit together, or asks saliency for what only scene parsing does."""

import inspect
from collections.abc import Iterator

from ..lib.build import MODELS
from ..lib.sizes import rule_for
from ..lib.types import SizeError
from ..plugins.named import is_own
from ..utils.config.schema import Config, DatasetSection, ModelSection, TestSection

MIXING = (
    "random_size",
    "background_color",
    "random_turn",
    "copy_paste",
    "coarse_map",
)  # transforms no label map can follow
ONE_PASS = (("patch_merging", False), ("normalize", "none"))  # of a test, with what scene parsing needs


def scene_errors(config: Config) -> Iterator[tuple[str, str]]:
    """(dotted key, what is wrong with it)."""
    classes = config.Model.classes if config.Model is not None else None
    for key, section in (("Train", config.Train), ("Test", config.Test)):
        if section is not None:
            yield from _dataset_errors(f"{key}.Dataset", section.Dataset, classes)
    if config.Model is not None and classes is not None:
        yield from _model_errors(config.Model, classes)
    if config.Test is not None:
        yield from _test_errors(config.Model, config.Test, classes)


def _dataset_errors(key: str, dataset: DatasetSection, classes: int | None) -> Iterator[tuple[str, str]]:
    if classes is None:
        if dataset.scenes:
            yield f"{key}.type", f"{dataset.type} has label maps: set Model.classes to the number of classes"
        return
    if not dataset.scenes:
        yield f"{key}.type", f"scene parsing needs label maps: Scenes or PaintedScenes, not {dataset.type}"
    if dataset.ignore_label < classes:
        yield f"{key}.ignore_label", f"{dataset.ignore_label} is one of the {classes} classes, 0 to {classes - 1}"
    if dataset.cache != "none":
        yield f"{key}.cache", "label maps are not cached: set it to none"
    for name in MIXING:
        if getattr(dataset.transforms, name) is not None:
            yield f"{key}.transforms.{name}", "mixes the values of masks: leave it out for label maps"


def _model_errors(model: ModelSection, classes: int) -> Iterator[tuple[str, str]]:
    own = is_own("model", model.name, MODELS)
    if own or (model.name in MODELS and "scene_classes" not in inspect.signature(MODELS[model.name]).parameters):
        takers = [name for name, build in MODELS.items() if "scene_classes" in inspect.signature(build).parameters]
        yield (
            "Model.classes",
            f"{model.name} parses no scenes: leave it out, or set Model.name to {' or '.join(takers)}",
        )
    if "classes" in model.arguments:
        yield "Model.arguments.classes", "is of a saliency head: leave it out beside Model.classes"
    if model.class_names and len(model.class_names) != classes:
        yield "Model.class_names", f"{len(model.class_names)} names for {classes} classes"


def _test_errors(model: ModelSection | None, test: TestSection, classes: int | None) -> Iterator[tuple[str, str]]:
    if model is None or classes is None:
        for name in ("crop", "palette", "overlay"):
            if getattr(test, name):
                yield f"Test.{name}", "is for scene parsing, which Model.classes asks for"
        return
    for name, needed in ONE_PASS:
        if getattr(test, name) != needed:
            yield f"Test.{name}", f"is for saliency: set it to {str(needed).lower()}"
    if model.threshold is not None:
        yield "Model.threshold", "is for saliency: set it to null"
    if test.palette is not None and len(test.palette) != classes:
        yield "Test.palette", f"{len(test.palette)} colors for {classes} classes"
    if test.crop is not None:
        try:
            rule_for(model.name, model.arguments).check(test.crop)
        except SizeError as error:
            yield "Test.crop", str(error)
