"""What every model and every encoder of the InSPyReNet family promises. A new one is one line in MODELS."""

import json
import socket

import pytest
import torch

from inspyrenet import build_criterion, load_weights
from inspyrenet.lib import build_model
from inspyrenet.lib.checkpoints.state_dict import DERIVED, WeightsError
from inspyrenet.lib.inference.pyramid_blending import predict
from inspyrenet.lib.modules.norm import recompute_encoder
from inspyrenet.lib.types import Encoder, SizeError
from tests.parity.drawing import GOLDEN

MODELS = {
    "Res2Net50": ("InSPyReNet_Res2Net50", {}),
    "SwinT": ("InSPyReNet_SwinT", {}),
    "SwinS": ("InSPyReNet_SwinS", {}),
    "mobilenetv4": ("InSPyReNet_Light", {"encoder": "mobilenetv4_conv_small"}),
    "pvt_v2": ("InSPyReNet_Light", {"encoder": "pvt_v2_b0"}),
    "convnextv2": ("InSPyReNet_Light", {"encoder": "convnextv2_atto"}),
}
SIZE = (64, 96)


@pytest.fixture(scope="module", params=MODELS, ids=str)
def model(request):
    name, arguments = MODELS[request.param]
    torch.manual_seed(0)
    return build_model(name, depth=16, base_size=(64, 64), pretrained=False, **arguments).eval()


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return build_model("InSPyReNet_Light", depth=16, base_size=(64, 64)).eval()


def images(batch: int = 2, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0))


def test_encoder_keeps_its_promise(model):
    assert isinstance(model.backbone, Encoder)
    with torch.no_grad():
        maps = model.backbone(images())
    assert [m.shape[1] for m in maps] == list(model.backbone.out_channels)
    assert [SIZE[0] // m.shape[2] for m in maps] == list(model.backbone.strides)
    assert [SIZE[1] // m.shape[3] for m in maps] == list(model.backbone.strides)


def test_stages_are_the_encoder_cut_in_five(model):
    """In order, every parameter once; freezing the first ones leaves the later maps to learn."""
    stages = model.backbone.stages()
    assert len(stages) == 5
    listed = [p for group in stages for module in group for p in module.parameters()]
    assert len({id(p) for p in listed}) == len(listed)
    assert {id(p) for p in listed} == {id(p) for p in model.backbone.parameters()}
    image = images(1).requires_grad_()
    for number, level in enumerate(model.backbone(image)):
        model.backbone.zero_grad()
        level.sum().backward(retain_graph=True)
        later = [p for group in stages[number + 1 :] for module in group for p in module.parameters()]
        norms = {id(p) for name, p in model.backbone.named_parameters() if "norm" in name or "downsample" in name}
        assert all(p.grad is None or not p.grad.any() for p in later if id(p) not in norms)


def test_checkpointing_keeps_less_for_the_same_gradients(model):
    kept, gradients = {}, {}
    for model.backbone.checkpointing in (True, False):
        seen: dict[int, int] = {}

        def note(x, seen=seen):
            seen[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        torch.manual_seed(0)  # of stochastic depth
        model.train().zero_grad()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            maps = model.backbone(images())
        sum(m.square().mean() for m in maps).backward()
        on = model.backbone.checkpointing
        kept[on] = sum(seen.values())
        gradients[on] = torch.cat([p.grad.flatten() for p in model.backbone.parameters() if p.grad is not None])
    model.eval().zero_grad()
    assert kept[True] < 0.8 * kept[False]
    torch.testing.assert_close(gradients[True], gradients[False], atol=1e-6, rtol=1e-4)


def test_statistics_are_noted_once_where_stages_are_computed_again(model):
    counts = [name for name, _ in model.backbone.named_buffers() if name.endswith("num_batches_tracked")]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = []
    for on in (False, True):
        model.load_state_dict(state)
        if on:
            recompute_encoder(model.backbone)
        torch.manual_seed(0)  # of stochastic depth
        maps = model.backbone.train()(images())
        sum(m.square().mean() for m in maps).backward()
        found.append({name: value.clone() for name, value in model.backbone.named_buffers()})
    assert all(found[1][name] == state[f"backbone.{name}"] + 1 for name in counts)
    torch.testing.assert_close(found[1], found[0])
    model.backbone.checkpointing = False
    model.load_state_dict(state)
    model.eval().zero_grad()


@pytest.mark.parametrize("training", [False, True])
def test_pyramid_has_its_shape_in_both_modes(model, training):
    model.train(training)
    with torch.no_grad():
        out = model(images())
    model.eval()
    assert [tuple(s.shape) for s in out.saliency] == [(2, 1, SIZE[0] // k, SIZE[1] // k) for k in (8, 4, 2, 1)]
    assert [tuple(u.shape) for u in out.laplacian] == [(2, 1, SIZE[0] // k, SIZE[1] // k) for k in (4, 2, 1)]
    assert out.logits is out.saliency[-1]


@torch.no_grad()
def test_an_image_does_not_depend_on_its_neighbors(model):
    batch = images()
    alone = model(batch[:1]).logits
    torch.testing.assert_close(model(batch).logits[:1].sigmoid(), alone.sigmoid(), atol=1e-3, rtol=0)


@pytest.fixture(scope="module")
def calibrated(model):
    """The model with the running statistics that training would have left, so that activations have their usual range."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # cumulative average
            module.reset_running_stats()
    with torch.no_grad():
        model.train()(images(4))
    return model.eval()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_is_finite_and_near(calibrated, dtype):
    """As near as an image with noise of the size of a rounding: untrained deep encoders make much of little."""
    full = calibrated(images(1)).logits.sigmoid()
    noise = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1)) * torch.finfo(dtype).eps / 2
    noisy = (calibrated(images(1) + noise).logits.sigmoid() - full).abs().mean()
    with torch.autocast("cpu", dtype=dtype):
        out = calibrated(images(1))
    assert all(torch.isfinite(x).all() for x in (*out.saliency, *out.laplacian))
    assert out.logits.dtype == torch.float32
    assert (out.logits.sigmoid() - full).abs().mean() < max(0.05, 1.5 * noisy)


def test_every_parameter_learns(model):
    model.train().zero_grad()
    mask = (torch.rand(2, 1, *SIZE, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    build_criterion("InSPyReNet")(model(images()), mask)["total"].backward()
    model.eval()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    # a stage's refined feature is not used by the last stage's output; timm nets may carry an unused last norm
    assert not [n for n in silent if not n.startswith("backbone.")], silent


def test_wrong_size_states_the_remedy(small):
    with pytest.raises(SizeError, match="the nearest is 640×480"):
        small(torch.zeros(1, 3, 640, 481))


def test_training_mode_is_left_again(small):
    """A forward that eval() switches off must be the one that train(False) switches off."""
    image = images(1)
    with torch.no_grad():
        before = small.eval()(image).logits
        small.train()
        after = small.train(False)(image).logits
    assert torch.equal(before, after)


def test_kernels_move_and_stay_out_of_the_state_dict(small):
    model = build_model("InSPyReNet_Light", depth=16, base_size=(64, 64)).half()
    assert model.pyramid.kernel.dtype == torch.float16
    assert not [name for name in small.state_dict() if "kernel" in name]


@pytest.mark.parametrize("encoder", ["res2net50", "swint", "swinb"])
def test_parameter_names_are_the_published_ones(encoder):
    name = {"res2net50": "InSPyReNet_Res2Net50", "swint": "InSPyReNet_SwinT", "swinb": "InSPyReNet_SwinB"}[encoder]
    shapes = json.loads((GOLDEN / "keys" / f"inspyrenet_{encoder}_keys.json").read_text())
    with torch.device("meta"):
        ours = {k: list(v.shape) for k, v in build_model(name).state_dict().items()}
    assert {k: v for k, v in ours.items() if not k.endswith(DERIVED)} == {
        k: v for k, v in shapes.items() if not k.endswith(DERIVED)
    }


def test_wrappers_and_prefixes_are_understood(small):
    state = {f"module.{k}": v for k, v in small.state_dict().items()}
    other = build_model("InSPyReNet_Light", depth=16, base_size=(64, 64))
    load_weights(other, {"epoch": 3, "state_dict": state})
    assert all(torch.equal(a, b) for a, b in zip(other.state_dict().values(), small.state_dict().values(), strict=True))


def test_weights_of_another_model_are_named(small):
    other = build_model("InSPyReNet_Res2Net50", depth=64)
    with pytest.raises(
        WeightsError, match=r"looks like InSPyReNet_Res2Net50; use --config configs/InSPyReNet_Res2Net50\.yaml"
    ):
        load_weights(small, other.state_dict())
    with pytest.raises(WeightsError, match="no network known here"):
        load_weights(small, {"some.weight": torch.zeros(3)})


def test_unknown_names_list_the_choices():
    with pytest.raises(ValueError, match="did you mean InSPyReNet_SwinB"):
        build_model("InSPyReNet_SwinBB")
    with pytest.raises(ValueError, match="no encoder called"):
        build_model("InSPyReNet_Light", encoder="mobilenetv4_conv_smalll")
    with pytest.raises(TypeError):
        build_model("InSPyReNet_SwinT", dept=64)


def test_pretrained_false_never_touches_the_network(monkeypatch):
    tried = []

    def refuse(_socket, address):
        tried.append(address)  # a library may swallow the error
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    build_model("InSPyReNet_Light", pretrained=False, depth=16, base_size=(64, 64))
    assert not tried


@torch.no_grad()
def test_blending_rule(small):
    """One pass on the base-size copy where a side is not above the threshold, blending where both are."""
    copy = images(1, (64, 64))
    assert predict(small, images(1, (128, 96)), copy).logits.shape[-2:] == (128, 96)
    assert predict(small, images(1, (128, 96)), copy, threshold=96).logits.shape[-2:] == (64, 64)
    out = predict(small, images(1, (128, 160)), copy, threshold=96)
    assert out.logits.shape[-2:] == (128, 160)
    torch.testing.assert_close(out.saliency[0], torch.nn.functional.interpolate(
        small(copy).logits, size=(16, 20), mode="bilinear", align_corners=False
    ))  # fmt: skip
