"""Size-invariant metrics equal pysodmetrics, on single pairs and over data sets."""

import math
import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from py_sod_metrics import Emeasure, FmeasureHandler, SizeInvarianceFmeasureV2, SizeInvarianceMAE
from py_sod_metrics.size_invariance import encode_bboxwise_tgts_bitwise, get_kth_bit, parse_connected_components
from py_sod_metrics.utils import prepare_data

from inspyrenet.utils.metrics import GROUPS, Accumulator, compare, find_conventions, intervals, score
from inspyrenet.utils.metrics.more.objects import object_boxes

from .pairs import objects, pairs

NAMES = GROUPS["size_invariant"]
BITS = 53  # objects that pysodmetrics tells apart


def f_measure(sample_based: bool) -> SizeInvarianceFmeasureV2:
    return SizeInvarianceFmeasureV2({"fm": FmeasureHandler(True, True, sample_based=sample_based)})


def plain_e(prediction: np.ndarray, mask: np.ndarray) -> list[Emeasure]:
    """One E-measure of each object, by pysodmetrics' own parts; pysodmetrics itself has no size-invariant E."""
    values, truth = prepare_data(prediction, mask)
    count, labels = parse_connected_components(truth)
    bits = encode_bboxwise_tgts_bitwise(count, labels)
    windows = [get_kth_bit(bits, k) > 0 for k in range(1, count + 1)] or [np.ones(truth.shape, bool)]
    measures = []
    for window in windows:
        measures.append(Emeasure())
        measures[-1].step(values * window, truth & window, normalize=False)
    return measures


@settings(max_examples=30)
@given(pairs(smallest=2))
def test_size_invariant_metrics_are_pysodmetrics(pair):
    prediction, mask = pair
    if (mask > 128).all() or len(object_boxes(mask > 128)) > BITS:
        return  # the listed exceptions: the reference fails, or mixes up objects
    found = score(prediction, mask, NAMES)
    mae, fm = SizeInvarianceMAE(), f_measure(True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for measure in (mae, fm):
            measure.step(prediction, mask)
        expected = {name: value.get_results() for name, value in (("mae", mae), ("fm", fm))}
    if math.isfinite(expected["mae"]["si_mae"]):  # NaN where the boxes leave no background
        assert found.value("siMae") == pytest.approx(expected["mae"]["si_mae"], abs=1e-9)
    assert 0 <= found.value("siMae") <= 1
    assert found.value("siAdpFm") == pytest.approx(expected["fm"]["fm"]["adaptive"], abs=1e-9)
    (curves,) = expected["fm"]["fm"]["dynamic"]
    assert found.curve("siFm") == pytest.approx(curves.mean(axis=0), abs=1e-9)
    assert found.scalars["siObjects"] == len(curves)
    alignment = [measure.get_results()["em"] for measure in plain_e(prediction, mask)]
    assert found.value("siAdpEm") == pytest.approx(np.mean([em["adp"] for em in alignment]), abs=1e-9)
    assert found.curve("siEm") == pytest.approx(np.mean([em["curve"] for em in alignment], axis=0), abs=1e-9)


def data_set(count: int = 5, shift: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs with different numbers of objects."""
    return [objects((80 + 9 * i, 100), i + shift, noise=5) for i in range(count)]


def accumulated(images, conventions: str = "pysod") -> Accumulator:
    total = Accumulator(NAMES, find_conventions(conventions))
    for i, (prediction, mask) in enumerate(images):
        total.update(str(i), score(prediction, mask, NAMES, total.conventions))
    return total


def test_the_two_means_over_a_set_are_pysodmetrics():
    images = data_set()
    by_sample, by_set = f_measure(True), f_measure(False)
    for pair in images:
        by_sample.step(*pair)
        by_set.step(*pair)
    found = accumulated(images).result().values
    mean_of_means = np.mean([curves.mean(axis=0) for curves in by_sample.get_results()["fm"]["dynamic"]], axis=0)
    of_all = by_set.get_results()["fm"]["dynamic"]
    assert found["siMaxFm"] == pytest.approx(mean_of_means.max(), abs=1e-9)
    assert found["siAvgFm"] == pytest.approx(mean_of_means.mean(), abs=1e-9)
    assert found["siMaxFmSet"] == pytest.approx(of_all.max(), abs=1e-9)
    assert found["siAvgFmSet"] == pytest.approx(of_all.mean(), abs=1e-9)
    assert found["siAvgFmSet"] != pytest.approx(found["siAvgFm"], abs=1e-6)
    alignment = [em.get_results()["em"]["curve"] for pair in images for em in plain_e(*pair)]
    assert found["siMaxEmSet"] == pytest.approx(np.mean(alignment, axis=0).max(), abs=1e-9)


def test_intervals_and_comparisons_weigh_images_by_their_objects():
    first, second = accumulated(data_set()), accumulated([(np.roll(p, 9, 0), m) for p, m in data_set()])
    for scores in (first, second):
        values = scores.result().values
        for name, interval in intervals(scores, resamples=200).items():
            assert interval.low <= values[name] <= interval.high
    for found in compare(first, second, resamples=50):
        assert found.difference == pytest.approx(
            first.result().values[found.metric] - second.result().values[found.metric], abs=1e-12
        )


def test_the_mean_of_maxima_weighs_images_too():
    images = data_set(3)
    found = accumulated(images, "published")
    own, objects_of = found.values("siMaxFmSet"), found.scalars("siObjects")
    assert found.result().values["siMaxFmSet"] == pytest.approx((own * objects_of).sum() / objects_of.sum())
    assert found.result().values["siMaxFm"] == pytest.approx(own.mean())


def test_a_small_object_counts_as_much_as_a_large_one():
    mask = np.zeros((100, 100), np.uint8)
    mask[5:65, 5:65] = 255
    mask[80:90, 80:90] = 255
    only_large, only_small = mask.copy(), mask.copy()
    only_large[70:] = 0
    only_small[:70] = 0
    found = [score(image, mask, NAMES) for image in (only_large, only_small)]
    assert [scores.curve("siFm")[0] for scores in found] == pytest.approx([0.5, 0.5])
    background = (10000 - 3600 - 100) / 3700
    assert [scores.value("siMae") for scores in found] == pytest.approx([1 / (2 + background)] * 2)
    assert score(only_small, mask, ["mae"]).value("mae") == pytest.approx(0.36)


def test_full_masks_and_single_pixels_have_values():
    full = np.full((30, 40), 255, np.uint8)
    assert [score(full, full, NAMES).value(name) for name in ("siMae", "siMaxFm", "siAdpFm")] == [0, 1, 1]
    for value in (0, 255):
        pixel = np.full((1, 1), value, np.uint8)
        assert score(pixel, np.full((1, 1), 255, np.uint8), NAMES).value("siMae") == 1 - value / 255


def test_many_objects_stay_apart():
    mask = np.zeros((40, 400), np.uint8)
    for column in range(0, 400, 20):
        cv2.rectangle(mask, (column + 2, 5), (column + 12, 15), 255, -1)
        cv2.rectangle(mask, (column + 2, 20), (column + 12, 30), 255, -1)
    mask = np.vstack([mask, mask])
    assert len(object_boxes(mask > 128)) == 80
    prediction = mask.copy()
    prediction[:, :200] = 0
    assert score(prediction, mask, NAMES).curve("siFm")[0] == pytest.approx(0.5)
    assert score(prediction / 255, mask, NAMES).value("siMae") == score(prediction, mask, NAMES).value("siMae")
