"""Scores that are kept: found again by content, and never when something that decides them changed."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspyrenet.utils.metrics import MetricError, ScorePair, evaluate_folder, find_conventions
from inspyrenet.utils.metrics.cache import CacheError, ScoreCache


@pytest.fixture
def pairs(tmp_path: Path) -> list[ScorePair]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(4):
        mask = (cv2.GaussianBlur(rng.random((30, 40)), (0, 0), 4) > 0.5).astype(np.uint8) * 255
        files = tmp_path / f"{i}_map.png", tmp_path / f"{i}_mask.png"
        for file, array in zip(files, (cv2.GaussianBlur(mask, (0, 0), 2), mask), strict=True):
            cv2.imwrite(str(file), array)
        found.append(ScorePair("set", str(i), *files))
    return found


def reused(pairs, metrics, kept, **options) -> tuple[int, dict[str, float]]:
    scores = evaluate_folder(pairs, metrics, cache=kept, **options)["set"]
    return scores.reused, scores.result().values


def test_nothing_is_scored_twice_and_the_numbers_stay(pairs, tmp_path):
    kept = tmp_path / "kept" / "scores.sqlite"
    metrics = ["Sm", "wFm", "maxFm", "maxBIoU", "mBA", "AP"]
    first = reused(pairs, metrics, kept)
    again = reused(pairs, metrics, kept)
    assert (first[0], again[0]) == (0, 4)
    assert first[1] == again[1] == evaluate_folder(pairs, metrics)["set"].result().values


def test_a_changed_map_is_scored_anew_and_a_renamed_one_is_not(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    reused(pairs, ["mae"], kept)
    pairs[0].prediction.rename(tmp_path / "renamed.png")
    renamed = ScorePair("set", "0", tmp_path / "renamed.png", pairs[0].truth)
    cv2.imwrite(str(pairs[1].prediction), np.zeros((30, 40), np.uint8))
    count, values = reused([renamed, *pairs[1:]], ["mae"], kept)
    assert count == 3
    assert values == evaluate_folder([renamed, *pairs[1:]], ["mae"])["set"].result().values


def test_a_further_metric_is_added_to_what_is_kept(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    reused(pairs, ["mae"], kept)
    assert reused(pairs, ["mae", "maxIoU", "maxBIoU"], kept)[0] == 0
    assert reused(pairs, ["maxDice", "mae", "avgBIoU"], kept)[0] == 4  # from the same counts


def test_haze_is_added_to_scores_that_were_kept_without_it(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    reused(pairs, ["mae", "maxFm"], kept)
    metrics = ["haze", "mae", "maxFm"]
    count, values = reused(pairs, metrics, kept)
    assert count == 0
    assert values == evaluate_folder(pairs, metrics)["set"].result().values
    assert reused(pairs, metrics, kept) == (4, values)


def test_own_curves_and_the_photograph_are_remembered(pairs, tmp_path):
    kept, metrics = tmp_path / "scores.sqlite", ["maxMSIoU", "siMaxFmSet", "Conn"]
    reused(pairs, ["mae"], kept)
    first = reused(pairs, metrics, kept)
    assert (first[0], reused(pairs, metrics, kept)) == (0, (4, first[1]))
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8))
    shown = [replace(pair, image=photo) for pair in pairs]
    assert [reused(shown, ["wCm"], kept)[0] for _ in range(2)] == [0, 4]
    cv2.imwrite(str(photo), np.zeros((30, 40, 3), np.uint8))
    assert reused(shown, ["wCm"], kept)[0] == 0
    with pytest.raises(MetricError, match=r"0_mask\.png: wCm needs the photograph"):
        reused(pairs, ["wCm"], kept)


def test_a_file_of_before_there_were_own_curves_goes_on(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    values = reused(pairs, ["mae"], kept)[1]
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute("ALTER TABLE scores DROP COLUMN own")
    assert reused(pairs, ["mae"], kept) == (4, values)
    assert [reused(pairs, ["siMaxFm"], kept)[0] for _ in range(2)] == [0, 4]


def test_other_conventions_do_not_share_scores(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    reused(pairs, ["adpEm"], kept)
    count, values = reused(pairs, ["adpEm"], kept, conventions=find_conventions("published"))
    assert count == 0
    assert values != reused(pairs, ["adpEm"], kept)[1]


def test_an_interrupted_evaluation_goes_on(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    pairs[3].prediction.write_bytes(b"broken")
    with pytest.raises(MetricError, match=r"3_map\.png"):
        evaluate_folder(pairs, ["mae"], cache=kept)
    cv2.imwrite(str(pairs[3].prediction), np.zeros((30, 40), np.uint8))
    assert reused(pairs, ["mae"], kept)[0] == 3


def test_resizing_is_remembered(pairs, tmp_path):
    cv2.imwrite(str(pairs[2].prediction), np.zeros((15, 20), np.uint8))
    for _ in range(2):
        assert evaluate_folder(pairs, ["mae"], cache=tmp_path / "scores.sqlite")["set"].resized == ["2"]


def test_a_damaged_file_says_what_to_do(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    kept.write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(CacheError, match="delete it"):
        evaluate_folder(pairs, ["mae"], cache=kept)


def test_a_place_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="result_path"):
        ScoreCache(tmp_path / "file" / "scores.sqlite")


def test_maps_of_0_and_1_are_refused_again(pairs, tmp_path):
    kept = tmp_path / "scores.sqlite"
    for pair, map_of in zip(pairs, (0, 1, 1, 1), strict=True):
        mask = cv2.imread(str(pair.truth), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(pair.prediction), mask // 255 * map_of)
    for _ in range(2):  # a map of 0 alone says nothing; kept, it would have counted as one with objects
        with pytest.raises(MetricError, match="0 and 1"):
            reused(pairs, ["mae"], kept)
