"""Maps that are made again in the backward pass: the same gradients, less kept, and notes only where they are asked for."""

import gc
import weakref

import pytest
import torch
from torch import nn

from inspyrenet.lib import build_model
from inspyrenet.lib.fast.recompute import layer_norm, norm_relu, recompute, recomputing
from inspyrenet.lib.fast.sica import unit_of_both, unit_of_mixture
from inspyrenet.lib.fast.window_attention import attend, attend_training, shift_mask
from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.modules.conv import ConvUnit, mixture
from inspyrenet.lib.modules.sica import SICA

FAMILY = [("InSPyReNet_SwinT", {"depth": 16}), ("InSPyReNet_Light", {"depth": 8})]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradients(outputs: torch.Tensor, *inputs: torch.Tensor) -> list[torch.Tensor]:
    weights = random(*outputs.shape, seed=9)
    return torch.autograd.grad((outputs * weights).sum(), inputs)


@pytest.mark.parametrize(("name", "arguments"), FAMILY)
def test_training_step_equals_the_plain_one(name, arguments):
    torch.manual_seed(0)
    model = build_model(name, base_size=(64, 64), **arguments).double().train()
    for module in model.modules():
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
        if hasattr(module, "gamma") and isinstance(module.gamma, nn.Parameter):
            nn.init.constant_(module.gamma, 0.3)
    image, mask = random(2, 3, 64, 96), (random(2, 1, 64, 96, seed=1) > 0).double()
    start = {key: value.clone() for key, value in model.state_dict().items()}
    found = []
    for fast in (False, True):
        model.load_state_dict(start)
        model.zero_grad()
        model.fast = fast
        loss = build_criterion("InSPyReNet")(model(image), mask)["total"]
        loss.backward()
        found.append((loss.detach(), {k: p.grad for k, p in model.named_parameters()}, dict(model.state_dict())))
    (loss, reference, state), (fast_loss, fast, fast_state) = found
    torch.testing.assert_close(fast_loss, loss)
    for key, gradient in reference.items():
        torch.testing.assert_close(fast[key], gradient, rtol=1e-7, atol=1e-9, msg=key)
    for key, value in state.items():
        torch.testing.assert_close(fast_state[key], value, msg=key)


@pytest.mark.parametrize("relu", [False, True])
def test_conv_unit_keeps_the_convolution_and_not_what_follows(relu):
    torch.manual_seed(0)
    unit, after = ConvUnit(4, 6, 3, relu=relu).double().train(), nn.Conv2d(6, 2, 3).double()
    x = random(2, 4, 8, 10).requires_grad_()
    unit.fast = False
    expected = gradients(after(unit(x)), x, *unit.parameters())
    unit.fast = True
    with recomputing():
        y = unit(x)
        out = after(y)
    alive = weakref.ref(y)
    del y
    gc.collect()
    assert alive() is None, "the normalized map is kept"
    for a, b in zip(gradients(out, x, *unit.parameters()), expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("relu", [False, True])
def test_a_map_in_half_precision_is_made_again_to_the_bit(relu):
    norm = nn.BatchNorm2d(24)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(0))
    nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(1))
    x = random(2, 24, 31, 33).to(torch.bfloat16, memory_format=torch.channels_last).requires_grad_()
    with recomputing() as records:
        y = norm_relu(x, norm, relu)
    assert torch.equal(records[y].make(*records[y].sources), y)


def test_notes_are_followed_through_notes():
    x = random(3, 4).requires_grad_()
    made = []

    def double(t: torch.Tensor) -> torch.Tensor:
        made.append("double")
        return t * 2

    def root(t: torch.Tensor) -> torch.Tensor:
        made.append("root")
        return t.abs().sqrt()

    with recomputing():
        y = recompute(double(x), double, x)
        z = recompute(root(y), root, y)
        out = z.pow(2)
    made.clear()
    (gradient,) = gradients(out, x)
    assert made[:2] == ["double", "root"]
    (expected,) = gradients(root(double(x)).pow(2), x)
    torch.testing.assert_close(gradient, expected)


def test_nothing_is_noted_without_gradients():
    norm, x = nn.LayerNorm(8).double(), random(2, 3, 8)
    with recomputing() as records:
        with torch.no_grad():
            without = layer_norm(x, norm)
        kept = layer_norm(x, norm)
        assert without not in records and kept in records
        del kept
        gc.collect()
        assert len(records) == 0, "a record keeps its tensor alive"
    outside = layer_norm(x, norm)
    assert outside not in records


def test_the_inner_records_do_not_reach_the_outer_ones():
    with recomputing() as outer:
        with recomputing() as inner:
            x = recompute(random(2), torch.clone, random(2))
        y = recompute(random(2), torch.clone, random(2))
        assert x in inner and x not in outer and y in outer and y not in inner


@pytest.mark.parametrize("shift", [0, 2])
def test_window_attention_equals_the_plain_one(shift):
    torch.manual_seed(0)
    block = build_model("InSPyReNet_SwinT", depth=8, base_size=(64, 64)).backbone.layers[0].blocks[0].double()
    window = block.window
    x = random(2 * 4, window**2, 96).requires_grad_()  # two images of four windows
    size = (2 * window, 2 * window)
    mask = shift_mask(size, window, shift, x.device, x.dtype) if shift else None
    parameters = [p for p in block.attn.parameters() if p.requires_grad]
    reference, fast = attend(block.attn, x, mask), attend_training(block.attn, x, mask)
    torch.testing.assert_close(fast, reference)
    for a, b in zip(gradients(fast, x, *parameters), gradients(reference, x, *parameters), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("training", [False, True])
def test_unit_of_two_maps_is_the_unit_of_both(training):
    torch.manual_seed(0)
    unit = ConvUnit(7, 5, 3, dilation=2, relu=True).double().train(training)
    x, y = random(2, 3, 9, 8).requires_grad_(), random(2, 4, 9, 8, seed=1).requires_grad_()
    reference, fast = unit(torch.cat([x, y], dim=1)), unit_of_both(unit, x, y)
    torch.testing.assert_close(fast, reference)
    for a, b in zip(gradients(fast, x, y), gradients(reference, x, y), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("batch", [1, 3])
def test_unit_of_a_mixture(batch):
    torch.manual_seed(0)
    unit = ConvUnit(6, 4, 3, relu=True).double().eval()
    weights, values = (
        random(batch, 5, 9, 8).softmax(dim=1).requires_grad_(),
        random(batch, 6, 5, seed=1).requires_grad_(),
    )
    reference = unit(mixture(weights, values, torch.float64))
    fast = unit_of_mixture(unit, weights, values, torch.float64)
    torch.testing.assert_close(fast, reference)
    for a, b in zip(gradients(fast, weights, values), gradients(reference, weights, values), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("layout", ["as_trained", "corrected"])
@pytest.mark.parametrize("size", [(16, 24), (9, 7)], ids=["whole blocks", "no whole blocks"])
def test_context_sums_in_any_memory_order(layout, size):
    sica = SICA(8, 8, 0, size, with_laplacian=True, layout=layout).double()
    x, maps = random(2, 8, *size), random(2, 5, *size, seed=1)
    sica.fast = False
    expected = sica.sums(x, maps)
    view = x.reshape(2, -1, 8) if layout == "as_trained" else x.flatten(2).transpose(1, 2)
    torch.testing.assert_close(expected, maps.flatten(2) @ view)
    sica.fast = True
    for order in (torch.contiguous_format, torch.channels_last):
        torch.testing.assert_close(sica.sums(x.contiguous(memory_format=order), maps), expected)


def test_half_precision_trains():
    torch.manual_seed(0)
    model = build_model("InSPyReNet_SwinT", depth=8, base_size=(64, 64)).train()
    image, mask = torch.randn(2, 3, 64, 64), (torch.rand(2, 1, 64, 64) > 0.5).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(image)
    loss = build_criterion("InSPyReNet")(out, mask)["total"]
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_training_takes_up_the_mask_of_a_test():
    with torch.inference_mode():
        shift_mask((21, 14), 7, 3, torch.device("cpu"), torch.float32)
    assert not shift_mask((21, 14), 7, 3, torch.device("cpu"), torch.float32).is_inference()
