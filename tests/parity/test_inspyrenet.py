"""InSPyReNet against what the published implementation computes."""

import functools

import numpy as np
import pytest
import torch

from inspyrenet import SaliencyPyramid, load_weights, predict
from inspyrenet.lib import build_model
from inspyrenet.lib.inference.transition import transition
from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.losses.terms import pixel_iou, weighted_bce
from inspyrenet.lib.modules.pyramid import ImagePyramid

from .drawing import assert_close, golden, image, mask, state_dict

# The golden maps are float32: from one thread to two, these networks' own maps move by 1.2e-4; in float64 they are 3e-5 away.
MAPS = 2e-4
ENCODERS = {"res2net50": "InSPyReNet_Res2Net50", "swint": "InSPyReNet_SwinT", "swinb": "InSPyReNet_SwinB"}


@functools.lru_cache(maxsize=1)
def network(encoder: str) -> torch.nn.Module:
    model = build_model(ENCODERS[encoder], base_size=(384, 384), depth=64, pretrained=False)
    return load_weights(model, state_dict(encoder)).eval()


def assert_pyramid(out: SaliencyPyramid, expected: dict[str, np.ndarray]) -> None:
    stride = int(expected["stride"])
    assert_close(out.saliency[0], expected["saliency3"], MAPS)
    for j, s in zip((2, 1, 0), out.saliency[1:], strict=True):
        assert_close(s[..., ::stride, ::stride], expected[f"saliency{j}"], MAPS)
    for j, u in zip((2, 1, 0), out.laplacian, strict=True):
        assert_close(u[..., ::stride, ::stride], expected[f"laplacian{j}"], MAPS)


@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_pyramid_at_the_training_size(encoder):
    out = network(encoder)(image(384, 384, 2, seed=0))
    expected = golden(f"inspyrenet_{encoder}_384")
    assert_pyramid(out, expected)
    saliency = out.logits.sigmoid()
    stretched = (saliency - saliency.min()) / (saliency.max() - saliency.min() + 1e-8)  # over the batch, as published
    assert_close(stretched[..., :: int(expected["stride"]), :: int(expected["stride"])], expected["pred"])


@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_pyramid_of_a_non_square_image(encoder):
    assert_pyramid(network(encoder)(image(320, 480, seed=1)), golden(f"inspyrenet_{encoder}_320x480"))


@pytest.mark.parametrize("encoder", ENCODERS)
@torch.no_grad()
def test_pyramid_blending(encoder):
    out = predict(network(encoder), image(640, 800, seed=3), image(384, 384, seed=3), threshold=512)
    assert_pyramid(out, golden(f"inspyrenet_{encoder}_blend_640x800"))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_loss_and_gradients(encoder):
    model = build_model(ENCODERS[encoder], base_size=(384, 384), depth=64, pretrained=False)
    model = load_weights(model, state_dict(encoder)).double().train()
    for module in model.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0  # golden numbers are without stochastic depth
    losses = build_criterion("InSPyReNet").double()(
        model(image(256, 256, 2, seed=0).double()), mask(256, 256, 2, seed=0).double()
    )
    losses["total"].backward()
    expected = golden(f"inspyrenet_{encoder}_train")
    assert losses["total"].item() == pytest.approx(float(expected["loss"]), rel=1e-9)
    parameters = dict(model.named_parameters())
    for name, norm in zip(expected["grad_names"], expected["grad_norms"], strict=True):
        gradient = parameters[str(name)].grad
        ours = 0.0 if gradient is None else gradient.norm().item()
        if norm > 1e-9:
            assert ours == pytest.approx(norm, rel=1e-6), name
        else:  # zero by symmetry
            assert ours < 1e-8, name


def test_pyramid_operations():
    expected = golden("pyramid")
    x, pyramid = torch.from_numpy(expected["x"]), ImagePyramid()
    assert_close(pyramid.kernel, expected["kernel"], 1e-7)
    reduced = pyramid.reduce(x)
    assert_close(reduced, expected["reduce"], 1e-6)
    assert_close(pyramid.expand(reduced), expected["expand"], 1e-6)
    laplacian = pyramid.laplacian(x)
    assert_close(laplacian, expected["laplacian"], 1e-6)
    assert_close(pyramid.reconstruct(reduced, laplacian), expected["reconstruct"], 1e-6)
    assert_close(pyramid.reconstruct(reduced, laplacian[..., :40, :36]), expected["reconstruct_small"], 1e-5)


@pytest.mark.parametrize(("stage", "size"), [(0, 17), (1, 9), (2, 5)])
def test_transition(stage, size):
    expected = golden("pyramid")
    assert_close(transition(torch.from_numpy(expected["transition_in"]), stage), expected[f"transition{size}"], 0)


def test_loss_terms():
    expected = golden("losses")
    logits, target = torch.from_numpy(expected["logits"]), torch.from_numpy(expected["mask"])
    bce, iou = weighted_bce(logits, target), pixel_iou(logits, target)
    assert_close(bce, expected["wbce_map"], 1e-5)  # the 31×31 mean is taken in two passes
    assert_close(bce.mean(), expected["wbce"], 1e-5)
    assert_close(iou, expected["iou_map"], 1e-6)
    assert_close(iou.mean(), expected["iou"], 1e-6)
