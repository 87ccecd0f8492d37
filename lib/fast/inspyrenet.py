"""Fast formulations of `models.inspyrenet.InSPyReNet`: the same numbers up to rounding.

Training keeps recomputations in place of maps. Inference on a large image goes tile by tile, and never holds a map that is
larger than its tiles need; blending asks for the finest stage only where its result counts.
"""

import contextlib
from collections.abc import Callable, Sequence

from torch import Tensor

from ..types import PyramidNetwork, SaliencyPyramid, Size
from .lazy_upsample import LazyUpsample
from .purpose import for_inference, for_training
from .recompute import recompute, recomputing
from .sica import refine_tiles
from .tiled_inference import active_tiles

LARGE_TILE = 256  # where everything is computed: 8 % of it twice
LARGE_IMAGE = 512 * 512  # pixels from which on a few small convolutions cost less than large maps
SMALL_TILE = 64  # where a mask touches a few tiles only


def forward(plain: Callable, model: PyramidNetwork, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
    """`InSPyReNet.forward` for training, in tiles, or as it is; coarse stages alone are small as they are."""
    if model.finest_stage == 0 and model.uses_tiles(image.shape[-2:]):
        return forward_tiled(model, image, coarse)
    save_memory = model.finest_stage == 0 and for_training()
    with recomputing() if save_memory else contextlib.nullcontext():
        return plain(image, coarse)


def joined(plain: Callable, model: PyramidNetwork, maps: Sequence[Tensor], size: Size) -> Tensor:
    """`InSPyReNet.joined`, which is made again where the backward pass needs it."""
    y = plain(maps, size)
    return y if y is maps[0] else recompute(y, lambda *maps: plain(maps, size), *maps)


# -- large images -------------------------------------------------------------------------------------------------


def uses_tiles(model: PyramidNetwork, size: Size) -> bool:
    """Whether `model` computes an image of this size in tiles: a large one, and never where gradients are kept."""
    return model.fast and not model.training and for_inference() and size[0] * size[1] > LARGE_IMAGE


def forward_tiled(model: PyramidNetwork, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
    """`InSPyReNet.forward` in bounded memory, for inference."""
    s3, s2, u2, s1, u1, f1 = coarse_pyramid(model, image, coarse)
    u0 = finest_detail(model, image.shape[-2:], f1, s1, u1)
    return SaliencyPyramid((s3, s2, s1, model.pyramid.reconstruct(s1, u0)), (u2, u1, u0))


def coarse_pyramid(
    model: PyramidNetwork, image: Tensor, coarse: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """All but the finest stage, in tiles: S3, S2, U2, S1, U1 and f1."""
    quarter, half = [(image.shape[-2] // k, image.shape[-1] // k) for k in (4, 2)]
    contexts, f3, s3 = model.decode(image, coarse)
    f2, u2 = refine_tiles(model.attention2, LazyUpsample([contexts[2], f3], quarter), s3, None, LARGE_TILE)
    s2 = model.pyramid.reconstruct(s3, u2)
    f1, u1 = refine_tiles(model.attention1, LazyUpsample([contexts[1], f2], half), s2, u2, LARGE_TILE)
    return s3, s2, u2, model.pyramid.reconstruct(s2, u1), u1, f1


def finest_detail(
    model: PyramidNetwork, size: Size, f1: Tensor, s1: Tensor, u1: Tensor, mask: Tensor | None = None
) -> Tensor:
    """U0, and with a mask (B, 1, *size) only in the tiles that it touches, 0 elsewhere."""
    tile, active = (LARGE_TILE, None) if mask is None else (SMALL_TILE, active_tiles(mask, SMALL_TILE))
    return refine_tiles(model.attention0, LazyUpsample([f1], size), s1, u1, tile, active, keep_feature=False)[1]
