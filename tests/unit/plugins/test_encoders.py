"""Encoders from outside this package in every family that takes one."""

import pytest
import torch

from inspyrenet import build_model
from inspyrenet.engine import build
from inspyrenet.utils.config.load import load_config
from tests.thin_networks import Encoder

CONFIG = """\
extends: Quickstart.yaml
Model:
  name: {name}
  encoder: tests.thin_networks:Encoder
  encoder_arguments: {{strides: [2, 4, 8, 16, 32]}}
  depth: null
  base_size: [{side}, {side}]
"""


@pytest.mark.parametrize(
    ("name", "side", "size"),
    [
        ("InSPyReNet_Light", 64, (64, 96)),
        ("BiRefNet_Light", 64, (64, 96)),
        ("PSPNet_Light", 473, (81, 57)),
        ("PSPNet_Light", 64, (64, 96)),
    ],
)
def test_a_family_takes_an_encoder_from_outside(name, side, size, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(CONFIG.format(name=name, side=side))
    (config,) = load_config("mine.yaml")
    net = build.network(config).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 3, *size)).logits.shape == (1, 1, *size)


def test_pspnet_gets_its_last_maps_at_stride_8():
    net = build_model("PSPNet_Light", encoder=Encoder(), base_size=(64, 64))
    assert net.backbone.strides == (4, 4, 8, 8, 8)
    shapes = [tuple(x.shape[1:]) for x in net.backbone(torch.zeros(1, 3, 81, 57))]
    assert shapes == [(8, 21, 15), (8, 21, 15), (12, 11, 8), (16, 11, 8), (24, 11, 8)]
    build.freeze(net, 1)
    assert not net.backbone.encoder.convs[0].weight.requires_grad and net.backbone.encoder.convs[1].weight.requires_grad
