"""What a config says of a transform by default is what the transform does by default.

Both need defaults: configs are printed in full, and transforms are used without a config. Neither may import the other.
"""

from dataclasses import MISSING, fields
from typing import get_args

import pytest

from inspyrenet.data.augment.coarse_map import CoarseMap
from inspyrenet.data.augment.copy_paste import CopyPaste
from inspyrenet.data.augment.random_size import RandomSize
from inspyrenet.data.augment.transforms import TRANSFORMS
from inspyrenet.utils.config.schema import Section, Transforms

CLASSES = {**TRANSFORMS, "random_size": RandomSize, "copy_paste": CopyPaste, "coarse_map": CoarseMap}
GIVEN = ("seed",)  # by the run, not by the section


def section(name: str) -> type[Section] | None:
    """The section of a transform; None where the key says nothing."""
    kind = Transforms.model_fields[name].annotation
    return next(
        (part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, Section)), None
    )


def test_every_transform_has_a_section():
    sections = {name for name in Transforms.model_fields if section(name)}
    assert sections - {"plugins"} == CLASSES.keys()  # whose parameters are those of other people's code


@pytest.mark.parametrize("name", CLASSES)
def test_defaults_are_the_same(name):
    written = section(name).model_fields.items()
    assert {key: MISSING if field.is_required() else field.default for key, field in written} == {
        field.name: field.default for field in fields(CLASSES[name]) if field.name not in GIVEN
    }
