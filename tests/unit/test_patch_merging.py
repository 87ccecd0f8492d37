import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspyrenet.lib import build_model
from inspyrenet.lib.models.patch_merging import Merged, merge_details, predict_patches, starts
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


@settings(deadline=None, max_examples=20)
@given(height=sizes, width=sizes, overlap=st.sampled_from([2, 4]), batch=st.integers(1, 5))
def test_merging_returns_what_all_patches_agree_on(height, width, overlap, batch):
    """A constant stays constant and a ramp has no step: the weights sum to one everywhere."""
    ramp = torch.linspace(-3, 5, width).expand(1, 3, height, width) + torch.linspace(0, 2, height)[:, None]
    for level, k in zip(merge_details(Echo(), ramp, (64, 64), overlap, batch), (4, 2, 1), strict=True):
        torch.testing.assert_close(level, ramp[:, :1, ::k, ::k], atol=1e-5, rtol=1e-5)


def test_disagreeing_patches_are_blended_smoothly():
    """Two patches that say 0 and 1 give a ramp between them, not a seam."""
    merged = Merged((64, 96), torch.zeros(1))
    merged.add(torch.stack([torch.zeros(1, 64, 64), torch.ones(1, 64, 64)]), [(0, 0), (0, 32)], (64, 64))
    line = merged.mean([0], [0, 32], (64, 64))[0, 0, 30]
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
