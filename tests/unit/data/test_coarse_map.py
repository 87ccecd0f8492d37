"""A pyramid that starts from a given coarse map, and the damaged masks from which training starts it."""

import numpy as np
import pytest
import torch

from inspyrenet.data.augment.coarse_map import CoarseMap
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset
from inspyrenet.lib import build_model
from inspyrenet.lib.types import SizeError

STEPS = [("static_resize", {"size": (64, 96)}), ("random_flip", {"lr": True}), ("normalize", {})]


def network(name: str = "InSPyReNet_Light", **arguments) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(name, base_size=(64, 64), **arguments).eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("finest", [0, 1, 2, 3])
@torch.no_grad()
def test_finer_stages_go_on_from_the_given_map(image, finest):
    model = network(depth=8, finest_stage=finest)
    own = model(image)
    given = torch.where(torch.rand(2, 1, 8, 12, generator=torch.Generator().manual_seed(1)) > 0.5, 4.0, -4.0)
    out = model(image, given)
    assert torch.equal(out.saliency[0], given)
    for found, before in zip(out.saliency[1:], own.saliency[1:], strict=True):
        assert (found - before).abs().max() > 1
    if finest < 3:
        assert torch.equal(out.saliency[1], model.pyramid.reconstruct(given, out.laplacian[0]))


@torch.no_grad()
def test_nan_keeps_what_the_network_found(image):
    model = network(depth=8)
    own = model(image)
    nothing = torch.full((2, 1, 8, 12), torch.nan)
    assert all(torch.equal(a, b) for a, b in zip(model(image, nothing).saliency, own.saliency, strict=True))
    nothing[0, 0, 2:4, 3:5] = 5.0
    found = model(image, nothing)
    assert (found.saliency[0][0, 0, 2:4, 3:5] == 5).all() and torch.equal(found.saliency[0][1], own.saliency[0][1])


@torch.no_grad()
def test_large_images_take_a_given_map_like_small_ones():
    model = network(depth=8)
    image = torch.randn(1, 3, 544, 544, generator=torch.Generator().manual_seed(0))
    given = torch.randn(1, 1, 68, 68, generator=torch.Generator().manual_seed(1))
    assert model.uses_tiles((544, 544))
    tiled = model(image, given)
    model.fast = False
    full = model(image, given)
    assert (tiled.logits - full.logits).abs().max() < 1e-3 * full.logits.abs().max()


def test_a_map_of_another_size_is_refused(image):
    with pytest.raises(SizeError, match=r"the coarse map has shape \(2, 1, 4, 4\).*\(2, 1, 8, 12\)"):
        network(depth=8)(image, torch.zeros(2, 1, 4, 4))


# -- damaged masks ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mask() -> torch.Tensor:
    mask = torch.zeros(1, 160, 240)
    mask[:, 40:120, 64:184] = 1
    return mask


def test_damaged_masks_are_near_the_mask_and_differ_from_it(mask):
    maps = [CoarseMap(p=1)(mask, np.random.default_rng(seed)).sigmoid() for seed in range(60)]
    small = mask[:, ::8, ::8]
    errors = torch.stack([(m - small).abs().mean() for m in maps])
    assert all(m.shape == (1, 20, 30) and m.dtype == torch.float32 for m in maps)
    assert 0.03 < errors.mean() < 0.25 and errors.max() < 0.45
    assert all(m.min() >= 0.0199 and m.max() <= 0.9801 for m in maps)


def test_without_damage_it_is_the_reduced_mask(mask):
    given = CoarseMap(p=1, shift=0, blur=0, spots=0)
    maps = [given(mask, np.random.default_rng(seed)).sigmoid() > 0.5 for seed in range(30)]
    areas = {int(m.sum()) for m in maps}
    assert areas == {8 * 13, 10 * 15, 12 * 17}  # one cell less, as it is, one cell more


def test_empty_and_full_masks_are_no_error():
    for value in (0.0, 1.0):
        for seed in range(20):
            assert CoarseMap(p=1)(torch.full((1, 64, 64), value), np.random.default_rng(seed)).isfinite().all()


def test_the_share_of_given_maps_is_p(mask):
    given = [CoarseMap(p=0.3)(mask, np.random.default_rng(seed)) for seed in range(400)]
    none = sum(bool(m.isnan().all()) for m in given)
    assert all(m.isnan().all() or m.isfinite().all() for m in given)
    assert 0.6 < none / 400 < 0.8


def test_batches_bring_maps_and_keep_their_images(tmp_path):
    """The draws come last: image and mask are those of a data set without coarse maps."""
    write_dataset(tmp_path, "painted", 6, seed=1, size=(64, 96))
    pairs = find_pairs(tmp_path, ["painted"])
    plain = build_train_dataset(pairs, STEPS, 3)
    given = build_train_dataset(pairs, STEPS, 3, coarse_map={"p": 0.5})
    again = build_train_dataset(pairs, STEPS, 3, coarse_map={"p": 0.5})
    for i in range(6):
        assert torch.equal(plain[i]["image"], given[i]["image"]) and torch.equal(plain[i]["mask"], given[i]["mask"])
        assert given[i]["coarse"].shape == (1, 8, 12)
        assert torch.equal(given[i]["coarse"].nan_to_num(9), again[i]["coarse"].nan_to_num(9))
