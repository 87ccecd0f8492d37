"""benchmarks/quality/calibrate.py: pairs make a file, which the network's next Remover takes, and which is scored."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.quality import calibrate
from inspyrenet import Remover
from tests.tiny_network import picture, write_tiny

torch.set_num_threads(1)


@pytest.fixture
def words(tmp_path):
    """A network with random weights, and twelve pairs whose masks are the pictures' ellipse."""
    config, weights = write_tiny(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / "data" / "Set" / folder).mkdir(parents=True)
    y, x = np.mgrid[:48, :80]
    mask = ((y / 48 - 0.5) / 0.3) ** 2 + ((x / 80 - 0.5) / 0.3) ** 2 < 1
    for number in range(12):
        Image.fromarray(picture(seed=number)).save(tmp_path / "data" / "Set" / "images" / f"{number}.png")
        Image.fromarray(255 * mask.astype(np.uint8)).save(tmp_path / "data" / "Set" / "masks" / f"{number}.png")
    network = ["--mode", str(config), "--ckpt", str(weights), "--device", "cpu"]
    return ["--root", str(tmp_path / "data"), "--sets", "Set", *network]


def test_a_network_is_calibrated_and_scored(words, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(calibrate, "FEWEST", 10)
    remover = lambda: Remover(tmp_path / "tiny.yaml", "cpu", tmp_path / "tiny.safetensors", edges="none")  # noqa: E731
    assert remover().cut(picture()).quality is None
    with pytest.raises(SystemExit, match="has no estimate of quality"):
        calibrate.main([*words, "--score"])
    assert calibrate.main(words) == 0
    about = json.loads((tmp_path / "tiny.quality.json").read_text())["about"]
    assert about["data"] == "Set" and about["cross-validated"]["pairs"] == 12
    found = remover().cut(picture()).quality
    assert found == pytest.approx(about["cross-validated"]["iou"], abs=0.2)
    capsys.readouterr()
    assert calibrate.main([*words, "--score", "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores == json.loads((tmp_path / "scores.json").read_text())
    assert scores["mean absolute error"] < 0.2 and sum(row["maps"] for row in scores["reliability"]) == 12


def test_too_few_pairs_are_refused(words):
    with pytest.raises(SystemExit, match="12 pairs are too few to calibrate by: 100 or more"):
        calibrate.main(words)
