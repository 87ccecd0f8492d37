"""LoRA: what learns, and that merged weights are those of the corrected network."""

import pytest
import torch
from torch import nn

from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.lib.modules.lora import add_lora, merged


def encoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 4))


def test_it_starts_as_the_network_and_only_corrections_learn():
    net, x = encoder(), torch.randn(3, 6)
    before = net(x)
    assert add_lora(net, rank=2, alpha=4.0) == 2
    assert torch.equal(net(x), before)
    learning = {name for name, p in net.named_parameters() if p.requires_grad}
    assert learning == {f"{layer}.parametrizations.weight.0.{part}" for layer in (0, 2) for part in "ab"}


def test_merged_weights_give_what_the_corrected_network_gives():
    net, x = encoder(), torch.randn(3, 6)
    add_lora(net, rank=2, alpha=4.0)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)
    for _ in range(2):
        net(x).square().sum().backward()
        optimizer.step()
    plain = load_state(encoder(), {"model": net.state_dict()})
    assert not torch.equal(net(x), encoder()(x))
    torch.testing.assert_close(plain(x), net(x))
    assert merged(net.state_dict()).keys() == encoder().state_dict().keys()


def test_an_encoder_without_linear_layers_is_refused():
    with pytest.raises(ValueError, match="no linear layers"):
        add_lora(nn.Conv2d(3, 4, 3), 2, 4.0)
