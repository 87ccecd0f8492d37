"""The object's own colors in its soft edges, where the photograph has them mixed with the background.

Without this, hair and fur keep a halo of the old background on a new one. `multilevel` is our own and the default; `pymatting`
solves the same equations with that package, which compiles for a minute at its very first use; `fusion` is less exact and runs
on a GPU.
"""

import atexit
import importlib.util
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..utils.system.device import available_devices
from ..utils.system.extras import how_to_install

if TYPE_CHECKING:
    import numpy as np
    import torch

METHODS = ("auto", "multilevel", "pymatting", "fusion", "none")
PACKAGES = {"pymatting": ("pymatting", "matting"), "fusion": ("torch", "train")}  # what a method needs, and its extra
WIDE, NARROW = 90, 6  # pixels, width of the two box blurs of fusion

LOG = logging.getLogger("inspyrenet")


class ForegroundError(RuntimeError):
    """The method that was asked for is unknown, or its package is not installed."""


def choose_method(name: str) -> str:
    """ "auto" → "multilevel"; other names are checked.

    Raises ForegroundError for an unknown name, or where the method's package is not installed.
    """
    if name not in METHODS:
        raise ForegroundError(f"edges is one of {', '.join(METHODS)}, not {name!r}")
    if name in PACKAGES:
        package, extra = PACKAGES[name]
        if sys.modules.get(package) is None and importlib.util.find_spec(package) is None:
            raise ForegroundError(
                f"edges={name} needs the package {package}: {how_to_install(extra)}, or use edges=multilevel"
            )
    return "multilevel" if name == "auto" else name


def estimate(
    image: "np.ndarray", alpha: "np.ndarray", method: str = "auto", device: "torch.device | str" = "cpu"
) -> "np.ndarray":
    """Image uint8 (H, W, 3) and alpha uint8 (H, W) → the object's colors, uint8 (H, W, 3).

    An alpha without soft values gives the image itself, unestimated. Raises ForegroundError as `choose_method` does.
    """
    method = choose_method(method)
    if method == "none" or not ((alpha > 0) & (alpha < 255)).any():
        return image
    if method == "fusion":
        return _fusion(image, alpha, device)
    if method == "pymatting" and alpha.size > 1:  # which divides by zero where there is one pixel
        return _pymatting(image, alpha)
    from .multilevel import multilevel

    return multilevel(image, alpha)


def _pymatting(image: "np.ndarray", alpha: "np.ndarray") -> "np.ndarray":
    import numpy as np

    estimate_foreground_ml = _load_pymatting()
    torch: Any = sys.modules.get("torch")
    threads = torch and torch.get_num_threads()
    try:
        colors = estimate_foreground_ml(image / 255.0, alpha / 255.0)
    finally:
        if torch:
            torch.set_num_threads(threads)  # numba sets the number for all of OpenMP
    return np.rint(np.clip(colors, 0, 1) * 255).astype(np.uint8)


def _load_pymatting() -> Callable[..., "np.ndarray"]:
    """pymatting's estimator. Where numba can keep what it compiled nowhere, it gets a folder for this process."""
    if "pymatting" not in sys.modules:
        LOG.warning("loading pymatting for the edge colors; its very first use compiles for a minute or so")
    try:
        from pymatting import estimate_foreground_ml
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        LOG.warning("pymatting compiles anew at every start, since no folder for its cache can be written to")
        numba: Any = sys.modules["numba"]  # pymatting's
        # of a name that nobody can foresee, since what lies there is run
        folder = tempfile.mkdtemp(prefix="inspyrenet-numba-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba.config.CACHE_DIR = folder
        from pymatting import estimate_foreground_ml
    return estimate_foreground_ml


def _fusion(image: "np.ndarray", alpha: "np.ndarray", device: "torch.device | str") -> "np.ndarray":
    import numpy as np
    import torch

    device = (
        device if str(device) in available_devices() else "cpu"
    )  # of a graph it may be one that torch does not know

    def planes(array: np.ndarray) -> torch.Tensor:  # (H, W, C) → (1, C, H, W) in 0..1
        return torch.from_numpy(np.array(array)).to(device).permute(2, 0, 1)[None].float().div_(255)

    with torch.inference_mode():
        colors = blur_fusion(planes(image), planes(alpha[..., None]))
        return colors[0].mul_(255).round_().byte().permute(1, 2, 0).cpu().numpy()


def blur_fusion(image: "torch.Tensor", alpha: "torch.Tensor") -> "torch.Tensor":
    """Two passes of blur fusion: image (B, 3, H, W) and alpha (B, 1, H, W), both in 0..1 → colors (B, 3, H, W) in 0..1.

    Each pass: F = clip(Fb + α·(I − α·Fb − (1 − α)·Bb)), where Fb and Bb are foreground and background blurred where
    they are (Forte, "Approximate fast foreground color estimation", ICIP 2021); the first pass is wide, the second narrow.
    """
    foreground, background = image, image
    for width in (WIDE, NARROW):
        foreground, background = _fuse(image, foreground, background, alpha, width)
    return foreground


def _fuse(
    image: "torch.Tensor", foreground: "torch.Tensor", background: "torch.Tensor", alpha: "torch.Tensor", width: int
) -> "tuple[torch.Tensor, torch.Tensor]":
    weight = box_blur(alpha, width)
    blurred = box_blur(foreground * alpha, width) / (weight + 1e-5)
    behind = box_blur(background * (1 - alpha), width) / (1 - weight + 1e-5)
    fused = blurred + alpha * (image - alpha * blurred - (1 - alpha) * behind)
    return fused.clamp(0, 1), behind


def box_blur(x: "torch.Tensor", width: int) -> "torch.Tensor":
    """Mean over a window of `width` × `width` pixels, of those that lie inside; (B, C, H, W), any size from 1 × 1."""
    for dim in (-2, -1):
        x = _box_line(x, width, dim)
    return x


def _box_line(x: "torch.Tensor", width: int, dim: int) -> "torch.Tensor":
    """Running sums: the cost does not grow with the width."""
    import torch

    length = x.shape[dim]
    place = torch.arange(length, device=x.device)
    first = (place - width // 2).clamp(min=0)
    last = (place + (width - 1) // 2).clamp(max=length - 1)
    mean = x.mean(dim, keepdim=True)  # sums of what is left stay small, and so does their rounding
    total = torch.nn.functional.pad((x - mean).cumsum(dim), (1, 0) if dim == -1 else (0, 0, 1, 0))
    count = (last - first + 1).to(x.dtype)
    count = count if dim == -1 else count[:, None]
    return (total.index_select(dim, last + 1) - total.index_select(dim, first)) / count + mean
