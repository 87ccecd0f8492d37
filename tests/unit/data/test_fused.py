"""The fused pipeline: the same augmentation as the Pillow one, within a bound, from any file."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from inspyrenet.data.augment.fused import FastCompose
from inspyrenet.data.augment.transforms import TRANSFORMS, Sample, StaticResize, build_transforms
from inspyrenet.data.datasets import reader
from inspyrenet.data.datasets.build import build_train_dataset
from inspyrenet.data.datasets.reader import FastReader
from inspyrenet.data.datasets.synthetic import SyntheticShapes
from inspyrenet.data.datasets.torch_datasets import find_pairs, read_pair
from inspyrenet.data.images.read import ImageError

SIZE = 192


def steps(scale=0.0, flip=0.0, rotate=0.0, enhance=0.0, normalize=False):
    listed = [
        ("static_resize", {"size": [SIZE, SIZE]}),
        ("random_scale_crop", {"p": scale}),
        ("random_flip", {"p": flip, "ud": True}),
        ("random_rotate", {"p": rotate}),
        ("random_image_enhance", {"p": enhance}),
    ]
    return listed + ([("normalize", {})] if normalize else [])


def photo_like(index):
    """As smooth as a photograph: pictures of the embedded set, enlarged and a little blurred; masks binary."""
    image, mask = SyntheticShapes(8, seed=11, size=(96, 128))[index]
    image = cv2.GaussianBlur(cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC), (0, 0), 1.2)
    mask = cv2.resize(mask, (160, 120))
    return Sample(image, np.where(mask > 127, 255, 0).astype(np.uint8))


PHOTOS = [photo_like(index) for index in range(8)]


def both(compose, sample, seed):
    return compose(sample, np.random.default_rng(seed)), FastCompose(compose)(sample, np.random.default_rng(seed))


def differences(compose):
    """(mean, 99th percentile, IoU) of the two pipelines per photo, image values in 0..255."""
    results = []
    for seed, photo in enumerate(PHOTOS):
        (image, mask), (fast_image, fast_mask) = both(compose, photo, seed)
        difference = ((image - fast_image) * 255).abs()
        overlap = torch.minimum(mask, fast_mask).sum() / torch.maximum(mask, fast_mask).sum().clamp(min=1)
        results.append((difference.mean().item(), np.percentile(difference.numpy(), 99), overlap.item()))
    return np.array(results)


@pytest.mark.parametrize(
    ("options", "mean", "high", "overlap"),
    [
        ({}, 0.5, 1, 1.0),
        ({"flip": 1}, 0.5, 1, 1.0),
        ({"rotate": 1}, 0.6, 2, 0.998),
        ({"enhance": 1}, 1.0, 3.5, 1.0),
        ({"scale": 1}, 1.5, 8, 0.97),
        ({"scale": 1, "flip": 1, "rotate": 1, "enhance": 1}, 4.0, 30, 0.94),
        ({"scale": 0.5, "flip": 0.5, "rotate": 0.5, "enhance": 0.5}, 4.0, 30, 0.94),
    ],
)
def test_difference_to_the_pillow_pipeline_is_bounded(options, mean, high, overlap):
    found = differences(build_transforms(steps(**options)))
    assert found[:, 0].max() <= mean
    assert found[:, 1].max() <= high
    assert found[:, 2].min() >= overlap


def test_the_bound_would_notice_a_wrong_geometry():
    compose = build_transforms(steps(scale=1, rotate=1))
    (image, mask), _ = both(compose, PHOTOS[0], 0)
    _, (other, other_mask) = both(compose, PHOTOS[0], 1)
    assert ((image - other) * 255).abs().mean() > 8
    shifted = torch.roll(mask, 4, dims=2)
    assert torch.minimum(mask, shifted).sum() / torch.maximum(mask, shifted).sum() < 0.94
    assert not torch.equal(mask, other_mask)


@pytest.mark.parametrize(("scale", "angle"), [(1.25, 9), (1.25, -10), (0.75, 9), (1.1, 0), (0.9, -3)])
def test_padding_is_black_exactly_where_pillow_pads(scale, angle):
    white = Sample(np.full((SIZE, SIZE, 3), 255, np.uint8), np.full((SIZE, SIZE), 255, np.uint8))
    compose = build_transforms(
        [
            ("random_scale_crop", {"range": (scale, scale), "p": 1}),
            ("random_rotate", {"range": (angle, angle + 1), "p": 1}),
        ]
    )
    (image, mask), (fast_image, fast_mask) = both(compose, white, 0)
    assert ((image[0] > 0.5) != (fast_image[0] > 0.5)).float().mean() < 0.012  # a pixel's width along the border
    assert (mask != fast_mask).float().mean() < 0.012
    assert fast_image[0, 0, 0] == image[0, 0, 0]
    if angle == 0 and scale > 1:  # no border of the source may show
        assert fast_image.min() == 1


def test_masks_stay_binary_or_soft():
    compose = build_transforms(steps(scale=1, flip=1, rotate=1))
    (_, _), (_, binary) = both(compose, PHOTOS[0], 2)
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    soft = Sample(PHOTOS[0].image, cv2.GaussianBlur(PHOTOS[0].mask, (0, 0), 5))
    (_, expected), (_, found) = both(compose, soft, 2)
    assert len(found.unique()) > 50
    assert (expected - found).abs().mean() < 0.01


def test_normalization_is_the_same():
    (image, _), (fast, _) = both(build_transforms(steps(normalize=True)), PHOTOS[1], 0)
    assert (image - fast).abs().max() < 1.01 / 255 / 0.224
    assert fast.is_contiguous()
    assert fast.dtype == torch.float32


@settings(max_examples=30)
@given(
    st.permutations(["random_scale_crop", "random_flip", "random_rotate", "random_image_enhance", "random_rotate"]),
    st.integers(0, 2**32),
)
def test_any_order_of_steps_works(order, seed):
    """Steps that cannot be fused are carried out one after the other; the result still follows Pillow's."""
    compose = build_transforms([("static_resize", {"size": (64, 80)}), *((name, {"p": 1}) for name in order)])
    (image, mask), (fast_image, fast_mask) = both(compose, PHOTOS[2], seed)
    assert fast_image.shape == image.shape == (3, 64, 80)
    assert (image - fast_image).abs().mean() * 255 < 12
    assert (mask - fast_mask).abs().mean() < 0.06


def test_the_sample_is_not_changed_and_results_do_not_share_memory():
    compose = FastCompose(build_transforms(steps(flip=0.5, scale=0.5, rotate=0.5, enhance=1)))
    sample = Sample(PHOTOS[3].image.copy(), PHOTOS[3].mask.copy())
    results = [compose(sample, np.random.default_rng(seed)) for seed in range(6)]
    np.testing.assert_array_equal(sample.image, PHOTOS[3].image)
    np.testing.assert_array_equal(sample.mask, PHOTOS[3].mask)
    again = compose(sample, np.random.default_rng(0))
    assert torch.equal(results[0][0], again[0])
    assert torch.equal(results[0][1], again[1])


# -- reading --------------------------------------------------------------------------------------------------------


def write_pair(folder, height=90, width=120, name="a.jpg", exif=None, mode="RGB", mask_size=None):
    for part in ("images", "masks"):
        (folder / "set" / part).mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:height, :width]
    picture = np.stack([128 + 100 * np.sin(x / 17), 128 + 100 * np.cos(y / 13), (x + y) % 256], 2).astype(np.uint8)
    options = {"exif": exif} if exif else {}
    Image.fromarray(picture).convert(mode).save(folder / "set/images" / name, quality=90, **options)
    shape = mask_size or (height, width)
    mask = np.zeros(shape, np.uint8)
    mask[: shape[0] // 2] = 255
    Image.fromarray(mask).save(folder / "set/masks" / f"{name.split('.')[0]}.png")


@pytest.mark.parametrize(
    ("name", "mode"), [("a.jpg", "RGB"), ("a.jpg", "L"), ("a.jpg", "CMYK"), ("a.png", "RGB"), ("a.webp", "RGBA")]
)
def test_every_kind_of_file_gives_the_same_sample(tmp_path, name, mode):
    write_pair(tmp_path, name=name, mode=mode)
    (pair,) = find_pairs(tmp_path, ["set"])
    exact, fast = read_pair(pair), FastReader(None)(pair)
    np.testing.assert_array_equal(fast.image, exact.image)
    np.testing.assert_array_equal(fast.mask, exact.mask)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = (90, 120) if orientation < 5 else (120, 90)
    write_pair(tmp_path, exif=exif, mask_size=upright)
    (pair,) = find_pairs(tmp_path, ["set"])
    np.testing.assert_array_equal(FastReader(None)(pair).image, read_pair(pair).image)


@pytest.mark.parametrize("shape", [(640, 960), (641, 963), (300, 500), (200, 196)])
def test_large_files_shrink_as_pillow_shrinks_them(tmp_path, shape):
    write_pair(tmp_path, *shape)
    (pair,) = find_pairs(tmp_path, ["set"])
    resize = StaticResize((SIZE, SIZE))
    exact, fast = resize.apply(read_pair(pair), None), FastReader(resize)(pair)
    difference = np.abs(exact.image.astype(int) - fast.image)
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 5
    np.testing.assert_array_equal(exact.mask, fast.mask)


def test_large_jpegs_are_decoded_smaller(tmp_path):
    write_pair(tmp_path, 1200, 1300)
    (pair,) = find_pairs(tmp_path, ["set"])
    image, factor = reader._decode(pair, (192, 192))
    assert factor == 4
    assert image.shape == (300, 325, 3)


def test_bad_files_say_what_is_wrong(tmp_path):
    write_pair(tmp_path)
    (pair,) = find_pairs(tmp_path, ["set"])
    Image.fromarray(np.zeros((33, 44), np.uint8)).save(pair.mask)
    with pytest.raises(ImageError, match=r"120x90 but its mask .* 44x33"):
        FastReader(None)(pair)
    whole = pair.image.read_bytes()
    for content, message in ((whole[: len(whole) // 2], "damaged"), (b"", "0 bytes"), (b"text", "not an image")):
        pair.image.write_bytes(content)
        with pytest.raises(ImageError, match=message):
            FastReader(None)(pair)
    pair.image.unlink()
    with pytest.raises(ImageError, match="no such file"):
        FastReader(None)(pair)


def test_workers_give_the_same_batches_even_after_opencv_used_threads(tmp_path):
    for index in range(5):
        write_pair(tmp_path, 90 + index, 100, name=f"{index}.jpg")
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 5)  # starts OpenCV's threads in this process
    dataset = build_train_dataset(find_pairs(tmp_path, ["set"]), steps(0.5, 0.5, 0.5, 0.5, True), seed=3)
    alone = list(DataLoader(dataset, batch_size=2))
    shared = list(DataLoader(dataset, batch_size=2, num_workers=2))
    cv2.setNumThreads(-1)
    for first, second in zip(alone, shared, strict=True):
        assert torch.equal(first["image"], second["image"])
        assert torch.equal(first["mask"], second["mask"])


def test_both_pipelines_draw_alike(tmp_path):
    for index in range(6):
        write_pair(tmp_path, 90 + index, 100, name=f"{index}.jpg")
    pairs = find_pairs(tmp_path, ["set"])
    listed = steps(0.5, 0.5, 0.5, 0.5)
    fast, pil = (build_train_dataset(pairs, listed, seed=9, pipeline=name) for name in ("fast", "pil"))
    for index in range(6):
        overlap = torch.minimum(fast[index]["mask"], pil[index]["mask"]).sum() / fast[index]["mask"].sum()
        assert overlap > 0.95
    with pytest.raises(ValueError, match="pipeline"):
        build_train_dataset(pairs, listed, pipeline="slow")


@dataclass(frozen=True)
class BlackResize(StaticResize):
    """A resize of its own kind."""

    def apply(self, sample, drawn):
        return Sample(np.zeros((*self.size, 3), np.uint8), np.zeros(self.size, np.uint8))


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_other_kinds_of_resize_are_applied_as_they_say(tmp_path, monkeypatch, cache):
    write_pair(tmp_path)
    monkeypatch.setitem(TRANSFORMS, "black_resize", BlackResize)
    dataset = build_train_dataset(find_pairs(tmp_path, ["set"]), [("black_resize", {"size": (16, 24)})], cache=cache)
    assert dataset[0]["image"].shape == (3, 16, 24)
    assert dataset[0]["image"].max() == 0
