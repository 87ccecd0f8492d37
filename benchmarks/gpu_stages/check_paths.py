"""Formulations, precisions and features of the device against each other, with the bundled model on painted pictures."""

import contextlib
import os
import socket
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from inspyrenet.engine.predictor import Predictor
from inspyrenet.lib.inference.pyramid_blending import predict
from inspyrenet.lib.inference.transition import STAGE_SIZES, dilate_minus_erode
from inspyrenet.utils.system.bfloat16 import is_faster_on_cpu
from inspyrenet.utils.system.precision import DTYPES, choose_precision
from inspyrenet.utils.train import distributed

from . import check_golden
from .networks import bundled, bundled_config, bundled_images
from .setting import Setting, Skip, use_tf32


def saliency(setting: Setting, precision: str, fast: bool = True) -> Tensor:
    """Probabilities of the painted picture, blended where the model's config says so; precision: tf32 too."""
    model = bundled(setting.device)
    model.fast = fast
    use_tf32(precision == "tf32")
    config, name = bundled_config().Model, "float32" if precision == "tf32" else precision
    try:
        image, small = bundled_images(setting.device)
        if setting.tiny:
            return Predictor(model, setting.device, precision=name)(small_of(image, small)).logits.float().sigmoid()
        predictor = Predictor(model, setting.device, config.threshold, config.alignment, name)
        return predictor(image, small).logits.float().sigmoid()
    finally:
        use_tf32(False)
        model.fast = True


def small_of(image: Tensor, small: Tensor | None) -> Tensor:
    """The picture at the model's base size, whether or not its config makes such a copy."""
    size = bundled_config().Model.base_size
    return interpolate(image, size=size, mode="bilinear", antialias=True) if small is None else small


def fast_against_reference(setting: Setting, precision: str) -> float:
    """float32: the largest difference of a pixel's probability; else the mean difference, which rounding makes."""
    difference = (saliency(setting, precision) - saliency(setting, precision, fast=False)).abs()
    return float(difference.max() if precision == "float32" else difference.mean())


def against_float32(setting: Setting, precision: str) -> float:
    """Mean difference of a pixel's probability to float32."""
    return float((saliency(setting, precision) - saliency(setting, "float32")).abs().mean())


@torch.inference_mode()
def not_finite(setting: Setting, family: str) -> int:
    """How many numbers of all maps are infinite or not a number, over all precisions. Networks with drawn parameters."""
    device = setting.device
    if family == "bundled":
        model, image = bundled(device), small_of(*bundled_images(device))
    elif family == "InSPyReNet":
        model = check_golden.inspyrenet("swint", device)
        image = check_golden.drawing.image(320, 480, seed=1).to(device)
    else:
        model = {"BiRefNet": check_golden.birefnet, "PSPNet": check_golden.pspnet}[family](device).float().eval()
        image = check_golden.rules.noise(1, 128, 160).float().to(device)
    count = 0
    for name, dtype in DTYPES.items():
        with torch.autocast(device.type, dtype=dtype, enabled=name != "float32"):
            out = model(image)
        count += sum(int((~level.isfinite()).sum()) for level in (*out.saliency, *out.laplacian))
    return count


@torch.inference_mode()
def max_pools(setting: Setting) -> float:
    """The separable max-pools of noise here against those of the CPU: equal to the pixel."""
    noise = torch.rand(1, 1, 320, 400, generator=torch.Generator().manual_seed(0))
    pairs = [(dilate_minus_erode(noise.to(setting.device), n).cpu(), dilate_minus_erode(noise, n)) for n in (5, 9, 17)]
    assert set(STAGE_SIZES.values()) == {5, 9, 17}
    return max(float((here - there).abs().max()) for here, there in pairs)


def precision_auto(setting: Setting) -> float:
    """What precision auto chooses runs, and is near float32: mean difference of a pixel's probability."""
    chosen = choose_precision("auto", setting.device)
    fast = torch.cuda.is_bf16_supported() if setting.device.type == "cuda" else is_faster_on_cpu()
    if chosen != ("bfloat16" if fast else "float32"):
        raise RuntimeError(f"auto chose {chosen} on a device {'with' if fast else 'without'} fast bfloat16")
    return against_float32(setting, "auto")


def sync_batchnorm(setting: Setting) -> float:
    """A group of one process: SyncBatchNorm in training against plain BatchNorm, and one sum over the device's backend."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3)).to(setting.device)
    image = torch.randn(4, 3, 32, 32, device=setting.device)
    expected = plain(image)
    with _environment(_alone()), distributed.session(setting.device):
        model, ids = distributed.prepare(plain, setting.device), None
        if (
            setting.device.type == "cuda"
        ):  # SyncBatchNorm lives there alone; `prepare` itself makes it from two processes on
            model, ids = nn.SyncBatchNorm.convert_sync_batchnorm(model), [0]
        out = nn.parallel.DistributedDataParallel(model, ids)(image)
        out.square().mean().backward()
        total = out.detach().sum().reshape(1)
        torch.distributed.all_reduce(total)
        setting.wait()
    if not all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters()):
        raise RuntimeError("a gradient is missing or not finite")
    return max(float((out - expected).abs().max()), abs(float(total - expected.sum())) / expected.numel())


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """These environment variables for a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _alone() -> dict[str, str]:
    """What torchrun would set for one process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


@torch.inference_mode()
def graphs(setting: Setting) -> float:
    """One forward pass captured as a CUDA graph and replayed on another image: the largest difference of a logit."""
    if setting.device.type != "cuda":
        raise Skip("needs CUDA: graphs are a feature of its driver")
    model, given = bundled(setting.device), small_of(*bundled_images(setting.device))
    held, other = given.clone(), given.flip(-1)
    side = torch.cuda.Stream(setting.device)
    side.wait_stream(torch.cuda.current_stream(setting.device))
    with torch.cuda.stream(side):  # warm-up away from the main stream, as torch asks for
        for _ in range(3):
            model(held)
    torch.cuda.current_stream(setting.device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = model(held).logits
    held.copy_(other)
    graph.replay()
    return float((out - model(other).logits).abs().max())


@torch.no_grad()
def blended(setting: Setting) -> float:
    """A large image, blended in tiles and by the reference formulation: the largest difference of a pixel's probability."""
    model, (image, copy) = bundled(setting.device), bundled_images(setting.device)
    if getattr(model, "finest_stage", 0):
        raise Skip("the bundled model ends at a coarse stage, which is not blended")
    small, size = small_of(image, copy), (640, 800)
    large = interpolate(image, size=size, mode="bilinear")
    maps = []
    for model.fast in (True, False):
        maps.append(predict(model, large, small, threshold=128).logits.sigmoid())
    model.fast = True
    return float((maps[0] - maps[1]).abs().max())
