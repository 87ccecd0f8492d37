"""The embedded data set: deterministic, exact, varied, and hard for anything that does not learn."""

import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, TRAIN_SEED, SyntheticShapes, ensure_dataset, write_dataset
from inspyrenet.data.datasets.torch_datasets import find_pairs
from inspyrenet.data.images.masks import read_mask
from inspyrenet.data.images.read import read_image

HELD_OUT = SyntheticShapes(60, HELD_OUT_SEED)


@pytest.fixture(scope="module")
def samples():
    return [HELD_OUT[index] for index in range(len(HELD_OUT))]


def f_curve(prediction, mask):
    """F (beta² 0.3) of a uint8 map at all 256 thresholds, the PySODMetrics convention."""
    truth = mask > 128
    inside = np.histogram(prediction[truth], 256, (0, 256))[0][::-1].cumsum()
    outside = np.histogram(prediction[~truth], 256, (0, 256))[0][::-1].cumsum()
    precision = inside / np.maximum(inside + outside, 1)
    recall = inside / max(int(truth.sum()), 1)
    return 1.3 * precision * recall / np.maximum(0.3 * precision + recall, 1e-12)


def max_f(samples, predict):
    return np.mean([f_curve(predict(image), mask) for image, mask in samples], axis=0).max()


def stretched(values):
    return np.rint(255 * (values - values.min()) / max(np.ptp(values), 1e-9)).astype(np.uint8)


def otsu(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)[1]


def saturation(image):
    return stretched(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1].astype(float))


def border_distance(image):
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).mean(axis=0)
    return stretched(np.linalg.norm(image - border, axis=2))


def center_prior(image):
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    return stretched(np.exp(-(((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2) / 0.1)))


def test_the_measure_knows_right_from_wrong(samples):
    truth = iter([mask for _, mask in samples])
    assert max_f(samples, lambda image: next(truth)) > 0.999


@pytest.mark.parametrize("predict", [otsu, lambda image: 255 - otsu(image), saturation, border_distance, center_prior])
def test_simple_cues_do_not_solve_it(samples, predict):
    assert max_f(samples, predict) <= 0.65


def test_pictures_depend_on_seed_and_index_alone(samples):
    again = SyntheticShapes(1000, HELD_OUT_SEED)[7]
    np.testing.assert_array_equal(again.image, samples[7].image)
    np.testing.assert_array_equal(again.mask, samples[7].mask)
    assert samples[7].image.shape != samples[8].image.shape or (samples[7].image != samples[8].image).any()
    with pytest.raises(IndexError):
        SyntheticShapes(3)[3]


def test_train_and_held_out_share_no_picture(samples):
    held_out = {image.tobytes() for image, _ in samples}
    assert len(held_out) == len(samples)
    assert not held_out & {SyntheticShapes(20, TRAIN_SEED)[index].image.tobytes() for index in range(20)}


def test_masks_are_exact_soft_and_varied(samples):
    for image, mask in samples:
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (*mask.shape, 3)
        assert mask.max() == 255
        assert 0.01 < (mask > 128).mean() < 0.6
    assert len({mask.shape for _, mask in samples}) > 20
    objects = [cv2.connectedComponents((mask > 128).astype(np.uint8))[0] - 1 for _, mask in samples]
    assert sum(count > 1 for count in objects) > 15
    soft = [np.mean((mask > 20) & (mask < 235)) for _, mask in samples]
    assert min(soft) < 0.02 < max(soft)  # some edges are hard, some soft
    opened = [cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8)) for _, mask in samples]
    thin = [((mask > 128) & (less < 128)).sum() for (_, mask), less in zip(samples, opened, strict=True)]
    assert sum(count > 150 for count in thin) > 10


def test_mask_marks_what_was_painted():
    """Inside a mask there is the object's texture alone: stripes make every larger inner window bright and dark."""
    contrast_inside, contrast_outside = [], []
    for image, mask in (SyntheticShapes(20, 5)[index] for index in range(20)):
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
        spread = np.sqrt(np.maximum(cv2.blur(gray**2, (13, 13)) - cv2.blur(gray, (13, 13)) ** 2, 0))
        inner = cv2.erode(mask, np.ones((17, 17))) == 255
        if inner.any():
            contrast_inside.append(np.percentile(spread[inner], 10))
            contrast_outside.append(np.percentile(spread[mask == 0], 10))
    assert np.median(contrast_inside) > 4 * np.median(contrast_outside)


def test_written_set_is_an_ordinary_data_set(tmp_path):
    write_dataset(tmp_path, "toy", 3, seed=4, size=(80, 96))
    pairs = find_pairs(tmp_path, ["toy"])
    assert [pair.name for pair in pairs] == ["00000", "00001", "00002"]
    sample = SyntheticShapes(3, 4, (80, 96))[1]
    np.testing.assert_array_equal(read_mask(pairs[1].mask), sample.mask)
    assert np.abs(read_image(pairs[1].image).astype(int) - sample.image).mean() < 4
    with pytest.raises(FileExistsError, match="not empty"):
        write_dataset(tmp_path, "toy", 3)


def test_ensure_is_idempotent_and_replaces_its_own_only(tmp_path):
    folder = ensure_dataset(tmp_path / "data", "toy", 2, size=(64, 64))
    stamp = (folder / "images" / "00000.jpg").stat().st_mtime_ns
    assert ensure_dataset(tmp_path / "data", "toy", 2, size=(64, 64)) == folder
    assert (folder / "images" / "00000.jpg").stat().st_mtime_ns == stamp
    ensure_dataset(tmp_path / "data", "toy", 1, size=(64, 64))
    assert len(list((folder / "images").iterdir())) == 1
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["toy"]
    own = tmp_path / "data" / "own"
    own.mkdir()
    (own / "precious.jpg").write_bytes(b"x")
    with pytest.raises(FileExistsError, match="other data"):
        ensure_dataset(tmp_path / "data", "own", 1)
    assert (own / "precious.jpg").is_file()


def test_an_interrupted_set_is_not_left_behind(tmp_path, monkeypatch):
    saved = Image.Image.save

    def full(self, path, *args, **options):
        if "masks" in str(path):
            raise OSError(28, "No space left on device")
        saved(self, path, *args, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        ensure_dataset(tmp_path, "toy", 2, size=(64, 64))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", [None, 1])
def test_several_at_once_agree(tmp_path, before):
    if before:
        ensure_dataset(tmp_path, "toy", before, size=(64, 64))
    failures = []

    def make():
        try:
            ensure_dataset(tmp_path, "toy", 2, size=(64, 64))
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(find_pairs(tmp_path, ["toy"])) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["toy"]


def test_impossible_sets_are_refused():
    with pytest.raises(ValueError, match="64x64"):
        SyntheticShapes(0)
    with pytest.raises(ValueError, match="64x64"):
        SyntheticShapes(1, size=(32, 99))
