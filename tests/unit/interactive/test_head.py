"""The trained part for clicks: what it is told, whose it is, and that it is used only there."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from inspyrenet import Remover
from inspyrenet.engine.presets import BUNDLED_WEIGHTS, bundled_graphs
from inspyrenet.interactive import head
from inspyrenet.interactive.prompt import Prompt, Stroke
from inspyrenet.lib.modules.prompt_head import PromptHead, lab
from tests.tiny_network import picture


def test_closeness_falls_from_what_strokes_went_over():
    labels = np.zeros((12, 16), np.int8)
    labels[3, 4:7], labels[8, 8] = 1, -1
    keep, remove = head.closeness(labels, 1), head.closeness(labels, -1)
    assert (keep[3, 4:7] == 1).all() and remove[8, 8] == 1
    assert keep[3, 10] == pytest.approx(0.5 * np.exp(-4 / 6)) and remove[8, 2] == pytest.approx(0.5 * np.exp(-1))
    assert keep[8, 8] == pytest.approx(0.5 * np.exp(-np.hypot(5, 2) / 6)) and keep[labels != 1].max() <= 0.5
    assert not head.closeness(np.zeros((3, 3), np.int8), 1).any()


def test_colors_are_those_of_opencv():
    rgb = np.random.default_rng(0).random((20, 30, 3), np.float32)
    rgb[0, :5] = np.linspace(0, 0.05, 5)[:, None]
    ours = lab(torch.from_numpy(rgb.transpose(2, 0, 1))[None])[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(ours, cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), atol=0.4)  # whose own are from a table


def test_an_untrained_head_changes_nothing():
    torch.manual_seed(0)
    network = PromptHead(6).eval()
    at = [torch.rand(1, 3, 8, 12), torch.rand(1, 6, 16, 24), torch.rand(1, 6, 8, 12), *torch.randn(4, 1, 1, 8, 12)]
    torch.testing.assert_close(network(*at), at[4])
    with torch.no_grad():
        network.out.weight.normal_()
    assert (network(*at) - at[4]).abs().max() > 0.1


def test_the_graph_is_the_bundled_models():
    found = head.head_beside(BUNDLED_WEIGHTS)
    assert found is not None and found is head.head_beside(bundled_graphs())
    assert set(found.inputs) == set(head.INPUTS) and list(found.outputs) == [head.OUTPUT]
    assert head.head_beside(Path("nothing.safetensors")) is None


def test_one_that_was_trained_for_another_network_is_not_used(tmp_path, caplog):
    folder = tmp_path / "graphs"
    shutil.copytree(bundled_graphs(), folder)
    with (folder / "encoder.onnx").open("ab") as file:
        file.write(b"\0\0")
    assert head.head_beside(folder) is None
    assert "trained for another network" in caplog.text


def test_without_a_head_strokes_spread_by_random_walks(tmp_path):
    folder, scene = tmp_path / "graphs", picture(120, 200)
    shutil.copytree(bundled_graphs(), folder)
    (folder / head.FILE).unlink()
    image = Remover(folder, edges="none").interactive(scene)
    assert image.scene.head is None
    removed = image.answer(Prompt(strokes=(Stroke(((100, 60),), keep=False),)))
    assert image.own[0, 0, 160, 160] > 0.9 and removed.probability[0, 0, 159:161, 159:161].max() < 0.1
    assert (
        0 < (removed.reach > 0).mean() < 1
        and (removed.probability[removed.reach == 0] == image.own[removed.reach == 0]).all()
    )
