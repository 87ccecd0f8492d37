"""PSPNet against what the published implementation computes, and its names against the published files."""

import functools

import pytest
import torch

from inspyrenet.lib import build_model
from inspyrenet.lib.checkpoints.pspnet import HEADS, to_published
from inspyrenet.lib.checkpoints.state_dict import WeightsError, describe, load_backbone, load_state, normalize_state
from inspyrenet.lib.inference.tta import predict_averaged
from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.models.pspnet import PSPNet, enlarge
from inspyrenet.lib.modules.ppm import GridMean, PyramidPooling
from inspyrenet.lib.sizes import SizeRule
from inspyrenet.lib.types import SizeError

from .rules import assert_statistics, golden, label, noise, shapes, state_dict, without_randomness

# Names of a bare ImageNet ResNet with a wide stem: the authors' files, and timm's resnet50s.
STEM = {"conv1": "0", "bn1": "1", "conv2": "3", "bn2": "4", "conv3": "6", "bn3": "7"}
STEM_TIMM = {"conv1.0": "0", "conv1.1": "1", "conv1.3": "3", "conv1.4": "4", "conv1.6": "6", "bn1": "7"}


def two_class_shapes() -> dict[str, tuple[int, ...]]:
    heads = {f"{head}.{part}" for head in HEADS for part in ("weight", "bias")}
    return {n: (2, *s[1:]) if n in heads else s for n, s in shapes("pspnet_resnet50").items()}


@functools.lru_cache(maxsize=1)
def drawn() -> dict[str, torch.Tensor]:
    return state_dict(two_class_shapes())


@functools.lru_cache(maxsize=2)
def network(classes: int = 2) -> PSPNet:
    return load_state(build_model("PSPNet_ResNet50", classes=classes).double(), drawn()).eval()


@pytest.mark.parametrize(("seed", "height", "width"), [(11, 97, 129), (12, 57, 57)])
@torch.no_grad()
def test_every_part_in_eval_mode(seed, height, width):
    expected = golden("pspnet")[f"eval_{height}x{width}"]
    model, image = network().eval(), noise(seed, height, width)
    assert_statistics(image, expected["input"])
    seen = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
        for name, module in (("ppm", model.ppm), ("cls", model.cls))
    ]
    out = model(image)
    for hook in hooks:
        hook.remove()
    maps = model.backbone(image)
    seen |= {f"layer{i}": x for i, x in enumerate(maps)}
    for name, theirs in expected["intermediate"].items():
        assert_statistics(seen[name], theirs)
    assert_statistics(out.scores[0], expected["logits"])
    saliency = out.scores[0].softmax(dim=1)[:, 1]
    assert saliency.mean().item() == pytest.approx(expected["saliency_prob_mean_softmax_ch1"], abs=1e-9)
    assert torch.allclose(out.logits.sigmoid()[:, 0], saliency, rtol=0, atol=1e-12)


def test_training_losses_and_gradients():
    expected = golden("pspnet")["train_2x97x129"]
    model = without_randomness(network()).train()
    model.zero_grad()
    mask = (label(2, 97, 129) > 0.5).double()
    valid = torch.ones_like(mask)
    valid[:, :, :5, :7] = 0  # where the published label is 255
    assert int((mask * valid).sum()) == expected["gt_fg_pixels"]
    assert int((1 - valid).sum()) == expected["gt_ignored_pixels"]
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    out = model(noise(13, 97, 129, 2))
    assert int((out.logits > 0).sum()) == expected["argmax_fg_pixels"]
    parts = build_criterion("PSPNet_ResNet50", "ce")(out, mask, valid)
    assert parts["main"].item() == pytest.approx(expected["main_ce"], rel=1e-9)
    assert parts["aux"].item() == pytest.approx(0.4 * expected["aux_ce"], rel=1e-9)
    assert parts["total"].item() == pytest.approx(expected["total"], rel=1e-9)
    parts["total"].backward()
    parameters = dict(model.named_parameters())
    for name, norm in expected["grad_norms"].items():
        ours = parameters[f"backbone.{name}" if name.startswith("layer") else name].grad.norm().item()
        assert ours == pytest.approx(norm, rel=1e-6), name
    model.load_state_dict({**model.state_dict(), **before})  # other tests share this network
    model.eval()


@pytest.mark.parametrize(("variant", "parameters"), [("50", 49_180_908), ("101", 68_173_036)])
def test_published_names_and_shapes(variant, parameters):
    names = shapes(f"pspnet_resnet{variant}")
    with torch.device("meta"):
        model = build_model(f"PSPNet_ResNet{variant}")
    ours = {name: tuple(value.shape) for name, value in to_published(model).items()}
    heads = {name for name in names if name.startswith(HEADS)}
    assert ours.keys() == names.keys()
    assert {n: s for n, s in ours.items() if n not in heads} == {n: s for n, s in names.items() if n not in heads}
    assert all(ours[name] == (1, *names[name][1:]) for name in heads)
    surplus = sum(torch.Size(names[name]).numel() // 150 * 149 for name in heads)
    assert sum(p.numel() for p in model.parameters()) == parameters - surplus
    assert not any(name.startswith("aux.") for name in to_published(model, aux=False))


def test_published_weights_come_back_as_they_were():
    back = to_published(network())
    assert back.keys() == drawn().keys()
    assert all(torch.equal(back[name], value) for name, value in drawn().items())


@torch.no_grad()
def test_two_classes_become_one_and_back():
    one, image = network(classes=1), noise(12, 57, 57)
    two = network(classes=2).eval()
    assert one.cls[4].weight.shape[0] == 1
    assert torch.allclose(one(image).logits, two(image).logits, rtol=0, atol=1e-12)
    again = two_from(to_published(one))
    assert torch.allclose(again, two.cls[4].weight[1:] - two.cls[4].weight[:1], rtol=0, atol=0)


def two_from(state: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.device("meta"):
        model = build_model("PSPNet_ResNet50", classes=2)
    weight = model.from_published(state)["cls.4.weight"]
    assert weight.shape[0] == 2
    return weight[1:] - weight[:1]


def test_files_of_scene_parsing_say_what_they_are():
    names = shapes("pspnet_resnet101")
    wrapped = {"state_dict": {f"module.{n}": torch.empty(s, device="meta") for n, s in names.items()}, "epoch": 100}
    assert describe(normalize_state(wrapped)).startswith("PSPNet_ResNet101 for 150 classes")
    with torch.device("meta"):
        model = build_model("PSPNet_ResNet101")
    with pytest.raises(WeightsError, match="150 classes"):
        load_state(model, wrapped)
    ours = {n: torch.empty(s, device="meta") for n, s in two_class_shapes().items()}
    assert describe(ours) == "PSPNet_ResNet50, 2 classes; use --config configs/PSPNet_ResNet50.yaml"


@pytest.mark.parametrize("stem", [STEM, STEM_TIMM], ids=["authors", "timm"])
def test_a_bare_imagenet_encoder_loads(stem):
    model = build_model("PSPNet_ResNet50")
    inverse = {f"layer0.{number}": name for name, number in stem.items()}
    file = {}
    for name, value in drawn().items():
        module, _, leaf = name.rpartition(".")
        if name.startswith("layer"):
            file[f"{inverse.get(module, module)}.{leaf}"] = value.float()
    file |= {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    assert load_backbone(model, file) == []
    assert torch.equal(model.backbone.layer0[6].weight, drawn()["layer0.6.weight"].float())


def test_strides_dilations_and_paddings():
    with torch.device("meta"):
        model = build_model("PSPNet_ResNet101")
    for layer, stride, dilation in ((2, 2, 1), (3, 1, 2), (4, 1, 4)):
        blocks = getattr(model.backbone, f"layer{layer}")
        assert blocks[0].conv2.stride == blocks[0].downsample[0].stride == (stride, stride)
        assert all(block.conv2.dilation == block.conv2.padding == (dilation, dilation) for block in blocks)
        assert all(block.conv2.stride == (1, 1) for block in blocks[1:])
    assert [len(getattr(model.backbone, f"layer{i}")) for i in (1, 2, 3, 4)] == [3, 4, 23, 3]


@pytest.mark.parametrize("size", [(7, 10), (6, 6), (4, 13), (1, 2)])
@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_means_of_a_grid(size, side):
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    expected = torch.nn.functional.adaptive_avg_pool2d(x, side)
    assert torch.allclose(GridMean(side)(x), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_pooling_of_a_map_made_by_hand():
    ppm = PyramidPooling(4, bins=(1, 2)).eval()
    for branch in ppm.features:
        branch[1].weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])[:, :, None, None])
    x = torch.zeros(1, 4, 4, 4)
    x[0, 0, :2, :2], x[0, 1] = 8.0, 3.0  # a bright quarter; a constant
    out = ppm(x)
    scale = 1 / (1 + 1e-5) ** 0.5  # of BatchNorm's epsilon
    assert torch.equal(out[:, :4], x)
    assert torch.allclose(out[0, 4], torch.full((4, 4), 2.0) * scale)
    assert torch.allclose(out[0, 5], torch.full((4, 4), 3.0) * scale)
    line = torch.tensor([1.0, 2 / 3, 1 / 3, 0.0])
    assert torch.allclose(out[0, 6], 8 * scale * torch.outer(line, line), atol=1e-6)


@torch.no_grad()
def test_sizes_free_and_strict():
    model = build_model("PSPNet_ResNet50", base_size=(64, 96)).eval()
    for size in ((64, 96), (65, 97), (70, 43)):
        assert model(torch.randn(1, 3, *size)).logits.shape[-2:] == size
    with torch.device("meta"):
        strict = build_model("PSPNet_ResNet50", sizes="8n+1")
        with pytest.raises(SizeError, match=r"480×640.*481×641.*sizes to free"):
            strict(torch.randn(1, 3, 480, 640))
    with pytest.raises(SizeError, match="353×353"):
        build_model("PSPNet_ResNet50", sizes="8n+1", base_size=(352, 352))


@pytest.mark.parametrize("size", [(25, 33), (24, 40), (31, 26)])
def test_every_cell_stays_on_its_pixel(size):
    cells = torch.rand(1, 1, -(-size[0] // 8), -(-size[1] // 8))
    large = enlarge(cells, size)
    assert large.shape[-2:] == size
    assert torch.allclose(large[..., ::8, ::8], cells, atol=1e-6)


class Brightness(torch.nn.Module):
    """Stands for a network: its logit is a steep function of what it sees, and not the same mirrored."""

    size_rule = SizeRule(8, 1, 9)

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, image):
        self.sizes.append(tuple(image.shape[-2:]))
        return type("Out", (), {"logits": 20 * image[:, :1] + torch.linspace(-4, 4, image.shape[-1])})


def test_averaging_is_over_probabilities_of_every_scale_and_both_sides():
    image = torch.rand(2, 3, 41, 57)
    model = Brightness()
    p = predict_averaged(model, image, scales=(0.5, 1.0), flip=True)
    assert model.sizes == [(17, 25), (17, 25), (41, 57), (41, 57)]
    assert p.shape == (2, 1, 41, 57) and p.min() >= 0 and p.max() <= 1
    one = predict_averaged(model, image, flip=False)
    both = predict_averaged(model, image)
    mirrored = model(image.flip(-1)).logits.sigmoid().flip(-1)
    assert torch.allclose(both, (one + mirrored) / 2)
    logits = (model(image).logits + model(image.flip(-1)).logits.flip(-1)) / 2
    assert not torch.allclose(both, logits.sigmoid(), atol=1e-2)


def test_training_with_one_image_says_what_to_do():
    model = build_model("PSPNet_ResNet50", base_size=(33, 33)).train()
    with pytest.raises(ValueError, match="batch_size"):
        model(torch.randn(1, 3, 33, 33))
