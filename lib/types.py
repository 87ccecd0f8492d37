"""What networks promise each other.

Legend for shape comments in lib/: B batch, C channels, H W height and width of the input image, h w of a map, d decoder depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:  # sizes and their errors are asked for where torch is not installed, too
    from torch import Tensor, nn

Size = tuple[int, ...]  # (height, width): no more is known of a tensor's shape until it is there


class SaliencyPyramid(NamedTuple):
    """Logits of one forward pass, coarse to fine.

    saliency: S3 (B, 1, H/8, W/8), S2 (H/4), S1 (H/2), S0 (H).
    laplacian: U2 (H/4), U1 (H/2), U0 (H); what each stage adds to the expanded map before it.
    """

    saliency: tuple[Tensor, ...]
    laplacian: tuple[Tensor, ...] = ()

    @property
    def logits(self) -> Tensor:
        """The finest saliency map (B, 1, H, W), before the sigmoid."""
        return self.saliency[-1]


@runtime_checkable
class Encoder(Protocol):
    """A backbone: image (B, 3, H, W) → five maps, fine to coarse.

    out_channels[i] and strides[i] describe map i; strides are 2 or 4, 4, 8, 16, 32. stages()[i] holds the modules that make
    map i out of the one before, so that the first ones can be frozen.
    """

    @property
    def out_channels(self) -> Sequence[int]: ...

    @property
    def strides(self) -> Sequence[int]: ...

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]: ...

    def stages(self) -> list[list[nn.Module]]: ...


class Pyramid(Protocol):
    """What puts a pyramid together again."""

    def reconstruct(self, saliency: Tensor, laplacian: Tensor) -> Tensor: ...


class ContextAttention(Protocol):
    """What one stage asks for context: `modules.sica.SICA`, which describes the methods."""

    depth: int
    context_size: tuple[int, int]

    def context_maps(self, size: Size, smap: Tensor, lmap: Tensor | None) -> Tensor: ...

    def project(self, x: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]: ...

    def refine(self, x: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]: ...


class PyramidNetwork(Protocol):
    """A network whose pyramid is blended or merged from patches: `models.inspyrenet.InSPyReNet`, which describes the methods."""

    base_size: tuple[int, int]
    finest_stage: int
    training: bool

    @property
    def fast(self) -> bool: ...

    @property
    def attention0(self) -> ContextAttention: ...

    @property
    def attention1(self) -> ContextAttention: ...

    @property
    def attention2(self) -> ContextAttention: ...

    @property
    def pyramid(self) -> Pyramid: ...

    def __call__(self, image: Tensor) -> SaliencyPyramid: ...

    def decode(self, image: Tensor, coarse: Tensor | None = None) -> tuple[dict[int, Tensor], Tensor, Tensor]: ...

    def uses_tiles(self, size: Size) -> bool: ...


class SizeError(ValueError):
    """An image size that the network cannot take; the message says which size it can."""
