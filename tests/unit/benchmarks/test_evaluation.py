"""benchmarks/evaluation.py measures on the masks that training and Eval see."""

import importlib

import numpy as np
import pytest
from PIL import Image

OBJECT = np.zeros((48, 64), np.uint8)
OBJECT[10:30, 20:50] = 1


@pytest.fixture
def evaluation(monkeypatch):
    for library in ("OMP", "OPENBLAS", "MKL"):  # which it sets where it is imported
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    return importlib.import_module("benchmarks.evaluation")


@pytest.fixture(params=[1, 255], ids=["0 and 1", "0 and 255"])
def folders(request, tmp_path):
    """Masks of these two values, and perfect maps of them."""
    for name, value in (("masks", request.param), ("maps", 255)):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.fromarray(OBJECT * value).save(tmp_path / name / f"{index}.png")
    return tmp_path / "maps", tmp_path / "masks"


def test_masks_are_read_as_training_does(evaluation, folders):
    found = dict(evaluation.masks(folders[1], 2, None))
    assert found.keys() == {"0", "1"}
    assert all(np.array_equal(mask, OBJECT * 255) for mask in found.values())


def test_both_sides_of_the_whole_of_eval_see_the_same_masks(evaluation, folders, monkeypatch):
    seen = []
    monkeypatch.setattr(evaluation, "default_table", lambda prediction, mask: seen.append((prediction, mask)))
    report = evaluation.end_to_end(*folders)
    assert report["pairs"] == 2 and len(seen) == 6
    assert all(np.array_equal(prediction, mask) and mask.max() == 255 for prediction, mask in seen)
