"""Losses of the pyramid that no golden number pins."""

import pytest
import torch

from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.losses.terms import region_iou
from inspyrenet.lib.losses.terms_birefnet import structure
from inspyrenet.lib.types import SaliencyPyramid


@pytest.fixture(scope="module")
def logits():
    return 3 * torch.randn(2, 1, 40, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture(scope="module")
def mask(logits):
    return (logits.roll(4, dims=-1) > 1).double()


def test_region_loss_of_one_scale_is_the_structure_loss(logits, mask):
    """F³Net's, which golden numbers pin for BiRefNet."""
    parts = build_criterion("InSPyReNet", "region").double()(SaliencyPyramid((logits,)), mask)
    assert parts["total"].item() == pytest.approx(structure(logits, mask).item(), rel=1e-12)
    assert parts["total"].item() == pytest.approx((parts["bce"] + parts["iou"]).item())


def test_region_iou_is_between_none_and_all(mask):
    weight = torch.ones_like(mask)
    right, wrong = (40 * (2 * m - 1) for m in (mask, 1 - mask))
    assert region_iou(right, mask, weight).abs().max() < 1e-12
    assert (region_iou(wrong, mask, weight) > 0.999).all()


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss is released, paper, region, not 'dice'"):
        build_criterion("InSPyReNet", "dice")
