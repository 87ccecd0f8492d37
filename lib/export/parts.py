"""InSPyReNet as three graphs, so that what lies between them can be changed: by a person's strokes, or by another size's map.

    encoder   image (B, 3, H, W) → x1, x2, f3 and S3 (B, 1, H/8, W/8)
    decoder   x1, x2, f3 and S3 → S2, S1, S0 and U2, U1, U0
    blending  S0 of the base-size copy, and S3, U2, U1, U0 of the image → S3, S2, S1, S0 of the blended pyramid, and its U2, U1, U0

S are logits. The third is there for networks that blend, and has no weights.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..inference.pyramid_blending import ALIGNMENTS, add_details
from ..models.inspyrenet import InSPyReNet
from ..sizes import SizeRule, size_rule
from ..types import Pyramid
from .exportable import exportable
from .wrappers import LARGEST, MOST, GraphError, in_steps

FEATURES = ("x1", "x2", "f3")
COARSE, FINER = "S3", ("S2", "S1", "S0")
DETAILS = ("U2", "U1", "U0")
SAMPLE = {"encoder": (160, 224), "blending": (192, 256)}  # (height, width) of images that recordings are made with


class Encoder(nn.Module):
    """image (B, 3, H, W) → x1, x2, f3, S3."""

    inputs, outputs = ("image",), (*FEATURES, COARSE)

    def __init__(self, model: InSPyReNet, rule: SizeRule):
        super().__init__()
        self.model, self.rule = model, rule

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        contexts, f3, s3 = self.model.decode(in_steps(image, self.rule))
        return contexts[1], contexts[2], f3, s3


class Decoder(nn.Module):
    """x1, x2, f3, S3 → S2, S1, S0, U2, U1, U0."""

    inputs, outputs = (*FEATURES, COARSE), (*FINER, *DETAILS)

    def __init__(self, model: InSPyReNet):
        super().__init__()
        self.model = model

    def forward(self, x1: Tensor, x2: Tensor, f3: Tensor, s3: Tensor) -> tuple[Tensor, ...]:
        saliency, laplacian = self.model.reconstruct({1: x1, 2: x2}, f3, s3)
        return (*saliency[1:], *laplacian)


class Blending(nn.Module):
    """low (B, 1, h, w), the S0 of the base-size copy, and S3 and U2, U1, U0 of the image → the blended pyramid.

    Of the image's own S3 only the size is used.
    """

    inputs, outputs = ("low", COARSE, *DETAILS), tuple(f"blended_{name}" for name in (COARSE, *FINER, *DETAILS))

    def __init__(self, pyramid: Pyramid, alignment: str):
        super().__init__()
        self.pyramid, self.alignment = pyramid, alignment

    def forward(self, low: Tensor, s3: Tensor, u2: Tensor, u1: Tensor, u0: Tensor) -> tuple[Tensor, ...]:
        s3 = ALIGNMENTS[self.alignment](low, s3.shape[-2:])
        saliency, laplacian = add_details(self.pyramid, s3, (u2, u1, u0))
        return (*saliency, *laplacian)


def record_parts(model: nn.Module, blended: bool, alignment: str = "as_trained") -> dict[str, ExportedProgram]:
    """A network of the InSPyReNet family as recorded graphs for any admitted size and any batch: "encoder", "decoder" and, if
    `blended`, "blending". Their inputs and outputs have the names of the classes above.

    Raises GraphError for another network, and for one that cannot be recorded.
    """
    if not isinstance(model, InSPyReNet) or model.finest_stage:
        raise GraphError(f"{type(model).__name__} has no parts to export: only an InSPyReNet with all stages does")
    copied = cast(InSPyReNet, exportable(model.float().cpu(), fold=False))
    encoder, decoder = Encoder(copied, size_rule(model)), Decoder(copied)
    batch = Dim("batch", max=MOST)
    with torch.no_grad():
        image = torch.zeros(2, 3, *SAMPLE["encoder"])  # two images: a batch of one would be taken for a constant
        features = encoder(image)
        sides = _sides("", 32)
        programs = {"encoder": _recorded(encoder, (image,), ({0: batch, **sides},))}
        # the features' sizes are the encoder's own business: the decoder resizes them
        coarse = _sides("S3_", 4)
        free = [_sides(f"{name}_", 4) for name in FEATURES[:2]]
        shapes = [{0: batch, **axes} for axes in (*free, coarse, coarse)]
        programs["decoder"] = _recorded(decoder, features, tuple(shapes))
        if blended:
            programs["blending"] = _record_blending(copied, batch, alignment)
    return programs


def _record_blending(model: InSPyReNet, batch: Dim, alignment: str) -> ExportedProgram:
    height, width = SAMPLE["blending"]
    maps = [torch.zeros(2, 1, height // step, width // step) for step in (8, 4, 2, 1)]
    low = torch.zeros(2, 1, *SAMPLE["encoder"])
    rows, columns = (Dim(f"S3_{side}", min=4, max=LARGEST // 8) for side in ("height", "width"))
    sides = [{0: batch, 2: scale * rows, 3: scale * columns} for scale in (2, 4, 8)]
    shapes = ({0: batch, **_sides("low_", 32)}, {0: batch, 2: rows, 3: columns}, *sides)
    return _recorded(Blending(model.pyramid, alignment), (low, *maps), shapes)


def _sides(prefix: str, least: int) -> dict[int, Dim]:
    return {axis: Dim(f"{prefix}{side}", min=least, max=LARGEST) for axis, side in ((2, "height"), (3, "width"))}


def _recorded(part: nn.Module, inputs: Sequence[Tensor], shapes: tuple[dict, ...]) -> ExportedProgram:
    record: Callable[..., ExportedProgram] = torch.export.export
    try:
        return record(part, tuple(inputs), dynamic_shapes=shapes)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GraphError(
            f"the {type(part).__name__.lower()} could not be recorded as a graph: {reason[:300]}"
        ) from error
