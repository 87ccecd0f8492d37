"""Encoders start from the state dicts of timm's and torchvision's classifiers."""

import functools

import pytest
import timm
import torch
import torchvision
from torch import nn

from inspyrenet.lib.backbones.pvt import PVTEncoder
from inspyrenet.lib.backbones.res2net import Res2NetEncoder
from inspyrenet.lib.backbones.resnet import DilatedResNet, ResNetEncoder
from inspyrenet.lib.backbones.swin import VARIANTS, SwinEncoder
from inspyrenet.lib.checkpoints.state_dict import WeightsError, load_backbone

ENCODERS = {  # name of a timm classifier → the encoder that is made of it
    VARIANTS["SwinT"]: functools.partial(SwinEncoder, "SwinT"),
    "pvt_v2_b2": PVTEncoder,
    "res2net50d": Res2NetEncoder,
    "resnet50": ResNetEncoder,
    "resnet50s": DilatedResNet,
}
NORMS = [f"norm{i}.{part}" for i in range(4) for part in ("weight", "bias")]  # of Swin's maps: no classifier has them


def classifier(name: str, **arguments) -> nn.Module:
    torch.manual_seed(1)
    return drawn(timm.create_model(name, num_classes=3, **arguments))


def drawn(net: nn.Module) -> nn.Module:
    """With values that tell the tensors of one shape apart: norms start as ones and zeros."""
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.ndim == 1 and tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) / 10)
    return net.eval()


def holder(encoder: nn.Module) -> nn.Module:
    """A network with nothing but this encoder."""
    model = nn.Module()
    model.backbone = encoder
    return model.eval()


def adopted(monkeypatch, make, net: nn.Module) -> nn.Module:
    """The encoder made of `net` itself instead of a new one."""
    with monkeypatch.context() as patch:
        patch.setattr(timm, "create_model", lambda *_, **__: net)
        return holder(make())


def assert_same_maps(first: nn.Module, second: nn.Module) -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for ours, theirs in zip(first.backbone(image), second.backbone(image), strict=True):
            assert torch.isfinite(ours).all() and torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_timm_classifier_starts_its_encoder(monkeypatch, name):
    make = ENCODERS[name]
    settings = {"always_partition": True, "strict_img_size": False} if "swin" in name else {}
    net = classifier(name, **settings)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    model = holder(make())
    assert load_backbone(model, state) == (NORMS if "swin" in name else [])
    assert_same_maps(model, adopted(monkeypatch, make, net))


def test_a_torchvision_resnet_starts_an_encoder(monkeypatch):
    source = drawn(torchvision.models.resnet50(num_classes=3))
    net = timm.create_model("resnet50", num_classes=3)
    net.load_state_dict(source.state_dict())
    model = holder(ResNetEncoder())
    assert load_backbone(model, {f"module.{key}": value for key, value in source.state_dict().items()}) == []
    assert_same_maps(model, adopted(monkeypatch, ResNetEncoder, net))


def test_a_torchvision_swin_starts_an_encoder():
    """The map before the last merging is torchvision's own, behind the encoder's norm, which starts as a plain one."""
    source = drawn(torchvision.models.swin_t(num_classes=3))
    model = holder(SwinEncoder("SwinT"))
    assert load_backbone(model, source.state_dict()) == NORMS
    image = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = nn.functional.layer_norm(source.features[:4](image), (192,)).permute(0, 3, 1, 2)
        found = model.backbone(image)[2]
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_an_encoders_own_names_still_load():
    """Microsoft's Swin and our own files call the merging layers.0.downsample that timm calls layers.1.downsample."""
    source, model = holder(drawn(SwinEncoder("SwinT"))), holder(SwinEncoder("SwinT"))
    state = {name: value for name, value in source.backbone.state_dict().items() if name not in NORMS}
    assert load_backbone(model, {"model": state | {"norm.weight": torch.ones(768)}}) == NORMS
    assert all(torch.equal(model.backbone.state_dict()[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (ResNetEncoder, "resnet101"),
        (ResNetEncoder, "resnet26"),
        (ResNetEncoder, "res2net50d"),
        (DilatedResNet, "resnet50"),
        (Res2NetEncoder, "resnet50d"),
        (PVTEncoder, "pvt_v2_b1"),
        (PVTEncoder, "pvt_v2_b3"),
        (ENCODERS[VARIANTS["SwinT"]], VARIANTS["SwinS"]),
        (functools.partial(SwinEncoder, "SwinS"), VARIANTS["SwinT"]),
    ],
)
def test_another_encoder_is_refused(make, other):
    with torch.device("meta"):
        model, state = holder(make()), timm.create_model(other).state_dict()
    with pytest.raises(WeightsError, match="encoder weights do not fit"):
        load_backbone(model, state)
