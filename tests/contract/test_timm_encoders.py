"""What encoders of timm promise, whatever images they take themselves: hierarchical ones and plain Vision Transformers."""

import pytest
import torch

from inspyrenet.lib import build_model
from inspyrenet.lib.backbones.timm_encoder import TimmEncoder
from inspyrenet.lib.modules.norm import recompute_encoder
from inspyrenet.lib.types import Encoder

HIERARCHICAL = [
    "swin_tiny_patch4_window7_224",
    "swinv2_cr_tiny_ns_224",
    "hiera_tiny_224",
    "mambaout_femto",
    "mvitv2_tiny",
]
PLAIN = [
    "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2",
    "vit_small_patch16_dinov3",
    "eva02_tiny_patch14_224",
    "beit_base_patch16_224",
    "samvit_base_patch16",
    "vit_base_patch32_clip_224",
]
NETWORKS = [
    ("InSPyReNet_Light", "eva02_tiny_patch14_224", (128, 96)),
    ("BiRefNet_Light", "mambaout_femto", (128, 96)),
    ("PSPNet_Light", "vit_tiny_patch16_224", (65, 90)),
]
SIZE, OTHER = (64, 96), (128, 96)


@pytest.mark.parametrize("name", HIERARCHICAL + PLAIN)
def test_an_encoder_keeps_its_promise_at_sizes_that_it_was_not_made_for(name):
    """On the meta device, which has shapes and no numbers."""
    with torch.device("meta"):
        encoder = TimmEncoder(name, size=SIZE).eval()
        assert isinstance(encoder, Encoder)
        for height, width in (SIZE, OTHER):
            shapes = [tuple(level.shape) for level in encoder(torch.zeros(2, 3, height, width))]
            expected = zip(encoder.out_channels, encoder.strides, strict=True)
            assert shapes == [(2, channels, height // stride, width // stride) for channels, stride in expected]
    assert encoder.strides == (4, 4, 8, 16, 32)
    stages = encoder.stages()
    listed = [parameter for group in stages for module in group for parameter in module.parameters()]
    assert len(stages) == 5 and len({id(p) for p in listed}) == len(listed)
    assert {id(p) for p in listed} == {id(p) for p in encoder.parameters()}


@pytest.mark.parametrize(("name", "encoder", "other"), NETWORKS)
def test_a_network_learns_with_it_and_takes_other_sizes(name, encoder, other):
    torch.manual_seed(0)
    model = build_model(name, encoder=encoder, base_size=SIZE, **({"depth": 8} if name == "InSPyReNet_Light" else {}))
    recompute_encoder(model.backbone)
    out = model.train()(torch.randn(2, 3, *SIZE))
    sum(part.square().mean() for part in (*out.saliency, *out.laplacian)).backward()
    still = [name for name, p in model.backbone.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert still == []
    counts = [value.item() for name, value in model.backbone.named_buffers() if name.endswith("num_batches_tracked")]
    assert set(counts) <= {1}
    with torch.no_grad():
        logits = model.eval()(torch.randn(1, 3, *other)).logits
    assert logits.shape == (1, 1, *other) and logits.isfinite().all()
