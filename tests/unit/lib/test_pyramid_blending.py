"""Where the low-resolution prediction lands in a blended map, and that the tiled formulation equals the reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.lib import build_model
from inspyrenet.lib.fast import inspyrenet
from inspyrenet.lib.fast.lazy_upsample import LazyUpsample, resize_twice
from inspyrenet.lib.fast.tiled_inference import active_tiles
from inspyrenet.lib.inference.pyramid_blending import add_detail, predict, shrink_as_trained, shrink_corrected
from inspyrenet.lib.modules.conv import resize
from inspyrenet.lib.modules.pyramid import ImagePyramid

pytestmark = pytest.mark.usefixtures("flushed")

sides = st.integers(1, 40)


def disc(height: int, width: int, edge: float) -> torch.Tensor:
    """Logits (1, 1, height, width) of a disc in the middle, in coordinates of a 640×800 image; edge: ± pixels of its slope."""
    y = (torch.arange(height) + 0.5) * 640 / height - 320
    x = (torch.arange(width) + 0.5) * 800 / width - 400
    distance = 180 - (y[:, None] ** 2 + x[None] ** 2).sqrt()
    return (distance * 4 / edge).clamp(-10, 10)[None, None]


def blended_iou(shrink) -> float:
    """IoU with the true disc when the low-resolution map says all there is and no detail is added."""
    pyramid = ImagePyramid()
    s = shrink(disc(384, 384, edge=8), (80, 100))
    for stage in (2, 1, 0):
        size = (s.shape[-2] * 2, s.shape[-1] * 2)
        s, _ = add_detail(pyramid, s, torch.zeros(1, 1, *size), stage)
    ours, truth = s[0, 0] > 0, disc(640, 800, edge=8)[0, 0] > 0
    return ((ours & truth).sum() / (ours | truth).sum()).item()


def test_corrected_alignment_puts_the_map_where_the_image_is():
    assert blended_iou(shrink_as_trained) == pytest.approx(0.967, abs=0.004)
    assert blended_iou(shrink_corrected) > 0.999


@given(h=sides, w=sides, height=sides, width=sides)
def test_corrected_alignment_is_every_eighth_pixel_of_the_enlarged_map(h, w, height, width):
    low = torch.randn(1, 1, h, w)
    full = resize(low, (8 * height, 8 * width))
    torch.testing.assert_close(shrink_corrected(low, (height, width)), full[..., ::8, ::8], atol=1e-4, rtol=1e-4)


@given(h=sides, w=sides, scale=st.integers(1, 4), out=st.tuples(sides, sides), data=st.data())
def test_enlarged_maps_read_like_the_whole(h, w, scale, out, data):
    size = (scale * h, scale * w)
    parts = [torch.randn(2, 3, h, w), torch.randn(2, 1, *size)]
    enlarged, full = LazyUpsample(parts, size), torch.cat([resize(p, size) for p in parts], dim=1)
    top, left = (data.draw(st.integers(0, n - 1)) for n in size)
    patch = enlarged.patch(slice(top, size[0]), slice(left, left + 5))
    torch.testing.assert_close(patch, full[..., top:, left : left + 5], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        resize_twice(parts[0], size, out), resize(resize(parts[0], size), out), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_tiles_in_half_precision_are_those_of_the_whole_to_the_bit(order):
    part = torch.randn(1, 8, 20, 30).to(torch.bfloat16, memory_format=order)
    full = resize(part, (80, 120))
    for rows, columns in ((slice(0, 33), slice(87, 120)), (slice(27, 61), slice(13, 50))):
        patch = LazyUpsample([part], (80, 120)).patch(rows, columns)
        assert torch.equal(patch, full[..., rows, columns])


@given(height=sides, width=sides, y=sides, x=sides)
def test_a_tile_is_touched_where_its_mask_is_not_empty(height, width, y, x):
    mask = torch.zeros(1, 1, height, width)
    y, x = y % height, x % width
    mask[..., y, x] = 1e-3
    assert active_tiles(mask, 16)[0].nonzero().tolist() == [[y // 16, x // 16]]


@pytest.fixture(scope="module")
def network():
    """In float64: an untrained network blows rounding up."""
    torch.manual_seed(0)
    model = build_model("InSPyReNet_Light", depth=8, base_size=(64, 64))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 64, 64))
    return model.eval().double()


@pytest.mark.parametrize("size", [(160, 128), (192, 224)])
@torch.inference_mode()
def test_lean_passes_equal_plain_ones(network, size, monkeypatch):
    """The finest stage only where the map is in transition, features only where they are read: the same numbers."""
    monkeypatch.setattr(inspyrenet, "LARGE_IMAGE", 100 * 100)  # as if these images were large
    monkeypatch.setattr(inspyrenet, "LARGE_TILE", 80)
    monkeypatch.setattr(inspyrenet, "SMALL_TILE", 32)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0)).double()
    copy = resize(image, (64, 64))
    results = []
    for fast in (False, True):
        network.fast = fast
        assert network.uses_tiles(size) == fast
        results.append([network(image), predict(network, image, copy, threshold=100)])
    network.fast = True
    for reference, tiled in zip(*results, strict=True):
        for theirs, ours in zip(
            (*reference.saliency, *reference.laplacian), (*tiled.saliency, *tiled.laplacian), strict=True
        ):
            torch.testing.assert_close(ours, theirs, atol=1e-7, rtol=1e-7)
    assert (
        results[0][1].laplacian[-1].abs().max() > 0
    )  # the blend let some detail in, so that there was something to equal


def test_unknown_alignment_lists_the_choices(network):
    with pytest.raises(ValueError, match="as_trained or corrected"):
        predict(network, torch.zeros(1, 3, 64, 64).double(), alignment="correct")
