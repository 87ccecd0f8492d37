"""InSPyReNet: an image pyramid of saliency maps (Kim et al., ACCV 2022)."""

import contextlib
import functools

import torch
from torch import Tensor

from ..fast.lazy_upsample import LazyUpsample
from ..fast.purpose import for_inference, for_training
from ..fast.recompute import recompute, recomputing
from ..fast.switchable import Switchable
from ..fast.tiled_inference import active_tiles
from ..modules.conv import resize
from ..modules.paa import PAADecoder, PAAEncoder
from ..modules.pyramid import ImagePyramid
from ..modules.sica import SICA
from ..types import Encoder, SaliencyPyramid, SizeError, check_size

LARGE_TILE = 256  # where everything is computed: 8 % of it twice
LARGE_IMAGE = 512 * 512  # pixels from which on a few small convolutions cost less than large maps
SMALL_TILE = 64  # where a mask touches a few tiles only


class InSPyReNet(Switchable):
    """Image → saliency pyramid, the same in training and eval mode.

    backbone: gives five maps. depth: channels of the decoder. base_size: (height, width) that it trains at.
    attention: "as_trained" (published checkpoints) or "corrected" axis order in axial and context attention.
    fast: False takes the reference formulation everywhere, which the fast one must equal.
    finest_stage: 0 is the whole pyramid; 1, 2 or 3 end it at S1, S2 or S3, for training the coarse stages first. The parameters
        are all there, whatever it is, so that weights fit from one to the other.
    """

    channels_last = True

    def __init__(
        self,
        backbone: Encoder,
        depth: int = 64,
        base_size: tuple[int, int] = (384, 384),
        attention: str = "as_trained",
        fast: bool = True,
        finest_stage: int = 0,
    ):
        super().__init__()
        check_size(*base_size)
        if finest_stage not in (0, 1, 2, 3):
            raise ValueError(f"finest_stage is 0, 1, 2 or 3, not {finest_stage!r}")
        if attention not in ("as_trained", "corrected"):
            raise ValueError(f"attention is as_trained or corrected, not {attention!r}")
        self.base_size, self.depth = tuple(base_size), depth
        self.backbone = backbone
        for i, channels in enumerate(backbone.out_channels, start=1):
            self.add_module(f"context{i}", PAAEncoder(channels, depth, attention))
        self.decoder = PAADecoder(depth, attention)
        self.attention0 = SICA(depth, depth, 0, self.base_size, with_laplacian=True, layout=attention)
        self.attention1 = SICA(2 * depth, depth, 1, self.base_size, with_laplacian=True, layout=attention)
        self.attention2 = SICA(2 * depth, depth, 2, self.base_size, with_laplacian=False, layout=attention)
        self.pyramid = ImagePyramid()
        self.fast, self.finest_stage = fast, finest_stage

    def forward(self, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
        """(B, 3, H, W), ImageNet-normalised, sides multiples of 32 → logits S3, S2, S1, S0 and U2, U1, U0.

        coarse: (B, 1, H/8, W/8) logits that take the place of the network's own S3; NaN where its own is kept. The finer stages
        then add their detail to them, which is how a person's mask or a corrupted one in training comes in.
        """
        size = image.shape[-2:]
        if self.finest_stage:
            return self.forward_coarse(image, coarse)
        if self.uses_tiles(size):
            return self.forward_tiled(image, coarse)
        with recomputing() if self.fast and for_training() else contextlib.nullcontext():
            return self.forward_full(image, coarse)

    def forward_full(self, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
        """`forward` in one piece, for training and small images."""
        size = image.shape[-2:]
        x1, x2, f3, s3 = self.context(image, coarse)
        s2, u2, s1, u1, f1 = self.coarse_stages(size, x1, x2, f3, s3)
        _, u0 = self.attention0(enlarged(f1, size), s1.detach(), u1.detach())
        s0 = self.pyramid.reconstruct(s1.detach(), u0)
        return SaliencyPyramid((s3, s2, s1, s0), (u2, u1, u0))

    def forward_coarse(self, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
        """The stages down to `finest_stage`; what only finer ones use is not computed."""
        check_size(*image.shape[-2:])
        maps = self.backbone(image)
        f3, s3 = self.decoder(*(self.get_submodule(f"context{i}")(maps[i - 1]) for i in (3, 4, 5)))
        s3 = replaced(s3, coarse)
        if self.finest_stage == 3:
            return SaliencyPyramid((s3,))
        f2, s2, u2 = self.stage2(image.shape[-2:], self.context2(maps[1]), f3, s3)
        if self.finest_stage == 2:
            return SaliencyPyramid((s3, s2), (u2,))
        _, s1, u1 = self.stage1(image.shape[-2:], self.context1(maps[0]), f2, s2, u2)
        return SaliencyPyramid((s3, s2, s1), (u2, u1))

    def uses_tiles(self, size: tuple[int, int]) -> bool:
        """Whether an image of this size is computed in tiles: for large maps, and never while gradients are kept."""
        return self.fast and not self.training and for_inference() and size[0] * size[1] > LARGE_IMAGE

    def forward_tiled(self, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
        """`forward` in bounded memory; the same numbers up to rounding."""
        size = image.shape[-2:]
        s3, s2, u2, s1, u1, f1 = self.coarse_pyramid(image, coarse)
        u0 = self.finest_detail(size, f1, s1, u1)
        return SaliencyPyramid((s3, s2, s1, self.pyramid.reconstruct(s1, u0)), (u2, u1, u0))

    def coarse_pyramid(self, image: Tensor, coarse: Tensor | None = None):
        """All but the finest stage, in tiles: S3, S2, U2, S1, U1 and f1."""
        x1, x2, f3, s3 = self.context(image, coarse)
        return s3, *self.coarse_stages_tiled(image.shape[-2:], x1, x2, f3, s3)

    def context(self, image: Tensor, coarse: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encoder, contexts and first decoder: x1, x2, f3 and the logits S3, or `coarse` in their place."""
        check_size(*image.shape[-2:])
        maps = self.backbone(image)
        x1, x2, x3, x4, x5 = (self.get_submodule(f"context{i}")(x) for i, x in enumerate(maps, start=1))
        f3, s3 = self.decoder(x3, x4, x5)
        return x1, x2, f3, replaced(s3, coarse)

    def coarse_stages_tiled(self, size: tuple[int, int], x1: Tensor, x2: Tensor, f3: Tensor, s3: Tensor):
        """`coarse_stages` without maps that are larger than their tiles need; for inference."""
        quarter, half = [(size[0] // k, size[1] // k) for k in (4, 2)]
        f2, u2 = self._refine_tiled(self.attention2, LazyUpsample([x2, f3], quarter), s3, None)
        s2 = self.pyramid.reconstruct(s3, u2)
        f1, u1 = self._refine_tiled(self.attention1, LazyUpsample([x1, f2], half), s2, u2)
        s1 = self.pyramid.reconstruct(s2, u1)
        return s2, u2, s1, u1, f1

    @staticmethod
    def _refine_tiled(sica: SICA, x: LazyUpsample, smap: Tensor, lmap: Tensor | None) -> tuple[Tensor, Tensor]:
        key, value = sica.keys_values_of(x, smap, lmap)
        return sica.refine_tiles(x, key, value, LARGE_TILE)

    def finest_detail(
        self, size: tuple[int, int], f1: Tensor, s1: Tensor, u1: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """U0, and with a mask (B, 1, *size) only in the tiles that it touches, 0 elsewhere; for inference."""
        x = LazyUpsample([f1], size)
        key, value = self.attention0.keys_values_of(x, s1, u1)
        if mask is None:
            return self.attention0.refine_tiles(x, key, value, LARGE_TILE, keep_feature=False)[1]
        active = active_tiles(mask, SMALL_TILE)
        return self.attention0.refine_tiles(x, key, value, SMALL_TILE, active, keep_feature=False)[1]

    def coarse_stages(self, size: tuple[int, int], x1: Tensor, x2: Tensor, f3: Tensor, s3: Tensor):
        """Stages 2 and 1 of an image of `size`: S2, U2, S1, U1 and the feature f1 that stage 0 refines.

        Gradients do not pass from one stage's map to the next (paper §3.3): every stage learns from its own loss.
        """
        f2, s2, u2 = self.stage2(size, x2, f3, s3)
        f1, s1, u1 = self.stage1(size, x1, f2, s2, u2)
        return s2, u2, s1, u1, f1

    def stage2(self, size: tuple[int, int], x2: Tensor, f3: Tensor, s3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Feature f2, S2 and U2, at a quarter of `size`."""
        f2, u2 = self.attention2(self.join(x2, f3, (size[0] // 4, size[1] // 4)), s3.detach())
        return f2, self.pyramid.reconstruct(s3.detach(), u2), u2

    def stage1(self, size: tuple[int, int], x1: Tensor, f2: Tensor, s2: Tensor, u2: Tensor):
        """Feature f1, S1 and U1, at half of `size`."""
        f1, u1 = self.attention1(self.join(x1, f2, (size[0] // 2, size[1] // 2)), s2.detach(), u2.detach())
        return f1, self.pyramid.reconstruct(s2.detach(), u1), u1

    @staticmethod
    def join(encoded: Tensor, decoded: Tensor, size: tuple[int, int]) -> Tensor:
        """Two maps on one size, (B, 2·depth, *size)."""
        enlarge = functools.partial(_join, size=size)
        return recompute(enlarge(encoded, decoded), enlarge, encoded, decoded)


def replaced(s3: Tensor, coarse: Tensor | None) -> Tensor:
    """S3 (B, 1, h, w) with `coarse`, logits of that size, in place of its own where they are not NaN. Raises SizeError."""
    if coarse is None:
        return s3
    if coarse.shape != s3.shape:
        raise SizeError(f"the coarse map has shape {tuple(coarse.shape)}; this image's S3 has {tuple(s3.shape)}")
    return torch.where(coarse.isnan(), s3, coarse.to(s3.dtype))


def _join(encoded: Tensor, decoded: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.cat([resize(encoded, size), resize(decoded, size)], dim=1)


def enlarged(x: Tensor, size: tuple[int, int]) -> Tensor:
    """x resized to `size`, and made again where the backward pass needs it."""
    enlarge = functools.partial(resize, size=size)
    return x if x.shape[-2:] == size else recompute(enlarge(x), enlarge, x)
