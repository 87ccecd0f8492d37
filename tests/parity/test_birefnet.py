"""BiRefNet against what the published implementation computes, and its names against the published files."""

import contextlib
import functools
import logging
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from inspyrenet.data.hub import registry
from inspyrenet.lib import build_model
from inspyrenet.lib.checkpoints.birefnet import READERS, REGISTRY, REPOSITORIES, tile_order, to_published
from inspyrenet.lib.checkpoints.state_dict import WeightsError, describe, load_state, normalize_state
from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.models.birefnet import BiRefNet

from .rules import assert_statistics, draw, golden, label, noise, shapes, single_losses, state_dict, without_randomness

VARIANTS = {
    "swin_v1_tiny": ("BiRefNet_SwinT", {}, 44_313_720),
    "swin_v1_small": ("BiRefNet_SwinS", {}, 65_631_624),
    "swin_v1_base": ("BiRefNet_SwinB", {}, 106_228_790),
    "swin_v1_large": ("BiRefNet_SwinL", {}, 220_176_498),
    "pvt_v2_b2": ("BiRefNet_PVTv2B2", {}, 39_665_678),
    "resnet50": ("BiRefNet_ResNet50", {}, 54_798_334),
    "swin_v1_large_pre202405": ("BiRefNet_SwinL", {"architecture": "pre-2024-05"}, 211_171_314),
}


@functools.lru_cache(maxsize=1)
def drawn() -> dict[str, torch.Tensor]:
    return state_dict(shapes("birefnet_swin_v1_tiny"))


@functools.lru_cache(maxsize=1)
def network() -> BiRefNet:
    return build_model("BiRefNet_SwinT").double()


def tiny(order: str = "channel-major") -> BiRefNet:
    """The one network with the drawn weights in it, in eval mode; `order` says what their tiles are taken for."""
    model = network()
    model.tile_order = order
    return load_state(model, drawn()).eval()


@contextlib.contextmanager
def watch(model: BiRefNet, names: list[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Outputs of sub-modules during a forward pass; encoder maps of the two passes as "backbone", the squeeze block's input."""
    seen: dict = {"backbone": []}
    hooks = [
        model.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
        for name in names
    ]
    hooks.append(model.backbone.register_forward_hook(lambda _m, _i, out: seen["backbone"].append(out[-4:])))
    hooks.append(model.squeeze_module.register_forward_hook(lambda _m, given, _o: seen.update(squeeze_input=given[0])))
    yield seen
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize(("seed", "height", "width"), [(1, 128, 160), (2, 256, 256)])
@torch.no_grad()
def test_every_part_in_eval_mode(seed, height, width):
    expected = golden("birefnet")[f"eval_swin_v1_tiny_{height}x{width}"]
    image = noise(seed, height, width)
    assert_statistics(image, expected["input"])
    parts = [name for name in expected["intermediate"] if name != "squeeze_input"]
    with watch(tiny(), parts) as seen:
        out = tiny()(image)
    for maps, key in zip(seen["backbone"], ("backbone_full", "backbone_half"), strict=True):
        for ours, theirs in zip(maps, expected[key], strict=True):
            assert_statistics(ours, theirs)
    for name, theirs in expected["intermediate"].items():
        assert_statistics(seen[name], theirs)
    assert_statistics(out.logits, expected["logits_channel_major"])
    assert out.logits.sigmoid().mean().item() == pytest.approx(expected["prob_mean"], abs=1e-9)


@pytest.mark.parametrize(("seed", "height", "width"), [(1, 128, 160), (2, 256, 256)])
@torch.no_grad()
def test_weights_of_column_major_tiles(seed, height, width):
    expected = golden("birefnet")[f"eval_swin_v1_tiny_{height}x{width}"]
    assert_statistics(tiny("column-major")(noise(seed, height, width)).logits, expected["logits_column_major"])


@torch.no_grad()
def test_float32_is_close():
    expected = golden("birefnet")["eval_swin_v1_tiny_128x160"]
    model = tiny().float()
    assert_statistics(model(noise(1, 128, 160).float()).logits, expected["logits_channel_major"], 1e-4)
    model.double()


def test_training_outputs_losses_and_gradients():
    expected = golden("birefnet")["train_swin_v1_tiny_2x128x160"]
    model = without_randomness(tiny()).train()
    mask = label(2, 128, 160)
    assert_statistics(mask, expected["gt"])
    out = model(noise(3, 128, 160, 2))
    for ours, theirs in zip(out.saliency, expected["preds_m4_m3_m2_p1"], strict=True):
        assert_statistics(ours, theirs)
    for ours, theirs in zip(out.gradient, expected["gdt_preds"], strict=True):
        assert_statistics(ours, theirs)
    assert_statistics(out.edges, expected["laplacian_of_channel_mean"])
    parts = build_criterion("BiRefNet_SwinT")(out, mask)
    for name, value in expected["loss_terms_weighted_mean_over_levels"].items():
        assert parts[name].item() / 4 == pytest.approx(value, rel=1e-6)
    pixel = parts["bce"] + parts["iou"] + parts["ssim"]
    assert pixel.item() == pytest.approx(expected["loss_pix_bce30_iou0.5_ssim10"], rel=1e-6)
    assert parts["gradient"].item() == pytest.approx(expected["loss_gdt"], rel=1e-6)
    assert parts["total"].item() == pytest.approx(pixel.item() + parts["gradient"].item(), rel=1e-12)
    parts["total"].backward()
    parameters = dict(model.named_parameters())
    for name, norm in expected["grad_norms_total"].items():
        ours = parameters[name.replace("bb.", "backbone.", 1) if name.startswith("bb.") else name].grad.norm().item()
        assert ours == pytest.approx(norm, rel=1e-6), name


def test_single_losses():
    expected = golden("birefnet")["losses_2x48x64"]
    p, mask = torch.from_numpy(np.random.default_rng(4).random((2, 1, 48, 64))), label(2, 48, 64)
    for name, value in single_losses(p, mask).items():
        assert value.item() == pytest.approx(expected[name], rel=1e-6), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_published_names_and_shapes(variant):
    name, arguments, parameters = VARIANTS[variant]
    with torch.device("meta"):
        model = build_model(name, **arguments)
    assert {key: tuple(value.shape) for key, value in to_published(model).items()} == shapes(f"birefnet_{variant}")
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_published_file_is_recognized(variant):
    name, arguments, _ = VARIANTS[variant]
    wrapped = {
        f"module._orig_mod.{key}": torch.empty(shape, device="meta")
        for key, shape in shapes(f"birefnet_{variant}").items()
    }
    said = describe(normalize_state({"state_dict": wrapped}))
    assert said.startswith(name) and "--config configs/BiRefNet_Swin" in said
    assert ("pre-2024-05" in said) == bool(arguments)


@pytest.mark.parametrize("order", ["channel-major", "column-major"])
def test_published_weights_come_back_as_they_were(order):
    theirs, model = drawn(), tiny(order)
    back = to_published(model, order)
    assert back.keys() == shapes("birefnet_swin_v1_tiny").keys()
    for name, value in theirs.items():
        assert torch.equal(back[name], value), name
    other = to_published(model, "channel-major" if order == "column-major" else "column-major")
    assert [name for name in theirs if not torch.equal(other[name], theirs[name])] == list(READERS)


def test_the_index_buffer_is_the_published_one():
    index = to_published(network())["bb.layers.0.blocks.0.attn.relative_position_index"]
    rows = torch.arange(49) // 7
    columns = torch.arange(49) % 7
    expected = (rows[:, None] - rows + 6) * 13 + columns[:, None] - columns + 6
    assert index.dtype == torch.int64 and torch.equal(index, expected)


def test_our_own_weights_are_never_converted():
    model = tiny()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.tile_order = "column-major"
    load_state(model, before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("source", "order"),
    [
        ("weights/BiRefNet-general-epoch_244.pth", "column-major"),
        ("BiRefNet_HR-general-epoch_130.pth", "channel-major"),
        ("hub/models--ZhengPeng7--BiRefNet_lite/snapshots/0a1b/model.safetensors", "column-major"),
        ("BiRefNet_dynamic/model.safetensors", "channel-major"),
        ("BiRefNet-matting.safetensors", "column-major"),
        ("BiRefNet/my-own-run.pth", None),
        ("snapshots/x/latest.pth", None),
        (None, None),
    ],
)
def test_tile_order_by_name(source, order):
    known = tile_order(source)
    assert (known and known[1]) == order


def test_every_registered_order_is_one_of_two():
    assert {*REGISTRY.values(), *REPOSITORIES.values()} == {"channel-major", "column-major"}


def test_every_listed_download_has_a_known_order():
    files = [entry.file for name, entry in registry.load("weights").items() if name.startswith("BiRefNet")]
    assert len(files) >= 15
    assert [file for file in files if tile_order(file) is None] == []


def test_an_unknown_file_is_taken_for_channel_major_and_says_so(caplog):
    weight = {name: draw(name, (64, 3 * grid * grid, 3, 3)) for name, grid in zip(READERS, (32, 16, 8, 4), strict=True)}
    with torch.device("meta"):
        model, upstream = build_model("BiRefNet_SwinT"), build_model("BiRefNet_SwinT", tile_order="as_upstream_today")
    with caplog.at_level(logging.WARNING):
        kept = model.from_published({"bb.x": torch.zeros(1), **weight}, "mine.pth")
    assert "mine.pth" in caplog.text and "tile_order" in caplog.text
    assert all(torch.equal(kept[name], weight[name]) for name in READERS)
    converted = model.from_published({"bb.x": torch.zeros(1), **weight}, "BiRefNet-COD-epoch_125.pth")
    assert not any(torch.equal(converted[name], weight[name]) for name in READERS)
    same = upstream.from_published({"bb.x": torch.zeros(1), **weight}, "BiRefNet-COD-epoch_125.pth")
    assert all(torch.equal(same[name], weight[name]) for name in READERS)


def test_another_generation_is_refused_with_the_way_out():
    names = shapes("birefnet_swin_v1_large_pre202405")
    with torch.device("meta"):
        model = build_model("BiRefNet_SwinL", tile_order="column-major")
        state = {name: torch.empty(shape) for name, shape in names.items()}
    with pytest.raises(WeightsError, match="architecture: pre-2024-05"):
        load_state(model, state)


def test_files_without_norms_load_into_a_network_without_norms():
    with torch.device("meta"):
        model = build_model("BiRefNet_SwinT", norm="none")
        names = to_published(model)
    assert not any(".bn_in." in name or ".bn1." in name for name in names)
    assert "norm: none" in describe(normalize_state(names))


def test_the_first_generation_runs():
    model = build_model("BiRefNet_SwinT", architecture="pre-2024-05", base_size=(64, 64)).train()
    out = model(torch.randn(2, 3, 64, 96))
    assert [tuple(s.shape[-2:]) for s in out.saliency] == [(2, 3), (4, 6), (8, 12), (64, 96)]
    assert len(out.gradient) == 2
    build_criterion("BiRefNet")(out, torch.rand(2, 1, 64, 96))["total"].backward()
    assert all(p.grad is not None for p in model.parameters())
