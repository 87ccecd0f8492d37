"""Inward reference: the image at its own resolution, cut into tiles that lie on top of each other as channels.

The order of those channels changed in the published code on 5 November 2024, without a trace in the files. Inside this
package it is channel-major; `to_channel_major` and `to_column_major` convert the weights that read the tiles, exactly.
"""

import torch
from torch import Tensor

ORDERS = ("channel-major", "column-major")


def tile(image: Tensor, grid: int) -> Tensor:
    """(B, C, H, W) → (B, C·grid², H/grid, W/grid), channel-major: channel c·grid² + r·grid + s is tile (row r, column s) of c."""
    batch, channels, height, width = image.shape
    x = image.reshape(batch, channels, grid, height // grid, grid, width // grid)
    x = x.transpose(3, 4)  # (B, C, row, column, h, w)
    return x.reshape(batch, channels * grid * grid, height // grid, width // grid)


def column_major_index(grid: int, channels: int = 3) -> Tensor:
    """index[c·grid² + r·grid + s] = (s·grid + r)·channels + c: where column-major order keeps that tile."""
    index = torch.arange(channels * grid * grid).reshape(grid, grid, channels)  # [s, r, c]
    return index.permute(2, 1, 0).reshape(-1)  # [c, r, s]


def to_channel_major(weight: Tensor) -> Tensor:
    """Convolution weight (D, 3·grid², k, k) that reads column-major tiles → the one that reads channel-major tiles."""
    return weight[:, column_major_index(_grid(weight)).to(weight.device)]


def to_column_major(weight: Tensor) -> Tensor:
    """The inverse of `to_channel_major`."""
    return weight[:, column_major_index(_grid(weight)).argsort().to(weight.device)]


def _grid(weight: Tensor) -> int:
    grid = round((weight.shape[1] / 3) ** 0.5)
    if 3 * grid * grid != weight.shape[1]:
        raise ValueError(f"a tile convolution has 3·grid² input channels, not {weight.shape[1]}")
    return grid
