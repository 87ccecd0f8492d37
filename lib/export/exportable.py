"""Parts of networks in a form that can be recorded as a graph of standard operations, whatever the sizes will be.

While a graph is recorded, sizes are symbols. Padding to whole windows, or asking whether a map already has some size, then
costs minutes, or ties the graph to one size. The parts here compute what those that they replace compute; weights are shared.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from timm.layers import Conv2dSame
from timm.models.swin_transformer import PatchMerging
from torch import Tensor, nn
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..backbones.pvt import PVTEncoder
from ..backbones.swin import SwinBlock
from ..modules.conv import ConvUnit
from ..modules.deform_conv import DeformConv
from ..modules.sica import CONTEXTS, SICA

MOST_WINDOWS = 1 << 16  # along one side

Substitutes = dict[type, Callable[[Any], nn.Module]]  # class of a part → what makes the other part out of one


def exportable(model: nn.Module, deform: str = "grid", fold: bool = True) -> nn.Module:
    """A copy of `model` for inference in one formulation, made of parts that can be recorded; same outputs up to rounding.

    deform: what a deformable convolution becomes: "grid", one grid sampling and one convolution (ONNX from opset 16 on), or
    "native", the operation of that name (opset 19, and runtimes that have it). fold: put normalizations into the convolutions
    before them; False leaves every weight as it is.
    """
    if deform not in ("grid", "native"):
        raise ValueError(f"deform is grid or native, not {deform!r}")
    copied: Any = copy.deepcopy(model).eval().requires_grad_(False)
    copied.fast = False
    swaps = {**SUBSTITUTES, ConvUnit: folded} if fold else SUBSTITUTES
    return _substituted(copied, {**swaps, DeformConv: GridDeformConv} if deform == "grid" else swaps)


def _substituted(module: nn.Module, swaps: Substitutes) -> nn.Module:
    for name, child in list(module.named_children()):
        setattr(module, name, _substituted(child, swaps))
    known = next((base for base in type(module).__mro__ if base in swaps), None)
    return module if known is None else swaps[known](module)


# -- convolutions -------------------------------------------------------------------------------------------------


def folded(unit: ConvUnit) -> ConvUnit:
    """The unit with its normalization inside the convolution."""
    if isinstance(unit.bn, nn.BatchNorm2d):
        unit.conv, unit.bn = fuse_conv_bn_eval(unit.conv, unit.bn), nn.Identity()
    return unit


def padded_evenly(same: Conv2dSame) -> nn.Module:
    """timm's convolution with TensorFlow's padding, for maps whose sides are multiples of its stride.

    Those of all admitted images are. The padding is a number then, and no expression in the map's sides.
    """
    rows, columns = (
        max(dilation * (kernel - 1) + 1 - stride, 0)
        for kernel, stride, dilation in zip(same.kernel_size, same.stride, same.dilation, strict=True)
    )
    conv = nn.Conv2d(same.in_channels, same.out_channels, same.kernel_size, same.stride, 0, same.dilation, same.groups)  # type: ignore[arg-type]
    conv.weight, conv.bias = same.weight, same.bias
    top, left = rows // 2, columns // 2
    return nn.Sequential(nn.ZeroPad2d((left, columns - left, top, rows - top)), conv)


class GridDeformConv(nn.Module):
    """`DeformConv` as one grid sampling of all taps, below each other, and one 1×1 convolution."""

    weight: Tensor
    place: Tensor

    def __init__(self, deform: DeformConv):
        super().__init__()
        self.offset_conv, self.modulator_conv = deform.offset_conv, deform.modulator_conv
        weight = deform.regular_conv.weight  # (D, C, k, k)
        self.kernel = weight.shape[-1]
        self.register_buffer(
            "weight", weight.detach().permute(0, 2, 3, 1).flatten(1)[..., None, None]
        )  # (D, k²·C, 1, 1)
        taps, reach = torch.arange(self.kernel**2), self.kernel // 2
        place = torch.stack([taps // self.kernel - reach, taps % self.kernel - reach], dim=-1)
        self.register_buffer("place", place.float()[None, :, :, None, None])  # (1, k², 2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        taps = self.kernel**2
        mask = 2 * self.modulator_conv(x).sigmoid()
        moved = self.offset_conv(x).reshape(batch, taps, 2, height, width) + self.place
        rows = moved[:, :, 0] + torch.arange(height, device=x.device).to(x.dtype)[:, None]  # (B, k², h, w)
        columns = moved[:, :, 1] + torch.arange(width, device=x.device).to(x.dtype)
        # half-pixel coordinates: they have no division by (side − 1), which is 0 on a map of one row
        grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
        grid = grid.reshape(batch, taps * height, width, 2)
        sampled = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        sampled = sampled.reshape(batch, channels, taps, height, width) * mask[:, None]
        return F.conv2d(sampled.transpose(1, 2).reshape(batch, taps * channels, height, width), self.weight)


# -- attention to contexts ----------------------------------------------------------------------------------------


class MixedKernels(SICA):
    """`SICA` whose `refine` mixes the kernels of conv_out1 in place of its input, as `fast.sica.unit_of_mixture` does.

    Each image of a batch has kernels of its own then, so that the convolution is one product with the neighborhoods of the few
    maps of attention. These are taken by a convolution whose kernels hold a single 1.
    """

    taps: Tensor

    def __init__(self, sica: SICA):
        nn.Module.__init__(self)
        self.__dict__.update(sica.__dict__)
        kernel = self.conv_out1.conv.kernel_size
        length = kernel[0] * kernel[1]
        contexts = len(CONTEXTS) if self.with_laplacian else len(CONTEXTS) - 2
        self.register_buffer("taps", torch.eye(length).reshape(length, 1, *kernel).repeat(contexts, 1, 1, 1))

    def refine(self, x: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """See `SICA.refine`."""
        query = self.conv_query(x).flatten(2).transpose(1, 2)  # (B, h·w, depth)
        shares = self.attention_weights(query, key, x.shape[-2:])  # (B, n, h, w)
        conv = self.conv_out1.conv
        neighborhoods = F.conv2d(shares, self.taps, padding=conv.padding, groups=shares.shape[1])  # (B, n·k², h, w)
        kernels = torch.einsum("ockl,bcn->bonkl", conv.weight, value).flatten(2)  # (B, depth, n·k²)
        mixed = (kernels @ neighborhoods.flatten(2)).unflatten(2, x.shape[-2:])
        if conv.bias is not None:
            mixed = mixed + conv.bias[:, None, None]
        refined = self.conv_out1.normalized(mixed)
        return self.outputs(self.conv_out2(torch.cat([x, refined], dim=1)))


# -- Swin ---------------------------------------------------------------------------------------------------------


class WindowBlock(nn.Module):
    """`SwinBlock`: padding, shifting and their inverses as picking lines of the map, so that no size is asked for."""

    def __init__(self, block: SwinBlock):
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = block.norm1, block.attn, block.norm2, block.mlp
        self.window, self.shift = block.window, block.shift

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def _attention(self, x: Tensor) -> Tensor:
        attn, window, length = self.attn, self.window, self.window**2
        batch, height, width, channels = x.shape
        rows, row, row_inside, row_region, row_back = window_lines(height, window, self.shift, x.device)
        columns, column, column_inside, column_region, column_back = window_lines(width, window, self.shift, x.device)
        inside = (row_inside[:, None] & column_inside)[..., None]
        x = x.index_select(1, row).index_select(2, column) * inside.to(x.dtype)
        x = x.reshape(batch, rows, window, columns, window, channels).transpose(2, 3)
        qkv = attn.qkv(x.reshape(batch, rows * columns, length, channels))
        qkv = qkv.reshape(batch, rows * columns, length, 3, attn.num_heads, channels // attn.num_heads)
        query, key, value = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)  # (B, windows, heads, N, d)
        scores = (query * attn.scale) @ key.transpose(-2, -1) + attn._get_rel_pos_bias()
        if self.shift:
            region = (3 * row_region[:, None] + column_region).reshape(rows, window, columns, window)
            region = region.transpose(1, 2).reshape(rows * columns, length)
            scores = scores + (region[:, None, :] != region[:, :, None]).to(x.dtype)[:, None] * -100.0
        x = (scores.softmax(dim=-1) @ value).transpose(2, 3).reshape(batch, rows * columns, length, channels)
        x = attn.proj(x).reshape(batch, rows, columns, window, window, channels).transpose(2, 3)
        x = x.reshape(batch, rows * window, columns * window, channels)
        return x.index_select(1, row_back).index_select(2, column_back)


def window_lines(
    length: int, window: int, shift: int, device: torch.device
) -> tuple[int, Tensor, Tensor, Tensor, Tensor]:
    """Along one axis of a map: the number of windows; for each line of the padded and shifted map, which line of the map it
    is (any, outside), whether it lies inside, and its region; and where each line of the map is afterwards.

    The number becomes a symbol of its own: as an expression in the image's size it would have to be simplified at every step.
    """
    side = torch.scalar_tensor(length, dtype=torch.int64, device=device)
    number = (side + (window - 1)) // window
    count = -(-length // window) if isinstance(length, int) else number.item()
    if not isinstance(length, int):
        torch._check(count >= 1)
        torch._check(count <= MOST_WINDOWS)
    padded = number * window
    position = torch.arange(count * window, device=device)
    source = position + shift
    source = torch.where(source >= padded, source - padded, source)
    back = torch.arange(length, device=device) - shift
    back = torch.where(back < 0, back + padded, back)
    region = (position >= padded - window).int() + (position >= padded - shift).int()
    return count, torch.minimum(source, side - 1), source < side, region, back


class LineMerging(nn.Module):
    """timm's `PatchMerging` by picking lines: four neighbours behind each other, missing ones zero."""

    def __init__(self, merging: PatchMerging):
        super().__init__()
        self.norm, self.reduction = merging.norm, merging.reduction

    def forward(self, x: Tensor) -> Tensor:
        parts = [_every_other(_every_other(x, 1, i), 2, j) for j in (0, 1) for i in (0, 1)]
        return self.reduction(self.norm(torch.cat(parts, dim=-1)))


def _every_other(x: Tensor, dim: int, first: int) -> Tensor:
    """Lines first, first + 2, … of an axis, the last one zero where the axis has an odd number of them."""
    length = x.shape[dim]
    if statically_known_true(length % 2 == 0):
        return x[:, first::2] if dim == 1 else x[:, :, first::2]
    line = 2 * torch.arange((length + 1) // 2, device=x.device) + first
    last = torch.scalar_tensor(length, dtype=torch.int64, device=x.device) - 1
    inside = (line <= last).to(x.dtype)
    return x.index_select(dim, torch.minimum(line, last)) * (inside[:, None, None] if dim == 1 else inside[:, None])


class StagedPVT(nn.Module):
    """`PVTEncoder` without its question about the image's size."""

    def __init__(self, encoder: PVTEncoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        maps = []
        for number in range(1, 5):
            image = self.encoder._stage(number, image)
            maps.append(image)
        return (maps[0], *maps)


SUBSTITUTES: Substitutes = {
    Conv2dSame: padded_evenly,
    SICA: MixedKernels,
    SwinBlock: WindowBlock,
    PatchMerging: LineMerging,
    PVTEncoder: StagedPVT,
}
