"""Edge colors: the object's own color where the photograph shows a mixture."""

import builtins
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from inspyrenet.remover import foreground
from inspyrenet.remover.foreground import ForegroundError, blur_fusion, box_blur, choose_method, estimate

RED, BLUE = np.array([220, 20, 30]), np.array([10, 30, 200])


def disc(size=96, radius=26, soft=8):
    """A red disc with a soft edge before blue: image, alpha."""
    y, x = np.mgrid[:size, :size] - size / 2
    alpha = np.clip((radius - np.hypot(y, x)) / soft + 0.5, 0, 1)
    alpha = np.rint(alpha * 255).astype(np.uint8)
    share = alpha[..., None] / 255
    return np.rint(share * RED + (1 - share) * BLUE).astype(np.uint8), alpha


def error(colors, alpha):
    """Mean distance from red in the soft edge, in gray levels."""
    edge = (alpha > 60) & (alpha < 255)
    return np.abs(colors[edge].astype(float) - RED).mean()


def test_fusion_finds_the_color_of_the_object():
    image, alpha = disc()
    assert error(image, alpha) > 30
    assert error(estimate(image, alpha, "fusion"), alpha) < 7


def test_fusion_keeps_what_is_plainly_object():
    image, alpha = disc()
    colors = estimate(image, alpha, "fusion")
    assert np.abs(colors[alpha == 255].astype(int) - image[alpha == 255]).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 300), (200, 3)])
def test_fusion_takes_any_size(size):
    rng = np.random.default_rng(0)
    image, alpha = rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(1, 255, size, np.uint8)
    colors = estimate(image, alpha, "fusion")
    assert colors.dtype == np.uint8 and colors.shape == image.shape


@pytest.mark.parametrize("width", [1, 2, 6, 7, 90])
def test_box_blur_is_the_mean_of_the_window(width):
    x = torch.rand(1, 2, 9, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before, after = width // 2, (width - 1) // 2
    for row, column in ((0, 0), (4, 6), (8, 12)):
        rows, columns = slice(max(0, row - before), row + after + 1), slice(max(0, column - before), column + after + 1)
        expected = x[..., rows, columns].mean((-2, -1))
        assert torch.allclose(box_blur(x, width)[..., row, column], expected)


def test_box_blur_stays_exact_on_long_lines():
    x = torch.full((1, 1, 1, 30000), 0.9)
    assert (box_blur(x, 90) - 0.9).abs().max() < 1e-6


def test_a_flat_image_has_one_color():
    image = torch.full((1, 3, 20, 20), 0.4)
    alpha = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(1))
    assert (blur_fusion(image, alpha) - 0.4).abs().max() < 1e-2


def test_a_hard_edge_needs_no_estimate():
    image, alpha = disc()
    hard = np.where(alpha > 127, np.uint8(255), np.uint8(0))
    assert estimate(image, hard, "fusion") is image


@pytest.fixture
def stub(monkeypatch):
    """A pymatting that answers with the object's color and notes its input; the real one compiles for half a minute."""
    calls = []

    def estimate_foreground_ml(image, alpha):
        calls.append((image, alpha))
        return np.broadcast_to(RED / 255, image.shape) + 1.0 * (image < 0)

    monkeypatch.setitem(sys.modules, "pymatting", types.SimpleNamespace(estimate_foreground_ml=estimate_foreground_ml))
    return calls


def test_pymatting_gets_values_from_0_to_1_and_gives_bytes(stub):
    image, alpha = disc()
    colors = estimate(image, alpha, "pymatting")
    assert colors.dtype == np.uint8 and error(colors, alpha) == 0
    given_image, given_alpha = stub[0]
    assert given_image.max() <= 1 and given_alpha.max() == 1 and given_alpha.ndim == 2


def test_pymatting_is_not_asked_about_a_single_pixel(stub):
    estimate(np.full((1, 1, 3), 90, np.uint8), np.full((1, 1), 9, np.uint8), "pymatting")
    assert not stub


def test_pymatting_goes_on_where_numba_may_write_nowhere(stub, monkeypatch, caplog):
    """The first import fails as numba does; with a folder of its own the second one works."""
    numba = types.SimpleNamespace(config=types.SimpleNamespace(CACHE_DIR=""))
    package = sys.modules.pop("pymatting")

    def load(name, *rest):
        if name == "pymatting" and not numba.config.CACHE_DIR:
            raise RuntimeError("cannot cache function '_make_tree': no locator available for file 'kdtree.py'")
        if name == "pymatting":
            return package
        return original(name, *rest)

    original = builtins.__import__
    monkeypatch.setitem(sys.modules, "numba", numba)
    monkeypatch.setattr(builtins, "__import__", load)
    image, alpha = disc()
    assert error(estimate(image, alpha, "pymatting"), alpha) == 0
    assert "compiles anew at every start" in caplog.text
    assert Path(numba.config.CACHE_DIR).is_dir()


def test_auto_is_multilevel_and_needs_no_package(monkeypatch):
    monkeypatch.delitem(sys.modules, "pymatting", raising=False)
    monkeypatch.setattr(foreground.importlib.util, "find_spec", lambda name: None)
    assert choose_method("auto") == "multilevel"


@pytest.mark.parametrize(
    ("method", "package", "extra"), [("pymatting", "pymatting", "matting"), ("fusion", "torch", "train")]
)
def test_a_method_without_its_package_says_how_to_get_it(monkeypatch, method, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ForegroundError, match=rf"package {package}: .*--extras {extra} .*edges=multilevel"):
        choose_method(method)


def test_pymatting_does_not_load_torch_and_gives_its_threads_back(stub, monkeypatch):
    image, alpha = disc()
    threads = []
    loaded = types.SimpleNamespace(get_num_threads=lambda: 3, set_num_threads=threads.append)
    monkeypatch.setitem(sys.modules, "torch", loaded)
    estimate(image, alpha, "pymatting")
    assert threads == [3]
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it would raise
    assert error(estimate(image, alpha, "pymatting"), alpha) == 0


def test_an_unknown_method_lists_them():
    with pytest.raises(ForegroundError, match="auto, multilevel, pymatting, fusion, none"):
        choose_method("magic")
