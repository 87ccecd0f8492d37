"""The golden numbers of tests/golden on this device: what the published implementations compute, in float32 without TF32.

Every function returns how far the worst number is away, as |difference| / max(1, |golden|).
"""

import functools
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from inspyrenet.lib import build_model
from inspyrenet.lib.checkpoints.pspnet import HEADS
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.lib.inference.pyramid_blending import predict
from inspyrenet.lib.inference.transition import transition
from inspyrenet.lib.losses.build import build_criterion
from inspyrenet.lib.losses.terms import pixel_iou, weighted_bce
from inspyrenet.lib.modules.pyramid import ImagePyramid
from inspyrenet.lib.types import SaliencyPyramid
from tests.parity import drawing, rules

from .setting import Setting

INSPYRENET = {"res2net50": "InSPyReNet_Res2Net50", "swint": "InSPyReNet_SwinT", "swinb": "InSPyReNet_SwinB"}
ZERO = 1e-8  # gradients that are zero by symmetry


def distance(ours: Tensor, theirs: np.ndarray | float) -> float:
    """The largest |difference| / max(1, |golden|); infinite for another shape or where something is not a number."""
    mine, theirs = ours.detach().double().cpu().numpy(), np.asarray(theirs, np.float64)
    if mine.shape != theirs.shape or not np.isfinite(mine).all():
        return float("inf")
    return float(np.max(np.abs(mine - theirs) / np.maximum(1, np.abs(theirs)), initial=0.0))


# -- InSPyReNet ---------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def drawn(encoder: str) -> Mapping[str, Tensor]:
    """The drawn parameters, which take seconds to draw."""
    return drawing.state_dict(encoder)


@functools.lru_cache(maxsize=1)
def inspyrenet(encoder: str, device: torch.device) -> nn.Module:
    """A published network with drawn parameters, in eval mode."""
    model = build_model(INSPYRENET[encoder], base_size=(384, 384), depth=64, pretrained=False)
    return load_state(model, drawn(encoder)).to(device).eval()


@torch.no_grad()
def pyramid(setting: Setting, encoder: str, case: str, fast: bool = True, dtype: torch.dtype = torch.float32) -> float:
    """The maps of one image: case is 384, 320x480 or blend_640x800."""
    model = inspyrenet(encoder, setting.device).to(dtype)
    model.fast = fast
    sizes = {"384": (384, 384, 2, 0), "320x480": (320, 480, 1, 1), "blend_640x800": (640, 800, 1, 3)}
    image = drawing.image(*sizes[case]).to(setting.device, dtype)
    if case.startswith("blend"):
        out = predict(model, image, drawing.image(384, 384, seed=3).to(setting.device, dtype), threshold=512)
    else:
        out = model(image)
    model.float().fast = True  # as the next check expects it
    return max(levels(out, drawing.golden(f"inspyrenet_{encoder}_{case}")))


def levels(out: SaliencyPyramid, expected: Mapping[str, np.ndarray]) -> Iterable[float]:
    """The distance at each level of the pyramid."""
    stride = int(expected["stride"])
    yield distance(out.saliency[0], expected["saliency3"])
    for name, maps in (("saliency", out.saliency[1:]), ("laplacian", out.laplacian)):
        for j, level in zip((2, 1, 0), maps, strict=True):
            yield distance(level[..., ::stride, ::stride], expected[f"{name}{j}"])


def inspyrenet_training(setting: Setting, encoder: str) -> float:
    """Loss and norms of gradients of two images, in float64 as the golden numbers are."""
    model = build_model(INSPYRENET[encoder], base_size=(384, 384), depth=64, pretrained=False)
    model = load_state(model, drawn(encoder)).to(setting.device).double().train()
    rules.without_randomness(model)
    image, mask = (x.to(setting.device).double() for x in (drawing.image(256, 256, 2), drawing.mask(256, 256, 2)))
    total = build_criterion("InSPyReNet").to(setting.device).double()(model(image), mask)["total"]
    total.backward()
    expected = drawing.golden(f"inspyrenet_{encoder}_train")
    norms = zip(map(str, expected["grad_names"]), expected["grad_norms"].tolist(), strict=True)
    return max(relative(total, float(expected["loss"])), *gradients(model, norms))


def gradients(model: nn.Module, norms: Iterable[tuple[str, float]]) -> Iterable[float]:
    """How far the norm of each parameter's gradient is away, as a share of it; 0 for one that is zero in both."""
    parameters = dict(model.named_parameters())
    for name, norm in norms:
        gradient = parameters[name].grad
        ours = torch.zeros(()) if gradient is None else gradient.norm()
        yield relative(ours, norm) if norm > ZERO / 10 else float(ours >= ZERO)


def relative(ours: Tensor, theirs: float) -> float:
    """|difference| / |golden|."""
    return abs(ours.item() - theirs) / abs(theirs)


# -- its parts ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def pyramid_operations(setting: Setting) -> float:
    """REDUCE, EXPAND, the Laplacian and reconstruction."""
    expected, parts = drawing.golden("pyramid"), ImagePyramid().to(setting.device)
    x = torch.from_numpy(expected["x"]).to(setting.device)
    reduced, laplacian = parts.reduce(x), parts.laplacian(x)
    found = {
        "kernel": parts.kernel,
        "reduce": reduced,
        "expand": parts.expand(reduced),
        "laplacian": laplacian,
        "reconstruct": parts.reconstruct(reduced, laplacian),
        "reconstruct_small": parts.reconstruct(reduced, laplacian[..., :40, :36]),
    }
    return max(distance(ours, expected[name]) for name, ours in found.items())


@torch.no_grad()
def transitions(setting: Setting) -> float:
    """Where the maps change, by separable max-pools: equal to the pixel."""
    expected = drawing.golden("pyramid")
    logits = torch.from_numpy(expected["transition_in"]).to(setting.device)
    sizes = {0: 17, 1: 9, 2: 5}
    return max(distance(transition(logits, stage), expected[f"transition{size}"]) for stage, size in sizes.items())


@torch.no_grad()
def inspyrenet_losses(setting: Setting) -> float:
    """Both terms of the loss, pixel by pixel and as means."""
    expected = drawing.golden("losses")
    logits, target = (torch.from_numpy(expected[name]).to(setting.device) for name in ("logits", "mask"))
    bce, iou = weighted_bce(logits, target), pixel_iou(logits, target)
    found = {"wbce_map": bce, "wbce": bce.mean(), "iou_map": iou, "iou": iou.mean()}
    return max(distance(ours, expected[name]) for name, ours in found.items())


# -- BiRefNet and PSPNet ------------------------------------------------------------------------------------------


def statistics(x: Tensor, expected: Mapping) -> float:
    """The distance of mean, deviation, largest value, first, middle and last element."""
    if list(x.shape) != expected["shape"]:
        return float("inf")
    flat = x.detach().double().flatten()
    places = [flat.mean(), flat.std(correction=0), flat.abs().max(), flat[0], flat[len(flat) // 2], flat[-1]]
    names = ("mean", "std", "absmax", "first", "mid", "last")
    return distance(torch.stack(places), np.array([expected[name] for name in names]))


@functools.lru_cache(maxsize=1)
def birefnet(device: torch.device) -> nn.Module:
    """BiRefNet_SwinT with drawn parameters, in float64."""
    model = build_model("BiRefNet_SwinT").double()
    model.tile_order = "channel-major"
    return load_state(model, rules.state_dict(rules.shapes("birefnet_swin_v1_tiny"))).to(device).eval()


@torch.no_grad()
def birefnet_map(setting: Setting, seed: int, size: tuple[int, int]) -> float:
    """The final map."""
    model = birefnet(setting.device).float().eval()
    out = model(rules.noise(seed, *size).float().to(setting.device))
    expected = rules.golden("birefnet")[f"eval_swin_v1_tiny_{size[0]}x{size[1]}"]
    return statistics(out.logits, expected["logits_channel_major"])


def birefnet_training(setting: Setting) -> float:
    """Loss and norms of gradients of two images, in float64; the last check of this network, which it changes."""
    birefnet.cache_clear()
    expected = rules.golden("birefnet")["train_swin_v1_tiny_2x128x160"]
    model = rules.without_randomness(birefnet(setting.device)).train()
    out = model(rules.noise(3, 128, 160, 2).to(setting.device))
    parts = build_criterion("BiRefNet_SwinT")(out, rules.label(2, 128, 160).to(setting.device))
    parts["total"].backward()
    norms = [(f"backbone{n[2:]}" if n.startswith("bb.") else n, v) for n, v in expected["grad_norms_total"].items()]
    pixel, gradient = expected["loss_pix_bce30_iou0.5_ssim10"], expected["loss_gdt"]
    return max(relative(parts["total"], pixel + gradient), *gradients(model, norms))


@torch.no_grad()
def birefnet_losses(setting: Setting) -> float:
    """Every single loss, in float64."""
    expected = rules.golden("birefnet")["losses_2x48x64"]
    p = torch.from_numpy(np.random.default_rng(4).random((2, 1, 48, 64))).to(setting.device)
    mask = rules.label(2, 48, 64).to(setting.device)
    return max(relative(ours, expected[name]) for name, ours in rules.single_losses(p, mask).items())


@functools.lru_cache(maxsize=1)
def pspnet(device: torch.device) -> nn.Module:
    """PSPNet_ResNet50 with two classes and drawn parameters, in float64."""
    heads = {f"{head}.{part}" for head in HEADS for part in ("weight", "bias")}
    shapes = {n: (2, *s[1:]) if n in heads else s for n, s in rules.shapes("pspnet_resnet50").items()}
    return load_state(build_model("PSPNet_ResNet50", classes=2).double(), rules.state_dict(shapes)).to(device).eval()


@torch.no_grad()
def pspnet_map(setting: Setting, seed: int, size: tuple[int, int]) -> float:
    """The scores of both classes."""
    model = pspnet(setting.device).float().eval()
    out = model(rules.noise(seed, *size).float().to(setting.device))
    return statistics(out.scores[0], rules.golden("pspnet")[f"eval_{size[0]}x{size[1]}"]["logits"])


def pspnet_training(setting: Setting) -> float:
    """Loss and norms of gradients of two images with pixels left out, in float64."""
    pspnet.cache_clear()
    expected = rules.golden("pspnet")["train_2x97x129"]
    model = rules.without_randomness(pspnet(setting.device)).train()
    mask = (rules.label(2, 97, 129) > 0.5).double()
    valid = torch.ones_like(mask)
    valid[:, :, :5, :7] = 0
    out = model(rules.noise(13, 97, 129, 2).to(setting.device))
    parts = build_criterion("PSPNet_ResNet50", "ce")(out, mask.to(setting.device), valid.to(setting.device))
    parts["total"].backward()
    norms = [(f"backbone.{n}" if n.startswith("layer") else n, v) for n, v in expected["grad_norms"].items()]
    return max(relative(parts["total"], expected["total"]), *gradients(model, norms))
