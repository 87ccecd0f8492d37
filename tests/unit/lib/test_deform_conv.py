"""Deformable convolution: start, definition, exchangeable samplers, half precision."""

import pytest
import torch
from torch.nn import functional as F

from inspyrenet.lib.modules.aspp import DeformASPP
from inspyrenet.lib.modules.deform_conv import DeformConv, deform_grid, deform_torchvision


def inputs(kernel: int, height: int = 9, width: int = 7, spread: float = 2.0) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(kernel)
    taps = kernel * kernel
    x, weight = torch.randn(2, 4, height, width), torch.randn(5, 4, kernel, kernel)
    offset, mask = spread * torch.randn(2, 2 * taps, height, width), 2 * torch.rand(2, taps, height, width)
    return tuple(t.double() for t in (x, offset, mask, weight))


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("size", [(9, 7), (1, 5), (1, 1)])
def test_samplers_are_the_same_function(kernel, size):
    given = inputs(kernel, *size)
    assert torch.allclose(deform_grid(*given), deform_torchvision(*given), rtol=0, atol=1e-12)


def test_samplers_have_the_same_gradient():
    for turn in range(4):
        gradients = []
        for sample in (deform_grid, deform_torchvision):
            given = [t.clone() for t in inputs(3)]
            given[turn].requires_grad_()
            sample(*given).square().sum().backward()
            gradients.append(given[turn].grad)
        assert torch.allclose(*gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sampler", ["torchvision", "grid"])
def test_it_starts_as_a_plain_convolution(sampler):
    conv = DeformConv(4, 6, 3, sampler)
    x = torch.randn(2, 4, 8, 10)
    assert torch.allclose(conv(x), F.conv2d(x, conv.regular_conv.weight, padding=1), atol=1e-5)


def test_whole_offsets_move_the_taps_and_masks_weigh_them():
    x = torch.randn(1, 1, 6, 6)
    weight = torch.ones(1, 1, 1, 1)
    offset = torch.zeros(1, 2, 6, 6)
    offset[:, 0], offset[:, 1] = 1, -2  # (Δy, Δx)
    out = deform_torchvision(x, offset, torch.full((1, 1, 6, 6), 0.5), weight)
    assert torch.allclose(out[..., :5, 2:], 0.5 * x[..., 1:, :4])
    assert not out[..., 5, :].any() and not out[..., :2].any()  # outside is zero


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_on_the_cpu(dtype):
    conv = DeformConv(4, 6, 3)
    torch.nn.init.normal_(conv.offset_conv.weight, std=0.1)
    x = torch.randn(1, 4, 8, 8)
    exact = conv(x)
    assert conv.to(dtype)(x.to(dtype)).dtype == dtype
    assert torch.allclose(conv(x.to(dtype)).float(), exact, atol=0.2)


def test_autocast_on_the_cpu():
    conv = DeformConv(4, 6, 3)
    x = torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = conv(x)
    assert out.dtype == torch.bfloat16
    assert torch.allclose(out.float(), conv(x), atol=0.1)


def test_pooling_block_with_one_image():
    x = torch.randn(1, 8, 4, 6)
    with pytest.raises(ValueError, match="more than 1 value per channel"):  # the network says what to do
        DeformASPP(8).train()(x)
    assert DeformASPP(8).eval()(x).shape == x.shape
    assert DeformASPP(8, norm="frozen").train()(x).shape == x.shape
    block = DeformASPP(8).train()
    for module in block.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # as Train.FineTune.freeze_batchnorm does
    assert block(x).shape == x.shape
