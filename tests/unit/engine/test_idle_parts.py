"""Everything that learns gets a gradient: several processes wait for each one."""

import pytest
import torch

from inspyrenet.engine.train import freeze_idle
from inspyrenet.lib.losses.birefnet import BiRefNetCriterion
from inspyrenet.lib.models.birefnet import BiRefNet
from tests.thin_networks import Encoder


@pytest.mark.parametrize(
    ("gradient", "classification", "labeled"),
    [(1.0, 5.0, True), (0.0, 5.0, True), (1.0, 5.0, False), (0.0, 0.0, True)],
)
def test_a_part_without_a_loss_does_not_learn(gradient, classification, labeled):
    model = BiRefNet(Encoder(), (64, 64), classes=2).train()
    criterion = BiRefNetCriterion(gradient=gradient, classification=classification)
    freeze_idle(model, criterion, labeled)
    mask, label = torch.zeros(2, 1, 64, 64), torch.tensor([0, 1]) if labeled else None
    criterion(model(torch.rand(2, 3, 64, 64)), mask, label)["total"].backward()
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learning == {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert ("cls_head.0.weight" in learning) == (labeled and classification > 0)
    assert ("decoder.gdt_convs_pred_2.0.weight" in learning) == (gradient > 0)
