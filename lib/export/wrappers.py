"""Networks as graphs: normalized images in, saliency probabilities out, for any size and any batch.

A graph holds a network in one formulation, together with what `predict` does around it; see `exportable` for the parts.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..inference.pyramid_blending import blend
from ..sizes import SizeRule, size_rule
from ..types import PyramidNetwork
from .exportable import exportable

LARGEST = 1 << 14  # pixels of a side that a graph of any size is recorded for
MOST = 1 << 10  # images of a batch
SAMPLE = (
    5,
    7,
)  # how many times the multiple a recorded sample measures: no side of it is one of the network's own sizes


class SinglePass(nn.Module):
    """image (B, 3, H, W) → saliency (B, 1, H, W) in 0..1."""

    outputs = ("saliency",)

    def __init__(self, model: nn.Module, rule: SizeRule):
        super().__init__()
        self.model, self.rule = model, rule

    def forward(self, image: Tensor) -> Tensor:
        return self.model(in_steps(image, self.rule)).logits.sigmoid()


class PyramidBlending(nn.Module):
    """Pyramid blending: image (B, 3, H, W) and its base-size copy `resized` (B, 3, h, w) → saliency (B, 1, H, W) of the blended
    pyramid, and low (B, 1, h, w), that of the copy alone, which is the answer for images that are not above the threshold.
    """

    outputs = ("saliency", "low")

    def __init__(self, model: nn.Module, rule: SizeRule, alignment: str = "as_trained"):
        super().__init__()
        self.model, self.rule, self.alignment = cast(PyramidNetwork, model), rule, alignment

    def forward(self, image: Tensor, resized: Tensor) -> tuple[Tensor, Tensor]:
        low = self.model(in_steps(resized, self.rule))
        out = blend(self.model, low, in_steps(image, self.rule), self.alignment)
        return out.logits.sigmoid(), low.logits.sigmoid()


def in_steps(image: Tensor, rule: SizeRule) -> Tensor:
    """The image unchanged; while recording with sizes as symbols, with sides of multiple·n + offset, n being a symbol of its own.

    Every size in the network is then n times a number. Expressed in the image's sides, it would be a nest of roundings.
    """
    if rule.multiple == 1 or all(isinstance(side, int) for side in image.shape[2:]):
        return image
    sides = []
    for side in image.shape[2:]:
        steps = (torch.scalar_tensor(side, dtype=torch.int64, device=image.device) // rule.multiple).item()
        torch._check(steps >= rule.least // rule.multiple)
        torch._check(steps <= LARGEST // rule.multiple)
        sides.append(steps * rule.multiple + rule.offset)
    return image.reshape(*image.shape[:2], *sides)


def record(
    model: nn.Module,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    blended: bool = False,
    alignment: str = "as_trained",
    deform: str = "grid",
) -> ExportedProgram:
    """The network as a graph with the inputs `image` and, if blended, `resized`; outputs as SinglePass and PyramidBlending say.

    sizes: (height, width) of each input, for batches of one image; None: any admitted size, any batch.
    deform: see `exportable`. The graph computes in float32, on the CPU's copy of the weights.
    Raises SizeError for sizes that the network does not take, GraphError where this network cannot be recorded.
    """
    if getattr(model, "finest_stage", 0):
        raise GraphError(
            f"its finest stage is {model.finest_stage}: only a network with all stages gives maps of the image's size"
        )
    rule = size_rule(model)
    copy = exportable(model.float().cpu(), deform)
    wrapper = PyramidBlending(copy, rule, alignment) if blended else SinglePass(copy, rule)
    names = ("image", "resized") if blended else ("image",)
    shapes = None
    if sizes is None:
        # two images: a batch of one would be taken for a constant
        sample = {name: _sample(rule, extra) for extra, name in enumerate(names)}
        batch = Dim("batch", max=MOST)
        shapes = {name: _any_size(name, rule, batch) for name in names}
    else:
        sample = {name: sizes[name] for name in names}
        for size in sample.values():
            rule.check(size)
    images = tuple(torch.zeros(1 if shapes is None else 2, 3, *sample[name]) for name in names)
    with torch.no_grad():
        try:
            return torch.export.export(wrapper, images, dynamic_shapes=shapes)
        except (RuntimeError, AssertionError, TypeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            advice = "; one fixed size may work" if shapes else ""
            raise GraphError(
                f"{type(model).__name__} could not be recorded as a graph ({reason[:300]}){advice}"
            ) from error


class GraphError(RuntimeError):
    """A network that cannot be made into a graph; the message says why."""


def _sample(rule: SizeRule, extra: int) -> tuple[int, int]:
    """A size for recording; that of each input differs."""
    step = max(rule.multiple, 32)
    height, width = ((n + 4 * extra) * step + rule.offset for n in SAMPLE)
    return rule.nearest((height, width))


def _any_size(name: str, rule: SizeRule, batch: Dim) -> dict[int, Dim]:
    prefix = "" if name == "image" else f"{name}_"
    sides = [Dim(f"{prefix}{side}", min=rule.least, max=LARGEST) for side in ("height", "width")]
    return {0: batch, 2: sides[0], 3: sides[1]}
