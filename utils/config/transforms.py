"""How images and masks are sized, augmented and normalized, as a config says it; and what all sections of a config share."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"must be [low, high], not {list(ends)}")
    return ends


def _apart(ends: tuple[int, int]) -> tuple[int, int]:
    if ends[0] >= ends[1]:
        raise ValueError(f"must be [low, high] with low < high, not {list(ends)}")
    return ends


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"must be odd, not {size}")
    return size


def _below_root(text: str) -> str:
    path = Path(os.path.normpath(text.strip()))
    if path.is_absolute() or path.parts[:1] in ((), ("..",)):
        raise ValueError(f"must be the name of a folder below the root of the data sets, not {text!r}")
    return text


Backend = Literal["pillow", "opencv"]  # antialiased; or plain bilinear, as BiRefNet was trained and measured
Side = Annotated[int, Field(ge=32, le=65_536)]
Size = tuple[Side, Side]  # (height, width)
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
SetName = Annotated[str, AfterValidator(_below_root)]
Sides = Annotated[tuple[Side, Side], AfterValidator(_ordered)]


class Section(BaseModel):
    """Base of all sections: an unknown key is an error, a finished config does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """`limit: yes` is no limit of 1, which Python and YAML would make of it."""
        kinds = _scalars(cls.model_fields[info.field_name].annotation) if info.field_name else set()
        if kinds & {int, float} and bool not in kinds and _has_boolean(value):
            raise ValueError(f"must be a number, not {value}")
        return value


def _scalars(annotation: Any) -> set[Any]:
    """The classes that an annotation is made of."""
    parts = get_args(annotation)
    return set().union(*map(_scalars, parts)) if parts and get_origin(annotation) is not Literal else {annotation}


def _has_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, (list, tuple)) and any(map(_has_boolean, value)))


class StaticResize(Section):
    size: Size
    backend: Backend = "pillow"


class DynamicResize(Section):
    size: Count = 1280  # bound of the shorter side
    backend: Backend = "pillow"


class RandomSize(Section):
    """One size for each batch, drawn anew, in multiples of 32; the other transforms see whole images."""

    height: Sides = (256, 2304)
    width: Sides = (256, 2304)


class RandomCrop(Section):
    """A window in an image that is scaled first; padding does not count in the losses."""

    size: Size
    scale: Annotated[tuple[Positive, Positive], AfterValidator(_ordered)] = (0.5, 2.0)


class BackgroundColor(Section):
    p: Probability = 1.0


class RandomScaleCrop(Section):
    range: Annotated[tuple[Positive, Positive], AfterValidator(_ordered)] = (0.75, 1.25)
    p: Probability = 0.5


class RandomFlip(Section):
    lr: bool = True
    ud: bool = False
    p: Probability = 0.5


class RandomRotate(Section):
    range: Range = (-10, 10)  # degrees, upper end exclusive
    p: Probability = 0.5


class RandomImageEnhance(Section):
    methods: tuple[Literal["contrast", "sharpness", "brightness"], ...] = ("contrast", "sharpness", "brightness")
    range: Range = (0.0, 0.1)  # factor is 1 + U(range); the published recipe only ever raises
    p: Probability = 0.5


class RandomTurn(Section):
    range: Annotated[tuple[int, int], AfterValidator(_apart)] = (-15, 15)  # whole degrees, upper end exclusive; bicubic
    p: Probability = 0.2


class RandomColor(Section):
    """Always: brightness, contrast, saturation and sharpness by BiRefNet's factors."""


class SaltAndPepper(Section):
    share: Probability = 0.0015  # of the pixels


class RandomBlur(Section):
    p: Probability = 0.5
    size: Annotated[Count, AfterValidator(_odd)] = 5  # pixels


class CopyPaste(Section):
    """The object of another pair over this image, at the end of all others; needs static_resize."""

    p: Probability = 0.5


class CoarseMap(Section):
    """A damaged copy of the mask from which InSPyReNet starts in place of its own first map; needs static_resize."""

    p: Probability = 0.25
    shift: Probability = 0.04  # of the sides
    blur: NonNegative = 1.5  # standard deviation in cells of the map, of 8 pixels each
    spots: Annotated[int, Field(ge=0)] = 2  # holes in the object, and blobs beside it
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.98  # the map stays between 1 - confidence and confidence


class Normalize(Section):
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)


class PluginSection(Section):
    """An augmentation from outside this package."""

    name: str  # package.module:Name, or that of an installed entry point
    arguments: dict[str, Any] = Field(default_factory=dict)


SIZED = ("static_resize", "dynamic_resize", "random_size", "random_crop")  # where the size of a batch comes from


class Transforms(Section):
    """Applied in the order in which the published recipes have them: the order of the fields.

    InSPyReNet: scale_crop, flip, rotate, enhance. BiRefNet: flip, turn, color, salt_and_pepper; or background_color, flip.
    PSPNet: scale_crop, flip, rotate, blur; or crop in place of a resize. copy_paste and coarse_map are ours.
    """

    static_resize: StaticResize | None = None
    dynamic_resize: DynamicResize | None = None
    random_size: RandomSize | None = None
    background_color: BackgroundColor | None = None
    random_scale_crop: RandomScaleCrop | None = None
    random_flip: RandomFlip | None = None
    random_rotate: RandomRotate | None = None
    random_turn: RandomTurn | None = None
    random_image_enhance: RandomImageEnhance | None = None
    random_color: RandomColor | None = None
    salt_and_pepper: SaltAndPepper | None = None
    random_blur: RandomBlur | None = None
    random_crop: RandomCrop | None = None
    copy_paste: CopyPaste | None = None
    coarse_map: CoarseMap | None = None
    plugins: tuple[PluginSection, ...] = ()  # after all steps of one pair, before random_crop
    tonumpy: None = None  # accepted from older files; conversion always happens
    normalize: Normalize = Normalize()
    totensor: None = None

    @model_validator(mode="after")
    def _one_resize(self):
        if sum(getattr(self, name) is not None for name in SIZED) != 1:
            raise ValueError(f"give exactly one of {', '.join(SIZED)}")
        if self.copy_paste is not None and self.static_resize is None:
            raise ValueError("copy_paste needs static_resize, so that both images have one size")
        if self.coarse_map is not None and self.static_resize is None:
            raise ValueError("coarse_map needs static_resize, so that all maps of a batch have one size")
        return self
