"""A coarse map of one's own in `predict`, in one pass and blended."""

import pytest
import torch

from inspyrenet.lib import build
from inspyrenet.lib.inference.pyramid_blending import base_copy, blend, predict
from inspyrenet.lib.types import SizeError
from tests.thin_networks import calibrated, thin_building


@pytest.fixture(scope="module")
def network():
    with thin_building():
        return calibrated(build.build_model("InSPyReNet_SwinT", base_size=(64, 64))).eval()


@pytest.mark.parametrize("threshold", [None, 64])
@torch.no_grad()
def test_a_coarse_map_takes_the_place_of_the_networks_own(network, threshold):
    image = torch.randn(1, 3, 128, 160, generator=torch.Generator().manual_seed(0))
    seen = image if threshold is None else base_copy(network, image)
    left = torch.full((1, 1, seen.shape[2] // 8, seen.shape[3] // 8), -20.0)
    left[..., : left.shape[3] // 2] = 20
    found = predict(network, image, threshold=threshold, coarse=left).logits
    changed = network(seen, left)
    wanted = changed if threshold is None else blend(network, changed, image, "as_trained")
    assert torch.equal(changed.saliency[0], left)
    torch.testing.assert_close(found, wanted.logits)
    own = predict(network, image, threshold=threshold).logits
    assert (found - own).abs().max() > 1
    same = predict(network, image, threshold=threshold, coarse=torch.full_like(left, float("nan"))).logits
    torch.testing.assert_close(same, own)
    with pytest.raises(SizeError, match="coarse map has shape"):
        predict(network, image, threshold=threshold, coarse=left[..., 1:])
