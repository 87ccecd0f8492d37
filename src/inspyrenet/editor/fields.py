"""Prompts as programs send them: as fields of a form, or as JSON."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from ..interactive.prompt import BASES, Base, Prompt, PromptError, Stroke

FIELDS = {  # of a form, beside its files
    "boxes": "the object lies in one of these: x,y,width,height; several with a space between",
    "keep": "object: x,y for a point, x,y,x,y,… for a stroke; several with a space between",
    "remove": "no object, spelled likewise; these count where they cross what is kept",
    "base": f"what the prompt starts from: {', '.join(BASES)}; auto: the mask where there is one, else the network's map",
}
MOST = 2_000  # boxes and points of strokes that one request may have
MASK_SIDE = 1024  # pixels of a mask in JSON; a coarse map has far fewer


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class StrokeWords(_Words):
    """A line that a pen went along; one point is a click."""

    points: list[tuple[float, float]] = Field(description="x, y in pixels of the upright image")
    keep: bool = Field(True, description="false: there is no object")
    width: float | None = Field(None, description="of the pen in pixels; null: a fortieth of the longer side")


class MaskWords(_Words):
    """A coarse mask, stretched over the image."""

    width: int = Field(ge=1, le=MASK_SIDE)
    height: int = Field(ge=1, le=MASK_SIDE)
    gray: Base64Bytes = Field(description="its width × height bytes in base64, row by row; 255 is the object")


class PromptWords(_Words):
    """What a person says about an image; without anything: the network's own map."""

    boxes: list[tuple[float, float, float, float]] = Field([], description="x, y, width, height")
    strokes: list[StrokeWords] = Field([], description="in the order drawn; later ones count")
    mask: MaskWords | None = None
    base: Base = "auto"


def inlined(schema: Any, parts: Mapping[str, Any]) -> Any:
    """A schema of pydantic's without references, since it becomes a part of another document."""
    if isinstance(schema, list):
        return [inlined(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: inlined(value, parts) for name, value in schema.items() if name != "$defs"}


JSON_SCHEMA = inlined(PromptWords.model_json_schema(), PromptWords.model_json_schema()["$defs"])


def prompt_of_form(fields: Mapping[str, str], mask: np.ndarray | None) -> Prompt | None:
    """From the fields of a form and its mask uint8 (H, W); None where nothing is said. Raises PromptError."""
    boxes: list[Any] = [
        tuple(_numbers("boxes", word, "x,y,width,height", 4)) for word in fields.get("boxes", "").split()
    ]
    strokes = [
        Stroke(_points(name, word), name == "keep")
        for name in ("keep", "remove")
        for word in fields.get(name, "").split()
    ]
    prompt = _checked(Prompt(mask, tuple(boxes), tuple(strokes), cast(Base, fields.get("base", "auto"))))
    return None if prompt.is_empty else prompt


def prompt_of_json(text: bytes) -> Prompt:
    """From JSON as `PromptWords` has it. Raises PromptError."""
    try:
        words = PromptWords.model_validate_json(text)
    except ValidationError as error:
        raise PromptError("; ".join(map(_problem, error.errors()[:5]))) from None
    strokes = tuple(Stroke(tuple(stroke.points), stroke.keep, stroke.width) for stroke in words.strokes)
    mask = None if words.mask is None else _gray(words.mask)
    return _checked(Prompt(mask, tuple(words.boxes), strokes, words.base))


def _checked(prompt: Prompt) -> Prompt:
    count = len(prompt.boxes) + sum(len(stroke.points) for stroke in prompt.strokes)
    if count > MOST:
        raise PromptError(f"{count:,} boxes and points are too many for one request: {MOST:,} at most")
    return prompt


def _gray(mask: MaskWords) -> np.ndarray:
    if len(mask.gray) != mask.width * mask.height:
        size = f"{mask.width}×{mask.height}"
        raise PromptError(f"a mask of {size} has {mask.width * mask.height:,} bytes, not {len(mask.gray):,}")
    return np.frombuffer(mask.gray, np.uint8).reshape(mask.height, mask.width)


def _points(name: str, word: str) -> tuple[tuple[float, float], ...]:
    numbers = _numbers(name, word, "x,y or x,y,x,y,…")
    if len(numbers) % 2:
        raise PromptError(f"{name} takes pairs x,y, not {len(numbers)} numbers: {word[:80]!r}")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _numbers(name: str, word: str, wanted: str, count: int | None = None) -> list[float]:
    try:
        numbers = [float(part) for part in word.split(",")]
    except ValueError:
        raise PromptError(f"{name} takes {wanted} with spaces between several, not {word[:80]!r}") from None
    if count is not None and len(numbers) != count:
        raise PromptError(f"{name} takes {wanted}, not {len(numbers)} numbers: {word[:80]!r}")
    return numbers


def _problem(problem: Any) -> str:
    place: Iterable[Any] = problem["loc"]
    return ": ".join(part for part in (".".join(map(str, place)), problem["msg"].lower()) if part)
