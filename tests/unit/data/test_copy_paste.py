"""Copy-paste: what an image gets from another, and that it depends on seed, epoch and index alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspyrenet.data.augment.copy_paste import CopyPaste
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.pairs import find_pairs
from inspyrenet.data.datasets.synthetic import write_dataset

STEPS = [("static_resize", {"size": (48, 64)}), ("random_flip", {}), ("random_scale_crop", {"p": 1.0})]


@given(seed=st.integers(0, 1000), opacity=st.floats(0, 1))
def test_the_object_comes_with_its_opacity_and_both_are_salient(seed, opacity):
    rng = torch.Generator().manual_seed(seed)
    image, other = torch.rand(2, 3, 6, 5, generator=rng)
    mask = torch.rand(1, 6, 5, generator=rng).round()
    other_mask = torch.zeros(1, 6, 5)
    other_mask[:, 2:, :3] = opacity
    pasted, both = CopyPaste.apply(image, mask, other, other_mask)
    untouched = (other_mask == 0).expand(3, -1, -1)
    assert torch.equal(pasted[untouched], image[untouched])
    inside = (opacity * other + (1 - opacity) * image)[:, 2:, :3]
    torch.testing.assert_close(pasted[:, 2:, :3], inside, atol=1e-6, rtol=0)
    assert (both >= mask).all() and (both >= other_mask).all() and both.max() <= 1


def test_p_is_the_share_of_images_and_every_pair_gives_its_object():
    rng = np.random.default_rng(0)
    drawn = [CopyPaste(0.3).draw(rng, 5) for _ in range(2000)]
    given_one = [index for index in drawn if index is not None]
    assert 0.25 < len(given_one) / len(drawn) < 0.35
    assert set(given_one) == set(range(5))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    root = tmp_path_factory.mktemp("pasting")
    write_dataset(root, "painted", 6, seed=1, size=(64, 80))
    return find_pairs(root, ["painted"])


@pytest.mark.parametrize("pipeline", ["fast", "pil"])
def test_only_the_object_is_added(pairs, pipeline):
    plain = build_train_dataset(pairs, STEPS, 3, pipeline)
    pasting = build_train_dataset(pairs, STEPS, 3, pipeline, copy_paste={"p": 1.0})
    added = 0
    for index in range(len(pairs)):
        before, after = plain[index], pasting[index]
        assert (after["mask"] >= before["mask"]).all()
        moved = (after["image"] != before["image"]).any(dim=0, keepdim=True)
        assert (after["mask"][moved] > 0).all()  # the picture changes under the object alone
        added += int((after["mask"] > before["mask"]).any())
    assert added > 0


def test_what_is_pasted_depends_on_seed_epoch_and_index_alone(pairs):
    def items(seed, epoch, order):
        dataset = build_train_dataset(pairs, STEPS, seed, copy_paste={"p": 0.5})
        dataset.set_epoch(epoch)
        return {index: dataset[index]["image"] for index in order}

    forwards, backwards = items(1, 4, range(6)), items(1, 4, reversed(range(6)))
    assert all(torch.equal(forwards[index], backwards[index]) for index in range(6))
    assert not all(torch.equal(forwards[index], other) for index, other in items(1, 5, range(6)).items())


def test_never_is_the_same_as_without(pairs):
    plain, never = build_train_dataset(pairs, STEPS, 3), build_train_dataset(pairs, STEPS, 3, copy_paste={"p": 0.0})
    for index in range(len(pairs)):
        assert torch.equal(plain[index]["image"], never[index]["image"])
        assert torch.equal(plain[index]["mask"], never[index]["mask"])
