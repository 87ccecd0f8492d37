"""Convolutions whose bfloat16 gradients a CPU does badly compute in float32 while they train."""

import pytest
import torch

from inspyrenet.lib.modules.conv import ConvUnit


@pytest.mark.parametrize(("channels_in", "channels_out"), [(24, 24), (40, 40), (24, 16), (16, 24)])
def test_gradients_of_dilated_convolutions_in_bfloat16_are_those_of_float32(channels_in, channels_out):
    torch.manual_seed(0)
    conv = ConvUnit(channels_in, channels_out, 3, dilation=3).to(memory_format=torch.channels_last).conv
    x = torch.randn(2, channels_in, 40, 40).contiguous(memory_format=torch.channels_last).bfloat16()
    gradients = []
    for autocast in (True, False):
        conv.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = conv(x if autocast else x.float())
        y.square().sum().backward()
        gradients.append(conv.weight.grad.clone())
    assert torch.isfinite(gradients[0]).all()
    assert torch.equal(*gradients)


def test_other_convolutions_compute_in_bfloat16():
    x = torch.randn(1, 32, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert ConvUnit(32, 32, 3, dilation=3).conv(x).dtype == torch.bfloat16
        assert ConvUnit(32, 24, 3).conv(x).dtype == torch.bfloat16
