"""BiRefNet's contract, its normalization, and its losses over the epochs."""

import functools
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from inspyrenet.lib import build_model
from inspyrenet.lib.losses import terms_birefnet
from inspyrenet.lib.losses.birefnet import RECIPES, finetune_length, loss_weights
from inspyrenet.lib.losses.build import build_criterion, criterion_choices
from inspyrenet.lib.models.birefnet import BiRefNet, BiRefNetOutput
from inspyrenet.lib.modules.laplacian import laplacian
from inspyrenet.lib.modules.norm import FrozenBatchNorm2d, make_norm
from inspyrenet.lib.types import SizeError


class Pyramid(nn.Module):
    """A small stand-in for an encoder."""

    out_channels, strides = (8, 8, 16, 16, 16), (4, 4, 8, 16, 32)

    def __init__(self):
        super().__init__()
        widths = (3, *self.out_channels[1:])
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in itertools.pairwise(widths))

    def forward(self, image):
        maps, x = [], nn.functional.avg_pool2d(image, 4, ceil_mode=True)
        for i, conv in enumerate(self.convs):
            x = conv(x if i == 0 else nn.functional.avg_pool2d(x, 2, ceil_mode=True))
            maps.append(x)
        return (maps[0], *maps)


def small(**arguments) -> BiRefNet:
    torch.manual_seed(0)
    return BiRefNet(Pyramid(), base_size=(64, 64), **arguments)


@functools.lru_cache(maxsize=1)
def example() -> tuple[BiRefNetOutput, torch.Tensor]:
    mask = (torch.rand(2, 1, 64, 96) > 0.6).float()
    return small().eval()(torch.randn(2, 3, 64, 96)), mask


@pytest.mark.parametrize("training", [True, False])
def test_output_is_the_same_structure_in_both_modes(training):
    out = small().train(training)(torch.randn(2, 3, 64, 96))
    assert [tuple(s.shape) for s in out.saliency] == [(2, 1, 2, 3), (2, 1, 4, 6), (2, 1, 8, 12), (2, 1, 64, 96)]
    assert [tuple(g.shape[-2:]) for g in out.gradient] == [(2, 3), (4, 6), (8, 12)]
    assert out.logits is out.saliency[-1] and out.edges.shape == (2, 1, 64, 96) and out.classes is None


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(SizeError, match=r"272×250.*256×256"):
        small()(torch.randn(1, 3, 272, 250))
    with pytest.raises(SizeError, match="1000"):
        BiRefNet(Pyramid(), base_size=(1000, 1024))


@pytest.mark.parametrize(
    "arguments", [{"norm": "group"}, {"architecture": "old"}, {"tile_order": "row-major"}], ids=lambda a: next(iter(a))
)
def test_unknown_choices_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments.values()))):
        small(**arguments)


@torch.no_grad()
def test_an_image_does_not_depend_on_its_batch():
    model, images = small().eval(), torch.randn(3, 3, 64, 64)
    together = model(images).logits
    for i in range(3):
        assert torch.allclose(model(images[i : i + 1]).logits, together[i : i + 1], atol=1e-5)


@torch.no_grad()
def test_fast_and_plain_encoders_agree():
    torch.manual_seed(0)
    model, image = build_model("BiRefNet_SwinT", base_size=(64, 64)).eval(), torch.randn(1, 3, 96, 160)
    fast = model(image).logits
    model.fast = False
    assert not any(module.fast for module in model.modules() if hasattr(module, "fast"))
    assert torch.allclose(model(image).logits, fast, atol=1e-5)


def test_parameters_do_not_depend_on_the_norm_except_none():
    names = {norm: set(small(norm=norm).state_dict()) for norm in ("batch", "frozen", "none")}
    assert names["batch"] == names["frozen"] > names["none"]


def test_one_image_trains_with_frozen_norms():
    model = small(norm="frozen").train()
    out = model(torch.randn(1, 3, 64, 64))
    build_criterion("BiRefNet")(out, torch.rand(1, 1, 64, 64))["total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_frozen_norm_keeps_its_statistics_and_learns_its_scale():
    frozen, norm = make_norm("frozen", 4), nn.BatchNorm2d(4).eval()
    nn.init.uniform_(norm.running_mean), nn.init.uniform_(norm.running_var, 0.5, 1.5)
    frozen.load_state_dict(norm.state_dict())
    x = torch.randn(1, 4, 3, 3)
    assert torch.equal(frozen.train()(x), norm(x))
    assert torch.equal(frozen.running_mean, norm.running_mean)
    assert {name for name, p in frozen.named_parameters() if p.requires_grad} == {"weight", "bias"}
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(frozen), FrozenBatchNorm2d)


@pytest.mark.parametrize("stage", [4, 3, 2])
@torch.no_grad()
def test_gates_are_part_of_the_prediction(stage):
    model, image = small().double().eval(), torch.randn(1, 3, 64, 64).double()
    before = model(image).logits
    model.get_submodule(f"decoder.gdt_convs_attn_{stage}")[0].bias += 5
    assert (model(image).logits - before).abs().max() > 1e-9


@torch.no_grad()
def test_bfloat16_on_the_cpu():
    model, image = small().eval(), torch.randn(1, 3, 64, 64)
    exact = model(image).logits
    assert torch.allclose(model.bfloat16()(image.bfloat16()).logits.float(), exact, atol=0.1)


def test_edges_of_an_impulse():
    x = torch.zeros(1, 1, 9, 9)
    x[..., 4, 4] = 1
    out = laplacian(x)
    assert out[0, 0, 4, 4].item() == pytest.approx(-0.5)
    assert out[0, 0, 2:7, 2:7].sum().item() == pytest.approx(0, abs=1e-6)
    assert out[0, 0, 3, 5].item() == pytest.approx(1 / 48)
    assert not out[0, 0, :2].any()
    assert torch.allclose(laplacian(torch.full((1, 1, 6, 6), 3.0)), torch.zeros(1, 1, 6, 6), atol=1e-6)


# -- losses -------------------------------------------------------------------------------------------------------


def test_classes_are_learned_where_labels_are_given():
    model = small(classes=7).train()
    out = model(torch.randn(2, 3, 64, 64))
    assert out.classes.shape == (2, 7)
    criterion, mask = build_criterion("BiRefNet"), torch.rand(2, 1, 64, 64)
    parts = criterion(out, mask, torch.tensor([3, 0]))
    assert parts["class"].item() == pytest.approx(
        5 * nn.functional.cross_entropy(out.classes, torch.tensor([3, 0])).item()
    )
    assert "class" not in criterion(out, mask)
    assert parts["total"].item() == pytest.approx(sum(v.item() for k, v in parts.items() if k != "total"), rel=1e-6)


def test_total_is_the_sum_and_gradient_loss_can_be_off():
    out, mask = example()
    on, off = build_criterion("BiRefNet")(out, mask), build_criterion("BiRefNet", gradient=0)(out, mask)
    assert "gradient" not in off
    assert on["total"].item() == pytest.approx(off["total"].item() + on["gradient"].item(), rel=1e-6)
    assert set(build_criterion("BiRefNet", "General")(out, mask)) == {"bce", "iou", "ssim", "mae", "gradient", "total"}


def test_gradient_loss_also_teaches_the_side_maps():
    side, edges = torch.randn(1, 1, 4, 4, requires_grad=True), torch.randn(1, 1, 8, 8)
    terms_birefnet.gradient(torch.randn(1, 1, 4, 4), edges, side).backward()
    assert side.grad.abs().sum() > 0


def test_iou_sum_and_mean_and_nothing_at_all():
    p, mask = torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8)
    assert terms_birefnet.iou(p, mask).item() == pytest.approx(3 * terms_birefnet.iou(p, mask, "mean").item(), rel=1e-6)
    empty = torch.zeros(1, 1, 8, 8)
    assert terms_birefnet.iou(empty, empty).item() == 0
    assert terms_birefnet.iou(torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)).item() == pytest.approx(0, abs=1e-6)


def test_half_precision_outputs_give_finite_losses():
    out = BiRefNetOutput(
        (torch.full((1, 1, 512, 512), 8.0, dtype=torch.float16),), (), torch.zeros(1, 1, 512, 512).half()
    )
    parts = build_criterion("BiRefNet")(out, torch.ones(1, 1, 512, 512))
    assert parts["total"].dtype == torch.float32 and parts["total"].isfinite()


def test_masks_outside_the_range_are_clamped():
    out, mask = example()
    assert build_criterion("BiRefNet")(out, mask * 3 - 1)["total"].item() == pytest.approx(
        build_criterion("BiRefNet")(out, mask)["total"].item()
    )


@pytest.mark.parametrize("arguments", [{"loss": "dice"}, {"weights": {"bse": 1}}, {"iou_reduction": "max"}])
def test_unknown_losses_are_refused(arguments):
    with pytest.raises(ValueError, match=r"dice|bse|max"):
        build_criterion("BiRefNet", **arguments)


def test_other_weights_reach_every_term():
    out, mask = example()
    names = {"bce": 1.0, "mse": 1.0, "contour": 1.0, "structure": 1.0}
    parts = build_criterion("BiRefNet", weights={**names, "iou": 0})(out, mask)
    assert all(parts[name] > 0 for name in names) and "iou" not in parts
    assert parts["ssim"].item() == build_criterion("BiRefNet")(out, mask)["ssim"].item()  # the recipe's others stay
    with pytest.raises(ValueError, match="every loss term"):
        build_criterion("BiRefNet", weights={"bce": 0, "iou": 0, "ssim": 0})
    with pytest.raises(ValueError, match=r"last phase.*bce.*finetune to 0"):
        build_criterion("BiRefNet", weights={"iou": 0, "ssim": 0})
    build_criterion("BiRefNet", weights={"iou": 0, "ssim": 0}, finetune=0)


def test_the_last_phase_can_be_another():
    criterion = build_criterion("BiRefNet", "General", finetune=4, decay={"bce": 0.5, "ssim": 2.0})
    criterion.set_epoch(5, 10)
    assert criterion.weights == {"bce": 30, "iou": 0.5, "ssim": 10, "mae": 100}
    criterion.set_epoch(7, 10)
    assert criterion.weights == pytest.approx({"bce": 7.5, "iou": 0.125, "ssim": 40, "mae": 81})
    with pytest.raises(ValueError, match="bse"):
        build_criterion("BiRefNet", decay={"bse": 0.5})


def test_a_criterion_tells_what_it_takes():
    losses_, arguments, extras = criterion_choices("BiRefNet_SwinT")
    assert losses_ == tuple(RECIPES) and extras == ("label",)
    assert {"weights", "finetune", "decay", "gradient", "classification", "iou_reduction"} == set(arguments)
    assert criterion_choices("PSPNet")[1:] == (("aux_weight",), ("valid",))
    assert criterion_choices("InSPyReNet_SwinB") == (
        ("released", "paper", "region"),
        ("eta", "ssim", "haze", "weights"),
        (),
    )


@pytest.mark.parametrize(
    ("task", "epoch", "weights"),
    [
        ("DIS5K", 459, {"bce": 30, "iou": 0.5, "ssim": 10}),
        ("DIS5K", 460, {"bce": 0, "iou": 0.25, "ssim": 10}),
        ("DIS5K", 462, {"bce": 0, "iou": 0.0625, "ssim": 10}),
        ("General", 180, {"bce": 0, "iou": 0.25, "ssim": 10, "mae": 90}),
        ("Matting", 141, {"bce": 30, "ssim": 8.1, "mae": 100}),
    ],
)
def test_weights_of_an_epoch(task, epoch, weights):
    recipe = RECIPES[task]
    assert loss_weights(recipe, epoch, recipe.epochs) == pytest.approx(weights)


@given(task=st.sampled_from(sorted(RECIPES)), epochs=st.integers(1, 600))
def test_the_last_phase_is_the_published_share(task, epochs):
    recipe = RECIPES[task]
    length = finetune_length(recipe, epochs)
    assert 0 <= length <= recipe.finetune and length < epochs
    assert loss_weights(recipe, epochs - length - 1, epochs) == recipe.weights
    assert finetune_length(recipe, recipe.epochs) == recipe.finetune


def test_setting_the_epoch_is_stateless_and_reaches_the_loss():
    out, mask = example()
    straight, resumed = build_criterion("BiRefNet", "General"), build_criterion("BiRefNet", "General")
    for epoch in range(10):
        straight.set_epoch(epoch, 10)
    resumed.set_epoch(9, 10)
    assert straight.weights == resumed.weights
    parts = resumed(out, mask)
    assert parts["bce"].item() == 0 and parts["ssim"].item() > 0
    whole = build_criterion("BiRefNet", "General", finetune=10)
    whole.set_epoch(0, 10)
    assert whole(out, mask)["bce"].item() == 0
