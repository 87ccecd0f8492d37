"""Exported graphs against the networks that they were made of: onnxruntime and torch.export, at several sizes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from inspyrenet.data.graphs import Card, load_program, save_onnx, save_program
from inspyrenet.lib.models import exporting
from inspyrenet.lib.models.blending import predict
from inspyrenet.lib.models.exporting import record, size_rule
from inspyrenet.lib.sizes import SizeRule
from inspyrenet.lib.types import SaliencyPyramid, SizeError
from inspyrenet.run.exporting import runner, to_onnx
from tests.thin_networks import Bent, Toy, calibrated, images, thin

torch.set_num_threads(1)
BASE = (64, 64)
TOLERANCE = 1e-4


def card(model, **changes) -> Card:
    rule = size_rule(model)
    told = {"inputs": ("image",), "outputs": ("saliency",), "base_size": BASE, "sizing": "static", "size": BASE}
    told |= {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "name": "thin", "model": "thin"}
    return Card(**{**told, "multiple": rule.multiple, "offset": rule.offset, "least": rule.least, **changes})


def exported(model, folder: Path, opset: int = 20, deform: str = "grid", **changes):
    """(image, resized) → saliency by onnxruntime."""
    told = card(model, **changes)
    path = folder / "thin.onnx"
    program = record(model, told.fixed, told.blended, told.alignment, deform)
    save_onnx(to_onnx(program, told, opset, optimize=False), told, path)
    return runner(path)


def assert_equal(model, run, size: tuple[int, int], batch: int) -> None:
    image = images(batch, size, seed=20)
    with torch.no_grad():
        ours = model(image).logits.sigmoid().numpy()
    assert ours.std() > 0.02  # it says something
    theirs = run(image, None)
    assert theirs.shape == (batch, 1, *size) and theirs.dtype == np.float32
    assert np.abs(theirs - ours).max() <= TOLERANCE


CASES = {
    "pspnet": ("PSPNet_ResNet50", {}, [(64, 64), (97, 129), (50, 203)]),
    "swin": ("InSPyReNet_SwinT", {"depth": 8}, [(64, 64), (96, 160), (224, 32)]),
    "birefnet": ("BiRefNet_SwinT", {"architecture": "pre-2024-05"}, [(64, 64), (96, 160), (224, 64)]),
}


@pytest.mark.parametrize("case", CASES)
def test_any_size_and_batch(case, tmp_path):
    name, arguments, sizes = CASES[case]
    model = thin(name, base_size=BASE, **arguments)
    run = exported(model, tmp_path)
    for size, batch in zip(sizes, (1, 2, 1), strict=True):
        assert_equal(model, run, size, batch)


def test_one_size(tmp_path):
    model = thin("InSPyReNet_Res2Net50", base_size=BASE, depth=8)
    run = exported(model, tmp_path, fixed={"image": (96, 64)})
    assert_equal(model, run, (96, 64), 1)
    with pytest.raises(SizeError, match=r"takes images of 96×64 \(height×width\) only, not 64×64"):
        run(images(1, (64, 64)), None)


@pytest.mark.parametrize(("deform", "opset"), [("grid", 18), ("native", 19)])
def test_deformable_convolutions(deform, opset, tmp_path):
    model = calibrated(Bent())
    run = exported(model, tmp_path, opset, deform)
    for size, batch in (((64, 64), 1), ((96, 160), 2), ((32, 256), 1)):
        image = images(batch, size, seed=20)
        with torch.no_grad():
            ours = model(image).logits.sigmoid().numpy()
        assert ours.std() > 0.02 and np.abs(run(image, None) - ours).max() <= TOLERANCE


def test_sides_of_8n_plus_1(tmp_path, monkeypatch):
    model = thin("PSPNet_ResNet50", base_size=(65, 65), sizes="8n+1")
    assert size_rule(model) == SizeRule(8, 1, 33)
    monkeypatch.setattr(exporting, "size_rule", lambda toy: SizeRule(8, 1, 33))
    toy = torch.nn.Conv2d(3, 1, 3, padding=1)
    toy.forward = lambda image: SaliencyPyramid((torch.nn.functional.conv2d(image, toy.weight, padding=1),))
    run = exported(toy, tmp_path, multiple=8, offset=1, least=33)
    assert run(torch.zeros(1, 3, 65, 97), None).shape == (1, 1, 65, 97)
    with pytest.raises(SizeError, match="multiples of 8 plus 1 from 33 on; the nearest is 65×97"):
        run(torch.zeros(1, 3, 64, 96), None)


BLENDED = {"inputs": ("image", "resized"), "outputs": ("saliency", "low"), "threshold": 96}


@pytest.mark.parametrize(
    ("fixed", "alignment"), [(None, "as_trained"), ({"image": (128, 160), "resized": BASE}, "corrected")]
)
def test_blending(fixed, alignment, tmp_path):
    model = Toy()
    run = exported(model, tmp_path, **BLENDED, fixed=fixed, alignment=alignment)
    sizes = [(128, 160)] if fixed else [(128, 160), (192, 128)]
    for batch, size in enumerate(sizes, start=1):
        image, small = images(batch, size, seed=20), images(batch, BASE, seed=20)
        with torch.no_grad():
            ours = predict(model, image, small, 96, alignment).logits.sigmoid().numpy()
        assert np.abs(run(image, small) - ours).max() <= TOLERANCE
    below, small = torch.zeros(2, 3, 96, 160), images(2, BASE, seed=30)
    with torch.no_grad():
        low = model(small).logits.sigmoid().numpy()
    assert low.std() > 0.02 and np.abs(run(below, small) - low).max() <= TOLERANCE


def test_a_program_of_torch(tmp_path):
    model, told = Toy(), card(Toy(), **BLENDED)
    save_program(record(model, None, True), told, tmp_path / "toy.pt2")
    run = runner(tmp_path / "toy.pt2")
    for size, batch in ((BASE, 2), ((128, 160), 1), ((192, 128), 2)):
        image, small = images(batch, size, seed=20), images(batch, BASE, seed=20)
        with torch.no_grad():
            ours = predict(model, image, small, 96).logits.sigmoid().numpy()
        assert np.abs(run(image, small) - ours).max() <= TOLERANCE
    assert load_program(tmp_path / "toy.pt2")[1] == told
