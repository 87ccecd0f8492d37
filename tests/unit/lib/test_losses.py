"""Losses of the pyramid that no golden number pins."""

import pytest
import torch

from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.losses.terms import boundary_weight, edge_bce, region_iou, undecided
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


@pytest.fixture(scope="module")
def square():
    mask = torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    mask[..., 20:60, 20:60] = 1
    return mask


def test_haze_counts_undecided_pixels_away_from_edges(square):
    weight = boundary_weight(square, size=7)
    certain = torch.where(square > 0.5, 20.0, -20.0).to(square)
    assert undecided(certain, weight) < 1e-6
    assert undecided(torch.zeros_like(square), weight) == 1
    near = torch.where(weight > 1.001, torch.zeros_like(square), certain)
    assert undecided(near, weight) < 1e-6


def test_edge_counts_the_pixels_beside_an_edge_alone(square):
    mask = square.clone()
    mask[..., 20:60, 60:] = 1  # the object touches the border of the image, which is no edge
    logits = torch.where(mask > 0.5, 20.0, -20.0).to(mask)
    wrong_inside = logits.clone()
    wrong_inside[..., 30:50, 30:] = -20
    assert edge_bce(logits, mask) == edge_bce(wrong_inside, mask) < 1e-6
    wrong_beside = logits.clone()
    wrong_beside[..., 18:20, 30:50] = 20  # two of the four rows that count, over 20 columns
    assert edge_bce(wrong_beside, mask) > 1
    assert edge_bce(logits, torch.ones_like(mask)) == 0


def test_further_terms_add_to_the_region_loss(square):
    logits = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = build_criterion("InSPyReNet", "region").double()(SaliencyPyramid((logits,)), square)
    more = build_criterion("InSPyReNet", "region", ssim=0.5, haze=0.1).double()(SaliencyPyramid((logits,)), square)
    expected = plain["total"] + 0.5 * more["ssim"] + 0.1 * more["haze"]
    assert 0 < more["ssim"] < 1 and 0 < more["haze"] < 1
    assert torch.allclose(more["total"], expected)
    with pytest.raises(ValueError, match="terms of the loss region, not of released"):
        build_criterion("InSPyReNet", "released", haze=0.1)


@pytest.mark.parametrize("loss", ["released", "paper", "region"])
def test_weights_scale_add_and_switch_off_terms(square, loss):
    logits = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = {"bce": 0.5, "iou": 0, "mae": 2, "haze": 0.1}
    parts = build_criterion("InSPyReNet", loss, weights=weights).double()(SaliencyPyramid((logits,)), square)
    assert set(parts) == {"bce", "mae", "haze", "consistency", "total"}
    assert torch.allclose(parts["mae"], (logits.sigmoid() - square).abs().mean())
    assert torch.allclose(parts["total"], 0.5 * parts["bce"] + 2 * parts["mae"] + 0.1 * parts["haze"])
    plain = build_criterion("InSPyReNet", loss).double()(SaliencyPyramid((logits,)), square)
    assert parts["bce"] == plain["bce"]


def test_weights_that_leave_nothing_to_learn_are_refused():
    with pytest.raises(ValueError, match="every loss term has the weight 0"):
        build_criterion("InSPyReNet", weights={"bce": 0, "iou": 0})
    with pytest.raises(ValueError, match="unknown loss term 'contour'; known: bce, iou, ssim, mae, haze, edge"):
        build_criterion("InSPyReNet", weights={"contour": 1})
