"""Exported graphs against the networks that they were made of: onnxruntime and torch.export, at several sizes."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from inspyrenet.data.hub.onnx_files import GraphFileError, ModelMetadata, load_program, save_onnx, save_program
from inspyrenet.engine.export import runner, to_onnx
from inspyrenet.lib.backbones.res2net import Res2NetEncoder
from inspyrenet.lib.backbones.swin import SwinEncoder
from inspyrenet.lib.export import wrappers
from inspyrenet.lib.export.wrappers import record
from inspyrenet.lib.inference.pyramid_blending import predict
from inspyrenet.lib.models import birefnet
from inspyrenet.lib.models.inspyrenet import InSPyReNet
from inspyrenet.lib.models.pspnet import PSPNet
from inspyrenet.lib.modules.conv import ConvUnit
from inspyrenet.lib.sizes import SizeRule, size_rule
from inspyrenet.lib.types import SaliencyPyramid, SizeError
from tests.thin_networks import Bent, Encoder, Headed, Toy, calibrated, images, thin, thin_building

torch.set_num_threads(1)
BASE = (64, 64)
TOLERANCE = 1e-4


def metadata(model, **changes) -> ModelMetadata:
    rule = size_rule(model)
    told = {"inputs": ("image",), "outputs": ("saliency",), "base_size": BASE, "sizing": "static", "size": BASE}
    told |= {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "name": "thin", "model": "thin"}
    return ModelMetadata(**{**told, "multiple": rule.multiple, "offset": rule.offset, "least": rule.least, **changes})


def exported(model, folder: Path, opset: int = 20, deform: str = "grid", **changes):
    """(image, resized) → saliency by onnxruntime."""
    told = metadata(model, **changes)
    path = folder / "thin.onnx"
    program = record(model, told.fixed, told.blended, told.alignment, deform)
    save_onnx(to_onnx(program, told, opset), told, path)
    return runner(path)


def assert_equal(model, run, size: tuple[int, int], batch: int) -> None:
    image = images(batch, size, seed=20)
    with torch.no_grad():
        ours = model(image).logits.sigmoid().numpy()
    assert ours.std() > 0.005  # it says something
    theirs = run(image, None)
    assert theirs.shape == ours.shape and len(theirs) == batch and theirs.dtype == np.float32
    assert np.abs(theirs - ours).max() <= TOLERANCE


def thin_birefnet() -> torch.nn.Module:
    """With plain convolutions in place of its deformable ASPPs, which are tested below by themselves."""
    with mock.patch.object(birefnet, "DeformASPP", lambda channels, *rest: ConvUnit(channels, channels, 3)):
        return birefnet.BiRefNet(Encoder(), BASE)


CASES = {
    "pspnet": (lambda: PSPNet(Encoder((4, 4, 8, 8, 8)), BASE), {}, [(64, 64), (97, 129), (50, 203)]),
    "swin": (lambda: Headed(SwinEncoder("SwinT")), {}, [(64, 64), (96, 160), (224, 32)]),
    "birefnet": (thin_birefnet, {}, [(64, 64), (96, 160), (224, 64)]),
}


@pytest.mark.parametrize("case", CASES)
def test_any_size_and_batch(case, tmp_path):
    build, options, sizes = CASES[case]
    torch.manual_seed(0)
    model = thin(build())
    run = exported(model, tmp_path, **options)
    for size, batch in zip(sizes, (1, 2, 1), strict=True):
        assert_equal(model, run, size, batch)


def test_one_size(tmp_path):
    torch.manual_seed(0)
    with thin_building():
        model = thin(InSPyReNet(Res2NetEncoder(), 8, BASE))
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
        assert ours.std() > 0.005 and np.abs(run(image, None) - ours).max() <= TOLERANCE


def test_sides_of_8n_plus_1(tmp_path, monkeypatch):
    monkeypatch.setattr(wrappers, "size_rule", lambda toy: SizeRule(8, 1, 33))
    toy = torch.nn.Conv2d(3, 1, 3, padding=1)
    toy.forward = lambda image: SaliencyPyramid((torch.nn.functional.conv2d(image, toy.weight, padding=1),))
    run = exported(toy, tmp_path, multiple=8, offset=1, least=33)
    assert run(torch.zeros(1, 3, 65, 97), None).shape == (1, 1, 65, 97)
    with pytest.raises(SizeError, match="multiples of 8 plus 1 from 33 on; the nearest is 65×97"):
        run(torch.zeros(1, 3, 64, 96), None)


BLENDED = {"inputs": ("image", "resized"), "outputs": ("saliency", "low"), "threshold": 96}


def test_blending_of_fixed_sizes(tmp_path):
    """Any size: tests/integration/cut_out/test_export.py."""
    model, size = Toy(), (128, 160)
    run = exported(model, tmp_path, **BLENDED, fixed={"image": size, "resized": BASE})
    image, small = images(2, size, seed=20), images(2, BASE, seed=20)
    with torch.no_grad():
        ours = predict(model, image, small, 96).logits.sigmoid().numpy()
        low = model(small).logits.sigmoid().numpy()
    assert np.abs(run(image, small) - ours).max() <= TOLERANCE  # one by one: the file takes single images
    assert low.std() > 0.02 and np.abs(run(torch.zeros(2, 3, 96, 160), small) - low).max() <= TOLERANCE


def test_a_program_of_torch(tmp_path):
    model, told = Toy(), metadata(Toy())
    save_program(record(model), told, tmp_path / "toy.pt2")
    run = runner(tmp_path / "toy.pt2")
    for size, batch in ((BASE, 2), ((128, 160), 1), ((192, 128), 2)):
        assert_equal(model, run, size, batch)
    assert load_program(tmp_path / "toy.pt2")[1] == told
    torch.export.save(record(model, {"image": BASE}), str(tmp_path / "bare.pt2"))
    with pytest.raises(GraphFileError, match=r"not one that run/Export\.py wrote"):
        runner(tmp_path / "bare.pt2")
