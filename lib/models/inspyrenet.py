"""InSPyReNet: an image pyramid of saliency maps (Kim et al., ACCV 2022).

As in the paper, j is a scale of the pyramid: S_j is the saliency map at 1 / 2^j of the image's size and U_j its Laplacian, the
detail that S_{j+1} lacks. Stage 3 finds S3; stages 2, 1 and 0 each find the detail and reconstruct the next finer map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..fast import inspyrenet as fast_inspyrenet
from ..fast.switchable import Switchable, accelerated_by
from ..modules.conv import resize
from ..modules.paa import PAADecoder, PAAEncoder
from ..modules.pyramid import ImagePyramid
from ..modules.sica import SICA
from ..sizes import rule_for
from ..types import Encoder, SaliencyPyramid, Size, SizeError


class InSPyReNet(Switchable):
    """Image → saliency pyramid, the same in training and eval mode.

    backbone: gives five maps. depth: channels of the decoder. base_size: (height, width) that it trains at.
    attention: "as_trained" (published checkpoints) or "corrected" axis order in axial and context attention.
    fast: False takes the reference formulation everywhere, which the fast one must equal.
    finest_stage: 0 is the whole pyramid; 1, 2 or 3 end it at S1, S2 or S3, for training the coarse stages first. The parameters
        are all there, whatever it is, so that weights fit from one to the other.
    """

    channels_last = True
    size_rule = rule_for("InSPyReNet")

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
        self.size_rule.check(base_size)
        if finest_stage not in (0, 1, 2, 3):
            raise ValueError(f"finest_stage is 0, 1, 2 or 3, not {finest_stage!r}")
        if attention not in ("as_trained", "corrected"):
            raise ValueError(f"attention is as_trained or corrected, not {attention!r}")
        self.base_size, self.depth = (base_size[0], base_size[1]), depth
        self.backbone = backbone
        for i, channels in enumerate(backbone.out_channels, start=1):
            self.add_module(f"context{i}", PAAEncoder(channels, depth, attention))
        self.decoder = PAADecoder(depth, attention)
        self.attention0 = SICA(depth, depth, 0, self.base_size, with_laplacian=True, layout=attention)
        self.attention1 = SICA(2 * depth, depth, 1, self.base_size, with_laplacian=True, layout=attention)
        self.attention2 = SICA(2 * depth, depth, 2, self.base_size, with_laplacian=False, layout=attention)
        self.pyramid = ImagePyramid()
        self.fast, self.finest_stage = fast, finest_stage

    @accelerated_by(fast_inspyrenet.forward)
    def forward(self, image: Tensor, coarse: Tensor | None = None) -> SaliencyPyramid:
        """(B, 3, H, W), ImageNet-normalized, sides multiples of 32 → logits S3, S2, S1, S0 and U2, U1, U0.

        coarse: (B, 1, H/8, W/8) logits that take the place of the network's own S3; NaN where its own is kept. The finer stages
        then add their detail to them, which is how a person's mask or a corrupted one in training comes in.
        """
        return self.reconstruct(*self.decode(image, coarse))

    def reconstruct(self, contexts: dict[int, Tensor], f: Tensor, s: Tensor) -> SaliencyPyramid:
        """The stages after the decoder: x1 and x2 by their number, f3 and S3, as `decode` gives them → logits of the pyramid."""
        saliency: list[Tensor] = [s]
        laplacian: list[Tensor] = []
        for j in range(2, self.finest_stage - 1, -1):
            size = (s.shape[-2] * 2 ** (3 - j), s.shape[-1] * 2 ** (3 - j))
            # S_{j+1} and, after stage 2, U_{j+1}, without gradients (§3.3): every stage learns from its own loss
            coarser = [maps[-1].detach() for maps in (saliency, laplacian) if maps]
            attention = self.get_submodule(f"attention{j}")
            f, u = attention(self.joined([contexts[j], f] if j else [f], size), *coarser)
            laplacian.append(u)
            saliency.append(self.pyramid.reconstruct(coarser[0], u))  # S_j = EXPAND(S_{j+1}) + U_j
        return SaliencyPyramid(tuple(saliency), tuple(laplacian))

    def decode(self, image: Tensor, coarse: Tensor | None = None) -> tuple[dict[int, Tensor], Tensor, Tensor]:
        """Encoder, contexts (PAA-e) and decoder (PAA-d): x1 and x2 by their number, f3, and S3 or `coarse` in its place.

        Contexts that only stages finer than `finest_stage` use are not computed.
        """
        self.size_rule.check(image.shape[-2:])
        maps = self.backbone(image)
        x = {i: self.get_submodule(f"context{i}")(maps[i - 1]) for i in range(max(1, self.finest_stage), 6)}
        f3, s3 = self.decoder(x.pop(3), x.pop(4), x.pop(5))
        return x, f3, replaced(s3, coarse)

    @accelerated_by(fast_inspyrenet.joined)
    def joined(self, maps: Sequence[Tensor], size: Size) -> Tensor:
        """Maps (B, C_i, ·, ·) on one size, joined along the channels: (B, ΣC_i, *size)."""
        maps = [resize(x, size) for x in maps]
        return torch.cat(maps, dim=1) if len(maps) > 1 else maps[0]

    def uses_tiles(self, size: Size) -> bool:
        """Whether an image of this size is computed in tiles."""
        return fast_inspyrenet.uses_tiles(self, size)


def replaced(s3: Tensor, coarse: Tensor | None) -> Tensor:
    """S3 (B, 1, h, w) with `coarse`, logits of that size, in place of its own where they are not NaN. Raises SizeError."""
    if coarse is None:
        return s3
    if coarse.shape != s3.shape:
        raise SizeError(f"the coarse map has shape {tuple(coarse.shape)}; this image's S3 has {tuple(s3.shape)}")
    return torch.where(coarse.isnan(), s3, coarse.to(s3.dtype))
