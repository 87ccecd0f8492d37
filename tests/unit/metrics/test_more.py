"""HCE, BER, AUC, AP, and the two conventions."""

import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_sod_metrics import BERHandler, FmeasureV2, HumanCorrectionEffortMeasure

from inspyrenet.utils.metrics import PYSOD, Accumulator, MetricError, find_conventions, score
from inspyrenet.utils.metrics.hce import human_correction_effort
from inspyrenet.utils.metrics.prepare import prepare

PUBLISHED = find_conventions("published")


@st.composite
def blobs(draw):
    """A mask of smooth blobs and a related or unrelated soft map."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.integers(3, 70)), draw(st.integers(3, 70))
    noise = [cv2.GaussianBlur(rng.random(shape), (0, 0), rng.uniform(0.5, 5)) for _ in range(2)]
    mask = (noise[0] > draw(st.sampled_from([0.45, 0.5, 0.55, 2]))).astype(np.uint8) * 255
    if draw(st.booleans()):
        return (noise[1] * 255).astype(np.uint8), mask
    return cv2.GaussianBlur(np.roll(mask, rng.integers(-5, 6), 0), (0, 0), 2), mask


@settings(max_examples=60)
@given(blobs())
def test_hce_is_pysodmetrics(pair):
    measure = HumanCorrectionEffortMeasure()
    measure.step(*pair)
    assert score(*pair, ["HCE"]).value("HCE") == measure.get_results()["hce"]


def test_hce_of_a_perfect_map_is_zero():
    mask = cv2.circle(np.zeros((80, 90), np.uint8), (40, 40), 20, 255, -1)
    assert score(mask, mask, ["HCE"]).value("HCE") == 0


def test_skeletons_are_kept_and_found_again(tmp_path, monkeypatch):
    mask = cv2.circle(np.zeros((80, 90), np.uint8), (40, 40), 20, 255, -1)
    pair = prepare(np.roll(mask, 9, axis=1), mask)
    expected = human_correction_effort(pair)
    assert human_correction_effort(pair, tmp_path / "skeletons") == expected
    monkeypatch.setattr("inspyrenet.utils.metrics.hce._skeletonize", lambda mask: pytest.fail("was computed again"))
    assert human_correction_effort(pair, tmp_path / "skeletons") == expected


@settings(max_examples=60)
@given(blobs())
def test_ber_is_pysodmetrics(pair):
    measure = FmeasureV2({"ber": BERHandler(with_dynamic=False, with_adaptive=False, with_binary=True)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure.step(*pair)
    assert score(*pair, ["BER"]).value("BER") == pytest.approx(measure.get_results()["ber"]["binary"], abs=1e-12)


def test_auc_is_the_chance_that_an_object_pixel_ranks_above_a_background_pixel():
    rng = np.random.default_rng(0)
    mask = rng.random((20, 30)) < 0.3
    guess = rng.integers(0, 256, mask.shape, dtype=np.uint8)
    guess[0, :2] = 0, 255  # spans the range, so that stretching changes nothing
    bins = ((guess / 255) * 255).astype(np.uint8).astype(int)
    inside, outside = bins[mask][:, None], bins[~mask][None]
    expected = (inside > outside).mean() + 0.5 * (inside == outside).mean()
    assert score(guess, mask, ["AUC"]).value("AUC") == pytest.approx(expected, abs=1e-12)


def test_ap_is_the_mean_precision_over_object_pixels_in_order_of_their_rank():
    mask = np.array([[True, False, True, True, False]])
    guess = np.array([[255, 200, 150, 100, 0]], np.uint8)
    assert score(guess, mask, ["AP"]).value("AP") == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_conventions_differ_where_they_say():
    rng = np.random.default_rng(0)
    totals = {c.name: Accumulator(["mae", "avgEm", "adpEm", "maxFm"], c) for c in (PYSOD, PUBLISHED)}
    for i in range(6):
        mask = (rng.random((10, 12)) < 0.3).astype(np.uint8) * 255
        guess = (rng.integers(40, 200, mask.shape) * 0.5 + mask * 0.2).astype(np.uint8)
        for conventions in (PYSOD, PUBLISHED):
            total = totals[conventions.name]
            total.update(str(i), score(guess, mask, total.metrics, conventions))
    ours, published = totals["pysod"].result().values, totals["published"].result().values
    assert ours["mae"] != published["mae"]  # the stretch
    own = totals["published"].values("maxFm")
    assert published["maxFm"] == pytest.approx(own.mean())
    assert published["maxFm"] >= totals["published"].curve("Fm").max()
    assert ours["maxFm"] == pytest.approx(totals["pysod"].curve("Fm").max())


def test_the_e_measure_of_a_perfect_map_is_one_only_when_divided_by_all_pixels():
    mask = np.zeros((4, 5), np.uint8)
    mask[1:3, 1:4] = 255
    assert score(mask, mask, ["adpEm"], PYSOD).value("adpEm") == pytest.approx(20 / 19)
    assert score(mask, mask, ["adpEm"], PUBLISHED).value("adpEm") == pytest.approx(1)


def test_unstretched_maps_keep_their_range():
    mask = np.array([[0, 255]], np.uint8)
    guess = np.array([[51, 102]], np.uint8)
    assert score(guess, mask, ["mae"], PUBLISHED).value("mae") == pytest.approx((0.2 + 0.6) / 2)
    assert score(guess, mask, ["mae"], PYSOD).value("mae") == 0


def test_unknown_conventions_list_the_choices():
    with pytest.raises(MetricError, match="pysod, published"):
        find_conventions("matlab")
