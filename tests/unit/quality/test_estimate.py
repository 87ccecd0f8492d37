"""The estimate of a network, and the file beside its weights."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.networks.digest import digest_of
from inspyrenet.quality import estimate as module
from inspyrenet.quality.estimate import QualityError, QualityEstimate, file_of, load_estimate, read_estimate, text_of
from inspyrenet.quality.words import described, verdict
from tests.unit.quality.test_signals import disc, maps_of, reduced

ESTIMATE = QualityEstimate(("certain", "band"), (3.0, 1.0), (0.5, 0.5), (0.4, -0.4), 2.0, sizing="static 384×384")


@pytest.fixture
def network(tmp_path):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"weights")
    return SimpleNamespace(name="mine", weights=weights, preprocess=Preprocess())


def write(network, **changes):
    estimate = replace(ESTIMATE, network=(digest_of(network.weights),))
    file_of(network.weights).write_text(text_of(replace(estimate, **changes)))


def test_what_is_written_is_read(tmp_path):
    (tmp_path / "a.json").write_text(text_of(ESTIMATE))
    assert read_estimate(tmp_path / "a.json") == ESTIMATE


def test_a_sharper_map_is_expected_to_be_better():
    sharp, hazy = (ESTIMATE(maps_of(disc(softness=softness))) for softness in (0.5, 8))
    assert 0 < hazy < sharp < 1


def test_no_number_where_a_level_is_missing():
    estimate = replace(ESTIMATE, signals=("certain", "agreement"))
    assert estimate(maps_of(disc())) is None and estimate(maps_of(disc(), reduced(disc()))) is not None


def test_where_nothing_is_found_the_quality_is_0():
    assert ESTIMATE(maps_of(np.full((64, 64), 0.001))) == 0


def test_signals_that_no_pair_had_count_as_the_limit():
    far, farther = (ESTIMATE.expected(np.array([[-value, value]])) for value in (50, 500))
    assert far == farther


def test_pairs_make_an_estimate_that_expects_their_ious():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 4))
    iou = module.logistic(values[:, 0] + 2)
    estimate = module.fitted(values, iou)
    assert np.abs(estimate.expected(values) - iou).mean() < 0.03


def test_the_file_lies_beside_the_weights(tmp_path):
    (tmp_path / "v1.2").mkdir()
    assert file_of(tmp_path / "v1.2").name == "v1.2.quality.json"
    assert file_of(tmp_path / "v1.2.safetensors").name == "v1.2.quality.json"


def test_an_estimate_is_taken_for_its_own_weights_and_sizes_alone(network, caplog):
    caplog.set_level(logging.INFO, "inspyrenet")
    assert load_estimate(network) is None and not caplog.messages
    write(network)
    assert load_estimate(network).weights == ESTIMATE.weights
    write(network, sizing="static 320×320")
    assert load_estimate(network) is None and "images of another size" in caplog.messages[-1]
    write(network)
    network.weights.write_bytes(b"others")
    assert load_estimate(network) is None and "belongs to other weights" in caplog.messages[-1]
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    "change", [{"mean": [1.0]}, {"signals": ["certain", "none"]}, {"bias": None}, {"more": 1}, {"network": 3}]
)
def test_a_damaged_file_is_told_and_left(network, caplog, change):
    write(network)
    path = file_of(network.weights)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(QualityError, match="is no estimate of quality"):
        read_estimate(path)
    assert load_estimate(network) is None and "calibrate it again" in caplog.text


def test_graphs_in_a_folder_are_one_network(tmp_path):
    for name in ("encoder", "decoder"):
        Path(tmp_path, f"{name}.onnx").write_bytes(name.encode())
    before = digest_of(tmp_path)
    Path(tmp_path, "notes.txt").write_text("not a graph")
    assert digest_of(tmp_path) == before
    Path(tmp_path, "decoder.onnx").write_bytes(b"another")
    assert digest_of(tmp_path) != before


def test_words():
    assert [verdict(value) for value in (0.95, 0.8, 0.3)] == ["likely good", "look at it", "likely wrong"]
    assert described(0.951) == "0.95, likely good"
