"""What BiRefNet and PSPNet promise beside InSPyReNet (test_models.py): one output type, one criterion, one way to load."""

import socket

import pytest
import torch

from inspyrenet import build_criterion, load_weights
from inspyrenet.lib import build_model
from inspyrenet.lib.inference.pyramid_blending import predict
from inspyrenet.lib.types import Encoder

MODELS = ["BiRefNet_SwinT", "BiRefNet_PVTv2B2", "BiRefNet_ResNet50", "PSPNet_ResNet50"]
SIZE = (64, 96)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    torch.manual_seed(0)
    model = build_model(request.param, base_size=(64, 64), pretrained=False).eval()
    model.name = request.param
    return model


def images(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def family(model: torch.nn.Module) -> str:
    return type(model).__name__


def test_encoder_keeps_its_promise(model):
    assert isinstance(model.backbone, Encoder)
    with torch.no_grad():
        maps = model.backbone(images())
    assert [m.shape[1] for m in maps] == list(model.backbone.out_channels)
    assert [(SIZE[0] // m.shape[2], SIZE[1] // m.shape[3]) for m in maps] == [(s, s) for s in model.backbone.strides]


@torch.no_grad()
def test_one_pass_through_predict(model):
    out = predict(model, images())
    assert out.logits is out.saliency[-1] and out.logits.shape == (2, 1, *SIZE)
    areas = [s.shape[-2] * s.shape[-1] for s in out.saliency]
    assert areas == sorted(areas) and out.laplacian == ()
    alone = model(images()[:1]).logits
    torch.testing.assert_close(out.logits[:1].sigmoid(), alone.sigmoid(), atol=1e-4, rtol=0)
    model.train()
    assert torch.equal(model.train(False)(images()).logits, out.logits)


@torch.no_grad()
def test_bfloat16_is_finite_and_near(model):
    full = model(images()).logits.sigmoid()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(images())
    assert (out.logits.float().sigmoid() - full).abs().mean() < 0.05


def test_every_parameter_learns(model):
    model.train().zero_grad()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    mask = (torch.rand(2, 1, *SIZE, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    parts = build_criterion(family(model))(model(images()), mask)
    assert parts["total"].item() == pytest.approx(sum(v.item() for k, v in parts.items() if k != "total"), rel=1e-5)
    parts["total"].backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    model.load_state_dict(state)
    model.eval()


def test_checkpointed_encoder_gives_the_same(model):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first, results = next(model.backbone.parameters()), []
    for model.backbone.checkpointing in (True, False):
        torch.manual_seed(0)  # stochastic depth
        model.backbone.train().zero_grad()
        maps = model.backbone(images())
        maps[-1].square().sum().backward()
        results.append((maps[-1].detach(), first.grad.clone()))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert results[0][1].any()
    model.load_state_dict(state)
    model.eval()


def test_own_weights_load_under_any_wrapper(model):
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    other = build_model(model.name, base_size=(64, 64))
    load_weights(other, {"epoch": 3, "state_dict": state})
    assert all(torch.equal(a, b) for a, b in zip(other.state_dict().values(), model.state_dict().values(), strict=True))


@pytest.mark.parametrize("name", ["BiRefNet_SwinT", "PSPNet_ResNet50"])
def test_pretrained_false_never_touches_the_network(name, monkeypatch):
    tried = []

    def refuse(_socket, address):
        tried.append(address)  # a library may swallow the error
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with torch.device("meta"):
        build_model(name, pretrained=False)
    assert not tried
