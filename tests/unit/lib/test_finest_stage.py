"""A pyramid that ends at a coarser stage: the same maps, less work, and a criterion that asks for no more."""

import pytest
import torch

from inspyrenet.lib import build_model
from inspyrenet.lib.inference.pyramid_blending import predict
from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.types import SaliencyPyramid


def network(finest: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model("InSPyReNet_Light", depth=8, base_size=(64, 64), finest_stage=finest)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("finest", [1, 2, 3])
def test_stages_that_stay_are_those_of_the_whole_pyramid(finest, image):
    whole, short = network(0).eval(), network(finest).eval()
    short.load_state_dict(whole.state_dict())
    with torch.no_grad():
        expected, found = whole(image), short(image)
    assert len(found.saliency) == 4 - finest and len(found.laplacian) == 3 - finest
    stay = (*expected.saliency[: 4 - finest], *expected.laplacian[: 3 - finest])
    assert all(torch.equal(a, b) for a, b in zip((*found.saliency, *found.laplacian), stay, strict=True))
    assert torch.equal(found.logits, expected.saliency[3 - finest])


def test_criterion_of_a_short_pyramid_is_the_coarse_part_of_the_whole(image):
    mask = (image[:, :1] > 0).float()
    criterion = build_criterion("InSPyReNet")
    saliency = tuple(
        torch.randn(2, 1, 64 // k, 64 // k, generator=torch.Generator().manual_seed(k)) for k in (8, 4, 2, 1)
    )
    parts = [criterion(SaliencyPyramid(saliency[:n]), mask) for n in (1, 2, 3, 4)]
    totals = [float(part["bce"]) for part in parts]
    assert totals == sorted(totals) and len(set(totals)) == 4
    finest = criterion._scale(saliency[3], mask, 0, (64, 64))["bce"]
    assert float(parts[3]["bce"] - parts[2]["bce"]) == pytest.approx(float(finest), rel=1e-5)
    assert float(parts[0]["consistency"]) == 0


def test_only_what_is_used_gets_gradients(image):
    model = network(3).train()
    build_criterion("InSPyReNet")(model(image), (image[:, :1] > 0).float())["total"].backward()
    unused = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert {"context1", "context2", "attention0", "attention1", "attention2"} <= unused
    assert not unused & {"context3", "context4", "context5", "decoder"}


def test_blending_a_short_pyramid_is_refused(image):
    with pytest.raises(ValueError, match="finest_stage is 2: set threshold to null"):
        predict(network(2).eval(), torch.randn(1, 3, 96, 96), threshold=64)


def test_unknown_stage():
    with pytest.raises(ValueError, match="finest_stage is 0, 1, 2 or 3, not 4"):
        network(4)
