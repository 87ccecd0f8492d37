"""A mask of the first picture of a video, by which the object is chosen that is followed."""

from pathlib import Path

from ..interactive.prompt import Prompt, PromptError
from .opening import open_file
from .source import Picture


def check_mask(prompt: Prompt, shape: tuple[int, int], name: str) -> None:
    """Raises PromptError unless the prompt is a mask alone that marks something, as large as pictures of (height, width)."""
    if prompt.probability is None or prompt.boxes or prompt.strokes:
        raise PromptError(f"{name}: a video takes a mask of its first picture; boxes and points belong to one image")
    height, width = prompt.probability.shape
    if (height, width) != shape:
        raise PromptError(
            f"the mask has {width}×{height} pixels, but the pictures of {name} have {shape[1]}×{shape[0]}: "
            "make it from the first picture"
        )
    prompt.check(shape)


def check_mask_of_file(prompt: Prompt, video: Path) -> None:
    """`check_mask` for a file's first picture. Raises VideoError, too; a file without pictures is left to who reads it."""
    source = open_file(video)
    try:
        first = next((item for item in source if isinstance(item, Picture)), None)
    finally:
        source.close()
    if first is not None:
        check_mask(prompt, (first.array.shape[0], first.array.shape[1]), video.name)
