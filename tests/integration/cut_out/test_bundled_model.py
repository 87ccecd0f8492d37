"""The bundled model: it is there, small, and finds what it was trained to find."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from inspyrenet import Remover, cli
from inspyrenet.engine import presets

torch.set_num_threads(1)
CARD = Path(__file__).parents[3] / "docs" / "default_model.md"


@pytest.fixture(scope="module")
def remover():
    return Remover(device="cpu", edges="none")


def test_the_file_is_small_and_the_card_s():
    content = presets.BUNDLED_WEIGHTS.read_bytes()
    assert len(content) <= 16 * 2**20
    card = CARD.read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in card
    assert f"{len(content):,} bytes" in card


def test_a_cup_of_coffee_is_found(remover):
    saliency = remover.process(data.coffee(), "map")
    assert saliency.shape == data.coffee().shape[:2]
    assert saliency[150:250, 250:400].mean() > 200  # the cup's inside
    assert saliency[:40, :60].mean() < 55  # the table


@pytest.mark.parametrize("turned", [False, True])
def test_the_object_is_found_where_it_is(remover, turned):
    """A shape on an even ground: mirrored with the image, and found on a small image too."""
    image = np.full((120, 160, 3), (60, 90, 60), np.uint8)
    image[40:90, 20:70] = (220, 60, 40)
    image = image[:, ::-1] if turned else image
    inside = np.zeros((120, 160), bool)
    inside[45:85, 25:65] = True
    inside = inside[:, ::-1] if turned else inside
    saliency = remover.process(np.ascontiguousarray(image), "map")
    assert saliency[inside].mean() - saliency[~inside].mean() > 100


def test_the_command_needs_no_name_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("INSPYRENET_HOME", str(tmp_path / "empty"))
    Image.fromarray(data.coffee()).save(tmp_path / "photo.jpg")
    assert cli.main([str(tmp_path / "photo.jpg"), "--device", "cpu", "--edges", "none"]) == 0
    cut = np.asarray(Image.open(tmp_path / "photo.out.png"))
    assert cut.shape == (*data.coffee().shape[:2], 4)
    assert cut[150:250, 250:400, 3].mean() > 200 > 55 > cut[:40, :60, 3].mean()


def test_its_quality_is_estimated_alike_by_both_engines(remover):
    """Where this fails for new weights: benchmarks/quality/calibrate.py calibrates them."""
    assert remover.quality is not None, "the file beside the weights does not belong to them"
    images = data.coffee(), data.rocket()  # of the rocket, a piece of a tower is kept
    qualities = [remover.cut(image).quality for image in images]
    assert qualities[0] > 0.85 > 0.7 > qualities[1]
    by_torch = Remover(device="cpu", edges="none", engine="torch")
    assert [by_torch.cut(image).quality for image in images] == pytest.approx(qualities, abs=0.01)


def test_there_is_no_quality_where_there_was_no_calibration():
    other = Remover(device="cpu", edges="none", resize="dynamic")
    assert other.quality is None and other.cut(data.coffee()).quality is None


def test_doubtful_cut_outs_are_set_aside(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    for name, image in {"coffee": data.coffee(), "noise": noise}.items():
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    words = [
        "p",
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        "--device",
        "cpu",
        "--edges",
        "none",
        "-v",
        "--review",
        "50%",
    ]
    assert cli.main(words) == 0
    said = capsys.readouterr().err
    assert "quality 0." in said and "1 of 2 are to be looked at" in said
    found = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert found == ["coffee.png", "review/noise.png", "review/review.csv"]


def test_every_way_gives_the_bundled_model_s_map(remover, tmp_path):
    image = data.chelsea()
    Image.fromarray(image).save(tmp_path / "cat.png")
    assert cli.main([str(tmp_path / "cat.png"), str(tmp_path / "map.png"), "-t", "map", "--device", "cpu"]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "map.png")), remover.process(image, "map"))
