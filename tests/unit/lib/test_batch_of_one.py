"""A batch of one image in training: every network says what to do where its BatchNorm has nothing to learn from."""

import pytest
import torch

from inspyrenet.lib import build_model
from inspyrenet.lib.fast.switchable import Switchable
from inspyrenet.lib.modules.norm import BatchSizeError

SMALLEST = [
    ("InSPyReNet_Light", 32, {"depth": 16}),
    ("InSPyReNet_Res2Net50", 32, {"depth": 16}),
    ("InSPyReNet_SwinT", 32, {"depth": 16}),  # a Swin has no BatchNorm; the contexts behind it do
    ("BiRefNet_ResNet50", 64, {}),
    ("BiRefNet_PVTv2B2", 64, {}),
    ("PSPNet_ResNet50", 32, {}),
]


def network(name: str, size: int, arguments: dict, fast: bool) -> Switchable:
    return build_model(name, base_size=(size, size), fast=fast, **arguments)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(("name", "size", "arguments"), SMALLEST, ids=[name for name, *_ in SMALLEST])
def test_one_image_of_the_smallest_size(name, size, arguments, fast, flushed):
    net = network(name, size, arguments, fast).train()
    with pytest.raises(BatchSizeError, match=r"batch of one image.*batch_size to 2 or more"):
        net(torch.zeros(1, 3, size, size))
    with torch.no_grad():
        assert net.eval()(torch.zeros(1, 3, size, size)).logits.shape == (1, 1, size, size)


@pytest.mark.parametrize(("shape", "arguments"), [((2, 3, 32, 32), {}), ((1, 3, 32, 64), {})])
def test_two_values_are_enough(shape, arguments, flushed):
    net = network("InSPyReNet_Light", 32, {"depth": 16, **arguments}, True).train()
    assert net(torch.zeros(shape)).logits.shape == (shape[0], 1, *shape[2:])


def test_other_errors_stay_what_they_are():
    class Wrong(Switchable):
        def forward(self, image):
            raise ValueError("something else")

    with pytest.raises(ValueError, match="something else") as caught:
        Wrong().train()(torch.zeros(1))
    assert not isinstance(caught.value, BatchSizeError)
