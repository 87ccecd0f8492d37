"""Joined conv units: the numbers of the plain ones, and as few convolutions as promised."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from inspyrenet.lib.fast.conv_unit import aligned
from inspyrenet.lib.fast.fused_conv1x1 import fused_conv1x1
from inspyrenet.lib.modules.attention import AxialAttention, attend_both
from inspyrenet.lib.modules.conv import ConvUnit
from inspyrenet.lib.modules.paa import PAAEncoder


def settled(module: nn.Module) -> nn.Module:
    """With statistics, scales and factors that are not those of a new network."""
    generator = torch.Generator().manual_seed(1)
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            for tensor, low in ((child.running_mean, -0.5), (child.running_var, 0.5), (child.weight, 0.5)):
                tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + low)
            child.bias.data.copy_(torch.rand(child.bias.shape, generator=generator) - 0.5)
        if isinstance(child, AxialAttention):
            child.gamma.data.fill_(0.7)
    return module


def reference(module: nn.Module) -> nn.Module:
    twin = copy.deepcopy(module)
    for child in twin.modules():
        if hasattr(child, "fast"):
            child.fast = False
    return twin


def convolutions(run) -> int:
    calls = []
    with FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten.convolution: lambda *a, **k: calls.append(1) or 0}
    ):
        run()
    return len(calls)


@pytest.mark.parametrize("training", [True, False])
def test_encoder_context_equals_its_plain_formulation(training):
    torch.manual_seed(0)
    fast = settled(PAAEncoder(12, 16)).train(training)
    slow = reference(fast)
    x = torch.randn(2, 12, 8, 8)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outs = [module(value) for module, value in zip((fast, slow), inputs, strict=True)]
    torch.testing.assert_close(outs[0], outs[1], atol=1e-4, rtol=1e-4)
    for out in outs:
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, atol=1e-3, rtol=1e-3)
    for (name, a), b in zip(fast.named_parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=2e-3, rtol=2e-3, msg=lambda text, name=name: f"{name}: {text}")
    for (name, a), b in zip(fast.named_buffers(), slow.buffers(), strict=True):  # running statistics, batches seen
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


def test_one_product_where_there_were_many():
    context = settled(PAAEncoder(12, 16)).eval()
    with torch.no_grad():
        few, many = (convolutions(lambda m=m: m(torch.randn(1, 12, 8, 8))) for m in (context, reference(context)))
    assert (few, many) == (14, 33)


def test_gradients_come_back_with_the_channels_innermost():
    seen = []
    x = torch.randn(2, 3, 4, 5, requires_grad=True) * 2
    x.register_hook(seen.append)
    y = aligned(x)
    assert torch.equal(x, y) and y.is_contiguous(memory_format=torch.channels_last)
    y.backward(torch.ones(2, 3, 4, 5))
    assert seen[0].is_contiguous(memory_format=torch.channels_last) and torch.equal(seen[0], torch.ones(2, 3, 4, 5))
    with torch.no_grad():
        assert aligned(x) is x


def test_norms_in_different_modes_are_taken_one_by_one():
    units = [settled(ConvUnit(3, 4)), settled(ConvUnit(3, 2))]
    units[1].bn.eval()  # frozen statistics, as in fine-tuning
    before = units[1].bn.running_mean.clone()
    x = torch.randn(2, 3, 4, 4)
    expected = [unit(x) for unit in copy.deepcopy(units)]
    for a, b in zip(fused_conv1x1(units, x), expected, strict=True):
        torch.testing.assert_close(a, b)
    assert torch.equal(units[1].bn.running_mean, before)


def test_attention_along_both_axes_equals_its_parts_in_bfloat16_too():
    torch.manual_seed(0)
    rows, columns = settled(AxialAttention(16, "h")).eval(), settled(AxialAttention(16, "w")).eval()
    x = torch.randn(1, 16, 8, 8)
    with torch.no_grad():
        expected = rows(x) + columns(x)
        torch.testing.assert_close(attend_both(rows, columns, x), expected, atol=1e-4, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            half = attend_both(rows, columns, x)
    assert torch.isfinite(half).all()
