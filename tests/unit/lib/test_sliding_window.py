import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.lib import build_model
from inspyrenet.lib.inference import sliding_window
from inspyrenet.lib.inference.pyramid_blending import add_details, shrink_as_trained
from inspyrenet.lib.inference.sliding_window import HALO, Merged, Patches, predict_patches, starts, window
from inspyrenet.lib.modules.pyramid import ImagePyramid
from inspyrenet.lib.types import SaliencyPyramid

sizes = st.integers(2, 12).map(lambda n: 32 * n)


class Echo(torch.nn.Module):
    """Answers each patch with the first channel of what it was shown, at every level."""

    base_size = (64, 64)

    def __init__(self):
        super().__init__()
        self.pyramid, self.shapes = ImagePyramid(), []

    def forward(self, image):
        self.shapes.append(tuple(image.shape))
        level = [image[:, :1, ::k, ::k] for k in (8, 4, 2, 1)]
        return SaliencyPyramid(tuple(level), tuple(level[1:]))


@given(length=sizes, patch=sizes, overlap=st.sampled_from([2, 4]))
def test_patches_cover_every_line_and_stay_inside(length, patch, overlap):
    if patch > length:
        return
    first = starts(length, patch, overlap)
    covered = torch.zeros(length)
    for start in first:
        assert start % 8 == 0
        assert 0 <= start <= length - patch
        covered[start : start + patch] += 1
    assert covered.min() >= 1


def merged_at_once(model, image, overlap):
    """U2, U1 and U0 with the sums and weights of the whole image in memory: what merging line by line must equal."""
    height, width = image.shape[-2:]
    levels = [torch.zeros(2, 1, 1, height // k, width // k) for k in (4, 2, 1)]
    for row in starts(height, model.base_size[0], overlap):
        for column in starts(width, model.base_size[1], overlap):
            cut = image[..., row : row + model.base_size[0], column : column + model.base_size[1]]
            for (total, weight), detail, k in zip(levels, model(cut).laplacian, (4, 2, 1), strict=True):
                h, w = detail.shape[-2:]
                share = window(h, detail)[:, None] * window(w, detail)
                place = (..., slice(row // k, row // k + h), slice(column // k, column // k + w))
                total[place] += share * detail
                weight[place] += share
    return [total / weight for total, weight in levels]


@settings(max_examples=20)
@given(height=sizes, width=sizes, overlap=st.sampled_from([2, 4]), batch=st.integers(1, 5))
def test_merging_returns_what_all_patches_agree_on(height, width, overlap, batch):
    """A constant stays constant and a ramp has no step: the weights sum to one everywhere, in whatever part is read."""
    ramp = torch.linspace(-3, 5, width).expand(1, 3, height, width) + torch.linspace(0, 2, height)[:, None]
    patches, lines = Patches(Echo(), ramp, overlap, batch), []
    for first, stop in patches.complete_rows():
        lines += range(first, stop)
        rows = slice(max(0, first - HALO), min(height, stop + HALO))
        for level, k in zip(patches.levels, (4, 2, 1), strict=True):
            there = ramp[:, :1, rows, :][..., ::k, ::k]
            torch.testing.assert_close(level.mean(rows, slice(0, width)), there, atol=1e-5, rtol=1e-5)
    assert lines == [*range(height)]


@settings(max_examples=15)
@given(height=sizes, width=sizes, overlap=st.sampled_from([2, 4]), seed=st.integers(0, 99))
def test_reconstruction_in_parts_equals_that_of_the_whole_image(height, width, overlap, seed):
    echo = Echo()
    noise = 6 * torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sliding_window, "TILE", 96)  # of several columns, too
        out = predict_patches(echo, noise, overlap=overlap, batch=2)
        finest = predict_patches(echo, noise, overlap=overlap, levels=False)
    if height == width == 64:
        return
    s3 = shrink_as_trained(echo(sliding_window.base_copy(echo, noise)).logits, (height // 8, width // 8))
    whole = add_details(echo.pyramid, s3, merged_at_once(echo, noise, overlap))
    torch.testing.assert_close(out, whole, atol=1e-5, rtol=1e-5)
    assert [*map(len, finest)] == [1, 0]
    assert torch.equal(finest.logits, out.logits)


def test_lines_held_do_not_grow_with_the_image():
    held = [
        [level.sum.shape[-2] for level in Patches(Echo(), torch.zeros(1, 3, n, 64), 2, 1).levels] for n in (320, 3200)
    ]
    assert held[0] == held[1] == [(64 + 2 * HALO) // k for k in (4, 2, 1)]


def test_disagreeing_patches_are_blended_smoothly():
    """Two patches that say 0 and 1 give a ramp between them, not a seam."""
    merged = Merged(64, 1, [0], [0, 32], (64, 64), torch.zeros(1))
    merged.add(torch.stack([torch.zeros(1, 64, 64), torch.ones(1, 64, 64)]), 0, [0, 32])
    line = merged.mean(slice(0, 64), slice(0, 96))[0, 0, 30]
    assert line[0] == 0
    assert line[-1] == 1
    assert line.diff().abs().max() < 0.06
    assert (line.diff() >= -1e-6).all()


def test_memory_is_bounded_by_the_batch_of_patches():
    echo = Echo()
    predict_patches(echo, torch.zeros(1, 3, 256, 384), batch=3)
    assert max(shape[0] for shape in echo.shapes) <= 3
    assert {shape[2:] for shape in echo.shapes} == {(64, 64)}


@torch.no_grad()
def test_small_images_are_one_pass_on_the_copy():
    model = build_model("InSPyReNet_Light", depth=16, base_size=(64, 64)).eval()
    copy = torch.randn(1, 3, 64, 64)
    for size in ((32, 256), (64, 64)):
        out = predict_patches(model, torch.randn(1, 3, *size), copy)
        torch.testing.assert_close(out.logits, model(copy).logits)


@torch.no_grad()
def test_the_whole_pyramid_has_its_shape():
    model = build_model("InSPyReNet_Light", depth=16, base_size=(64, 64)).eval()
    out = predict_patches(model, torch.randn(1, 3, 128, 96), alignment="corrected")
    assert [tuple(s.shape[-2:]) for s in out.saliency] == [(16, 12), (32, 24), (64, 48), (128, 96)]
    assert all(torch.isfinite(s).all() for s in out.saliency)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="one image at a time"):
        predict_patches(Echo(), torch.zeros(2, 3, 128, 128))
    with pytest.raises(ValueError, match="overlap is 2"):
        predict_patches(Echo(), torch.zeros(1, 3, 128, 128), overlap=3)
