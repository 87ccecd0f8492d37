"""The Laplacian pyramid: REDUCE halves a map, EXPAND doubles it, both with one fixed Gaussian (Burt & Adelson, 1983)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conv import resize, without_autocast


def gaussian_kernel(size: int = 7, sigma: float = 1.0) -> Tensor:
    """(1, 1, size, size) float32, sums to 1."""
    x = torch.arange(size, dtype=torch.float64) - size // 2
    tap = torch.exp(-(x**2) / (2 * sigma**2))
    tap = tap / tap.sum()
    return torch.outer(tap, tap).float()[None, None]


class ImagePyramid(nn.Module):
    """REDUCE, EXPAND and reconstruction. The kernel is a constant: it moves with .to(), but is in no state dict."""

    kernel: Tensor

    def __init__(self, size: int = 7, sigma: float = 1.0):
        super().__init__()
        self.register_buffer("kernel", gaussian_kernel(size, sigma), persistent=False)

    def _filter(self, x: Tensor, gain: float = 1.0) -> Tensor:
        channels, radius = x.shape[1], self.kernel.shape[-1] // 2
        kernel = (gain * self.kernel).to(x.dtype).expand(channels, 1, -1, -1)
        x = F.pad(x, (radius,) * 4, mode="reflect")
        with without_autocast(x):  # maps are added up over the scales: keep their precision
            return F.conv2d(x, kernel, groups=channels)

    def reduce(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, ⌈h/2⌉, ⌈w/2⌉): filter, keep even rows and columns."""
        return self._filter(x)[..., ::2, ::2]

    def expand(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, 2h, 2w): sample (i, j) lands on (2i, 2j), zeros between, filter with four times the kernel."""
        batch, channels, height, width = x.shape
        zeros = torch.zeros_like(x)
        x = torch.stack([torch.stack([x, zeros], dim=-1), torch.stack([zeros, zeros], dim=-1)], dim=3)
        x = x.reshape(batch, channels, 2 * height, 2 * width)  # (B, C, h, 2, w, 2) → (B, C, 2h, 2w)
        return self._filter(x, gain=4.0)

    def laplacian(self, x: Tensor) -> Tensor:
        """What REDUCE loses: x − EXPAND(REDUCE(x)); for even sizes."""
        return x - self.expand(self.reduce(x))

    def reconstruct(self, saliency: Tensor, laplacian: Tensor) -> Tensor:
        """EXPAND(S) + U; U is resized (align_corners=True) where its size differs."""
        expanded = self.expand(saliency)
        return expanded + resize(laplacian, expanded.shape[-2:], align_corners=True)
