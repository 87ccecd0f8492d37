"""What is measured, the most valuable first: passes of networks, training steps, then compiled networks."""

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from inspyrenet.engine import build
from inspyrenet.engine.benchmark import force_disc_prediction
from inspyrenet.engine.jit import compiled
from inspyrenet.engine.predictor import Predictor
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.schema import Config
from inspyrenet.utils.system.timing import Timing, peak_memory
from inspyrenet.utils.train.types import on_device

from .. import training
from .measure_floor import Floor
from .measure_time import times_ms
from .networks import bundled, bundled_config, bundled_images
from .records import Record
from .setting import Setting, Skip, use_tf32

BUNDLED = "the bundled model"
TINY = ("Model.encoder=mobilenetv4_conv_small", "Model.depth=8")
ROUNDS, SECONDS, STEPS = 50, 2.0, 10


@dataclass(frozen=True)
class Case:
    """One figure. network: a shipped config, or BUNDLED. blended: threshold on, an object found; training: steps, not passes."""

    network: str
    size: tuple[int, int] | None  # None: as the bundled model is shipped, compiled for its base size
    batch: int = 1
    precision: str = "float32"
    blended: bool = False
    training: bool = False
    jit: bool = False
    words: tuple[str, ...] = ()  # changes of the config

    @property
    def name(self) -> str:
        shipped = "base size" if self.jit else "shipped sizes"
        size = shipped if self.size is None else f"{self.size[0]}x{self.size[1]}"
        extras = [text for text, on in (("blended", self.blended), ("compiled", self.jit)) if on]
        work = "training" if self.training else ""
        return " ".join(filter(None, [self.network, work, size, f"batch {self.batch}", self.precision, *extras]))


def _in(precisions: tuple[str, ...], case: Case) -> list[Case]:
    return [replace(case, precision=precision) for precision in precisions]


ALL = ("bfloat16", "float32", "tf32")
SWINB, RES2NET, BIREFNET, PSPNET = "InSPyReNet_SwinB", "InSPyReNet_Res2Net50", "BiRefNet_SwinL", "PSPNet_ResNet50"
CASES = [
    *_in(ALL, Case(SWINB, (384, 384))),
    *_in(ALL, Case(SWINB, (384, 384), 16)),
    *_in(ALL, Case(SWINB, (1280, 1920), blended=True)),
    *_in(ALL, Case(BUNDLED, None)),
    *(Case(name, (384, 384), batch, "bfloat16", training=True) for name in (RES2NET, SWINB) for batch in (16, 6)),
    *_in((*ALL, "float16"), Case(BIREFNET, (1024, 1024))),
    *_in(ALL, Case(RES2NET, (384, 384))),
    *_in(ALL, Case(RES2NET, (384, 384), 16)),
    *_in(ALL, Case(PSPNET, (473, 473))),
    Case(SWINB, (384, 384), precision="bfloat16", jit=True),
    Case(BUNDLED, None, precision="bfloat16", jit=True),
    Case(RES2NET, (384, 384), precision="bfloat16", jit=True),
    Case(SWINB, (384, 384), 16, "bfloat16", jit=True),
    Case(BIREFNET, (1024, 1024), precision="bfloat16", jit=True),
    Case(PSPNET, (473, 473), precision="bfloat16", jit=True),
]
LIGHT = Case("InSPyReNet_Light", (64, 64), words=TINY)
TINY_CASES = [
    *_in(ALL, LIGHT),
    replace(LIGHT, size=(96, 128), blended=True),
    Case(BUNDLED, (128, 128)),
    replace(LIGHT, batch=2, precision="bfloat16", training=True),
    replace(LIGHT, jit=True),
]


def measure(setting: Setting, floor: Floor, case: Case) -> Record:
    """Milliseconds (median), peak memory, operations and floors of one case."""
    return _training(setting, floor, case) if case.training else _passes(setting, floor, case)


def _config(case: Case) -> Config:
    if case.network == BUNDLED:
        return bundled_config()
    base = case.size if not case.blended else (64, 64) if case.words else (384, 384)
    threshold = "null" if not case.blended else str(base[0])
    words = (
        *case.words,
        f"Model.base_size=[{base[0]},{base[1]}]",
        f"Model.threshold={threshold}",
        "Model.pretrained=false",
    )
    return load_config([case.network], words)[0]


@functools.lru_cache(maxsize=1)
def _network(network: str, words: tuple[str, ...], size: tuple[int, int] | None, blended: bool, device) -> nn.Module:
    """The last network is kept for the next case; compiled ones are changed and get a fresh one."""
    if network == BUNDLED:
        return bundled(device)
    model = build.network(_config(Case(network, size, blended=blended, words=words)), start=False).to(device)
    if blended:
        force_disc_prediction(model)
    return model.eval()


def _passes(setting: Setting, floor: Floor, case: Case) -> Record:
    device, config = setting.device, _config(case)
    if case.jit:
        _network.cache_clear()
        bundled.cache_clear()
    model = _network(case.network, case.words, case.size, case.blended, device)
    image, small = _inputs(case, config, device)
    threshold = config.Model.threshold if small is not None else None
    name = "float32" if case.precision == "tf32" else case.precision
    predictor = Predictor(model, device, threshold, config.Model.alignment, name)
    flops = _operations(functools.partial(predictor, image, small))
    seconds = 0.0
    if case.jit:
        seconds = _compile(setting, predictor, image)
    use_tf32(case.precision == "tf32")
    try:
        found = _time(setting, functools.partial(predictor, image, small))
    finally:
        use_tf32(False)
        if case.jit:
            _network.cache_clear()
            bundled.cache_clear()
    moved = _bytes(model, image, name)
    rate = {"images_per_second": 1000 * case.batch / found["value"]}
    return {**found, **_floors(floor, case, flops, moved), **rate, **({"compile_seconds": seconds} if case.jit else {})}


def _inputs(case: Case, config: Config, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """(image, base-size copy where it is blended), on the device: the way there is not measured."""
    if case.size is None and not case.jit:
        return bundled_images(device)
    generator = torch.Generator().manual_seed(0)
    size, base = case.size or config.Model.base_size, config.Model.base_size
    sizes = [size, base] if case.blended else [size]
    images = [torch.randn(case.batch, 3, *size, generator=generator).to(device) for size in sizes]
    return images[0], images[1] if case.blended else None


def _compile(setting: Setting, predictor: Predictor, image: Tensor) -> float:
    """Compile the predictor's network in place; seconds until its first pass is done. --tiny leaves the compiler itself out."""
    started = time.monotonic()
    logging.getLogger("inspyrenet.engine.jit").setLevel(logging.ERROR)
    torch._dynamo.reset()
    predictor.model = compiled(predictor.model, "eager" if setting.tiny else "inductor")
    predictor(image)
    setting.wait()
    return time.monotonic() - started


def _time(setting: Setting, work: Callable[[], object]) -> Record:
    with peak_memory(setting.device) as memory:
        times = times_ms(work, setting.device, 3 if setting.tiny else ROUNDS, SECONDS)
    timing = Timing.of(times)
    spread = {"fastest_ms": timing.fastest, "slowest_ms": timing.slowest, "rounds": timing.rounds}
    return {"value": timing.median, "unit": "ms", "peak_mb_above_the_model": memory["above"] / 1e6, **spread}


def _operations(work: Callable[[], object]) -> float:
    """Floating-point operations of products and convolutions, a multiply-add as two, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def _bytes(model: nn.Module, image: Tensor, precision: str) -> float:
    """A lower bound of what must be moved: parameters (float32) and image once, one map in the precision."""
    parameters = sum(p.numel() * p.element_size() for p in model.parameters())
    width = 4 if precision == "float32" else 2
    return parameters + image.numel() * image.element_size() + image.numel() / 3 * width


def _floors(floor: Floor, case: Case, flops: float, moved: float) -> Record:
    return {"gflop": flops / 1e9, **floor.milliseconds(case.precision, flops, moved)}


def _training(setting: Setting, floor: Floor, case: Case) -> Record:
    """Optimizer steps as Train takes them, on one batch that lies on the device."""
    _network.cache_clear()
    if setting.device.type == "cuda" and case.precision == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise Skip("this GPU has no bfloat16")
    trainer = training.build(case.network, case.batch, case.size[0], case.precision, setting.device, False)
    trainer.loader.batch = batch = on_device(trainer.loader.batch, setting.device)
    trainer.model.train()
    flops = _operations(lambda: trainer.step([batch]))
    speed, peak = training.measure(trainer, 2 if setting.tiny else STEPS)
    moved = 3.0 * _bytes(trainer.model, batch["image"], case.precision)  # parameters, their gradients, the new ones
    found = {
        "value": 1000 * case.batch / speed,
        "unit": "ms",
        "images_per_second": speed,
        "peak_mb": peak * 2**30 / 1e6,
    }
    return {**found, **_floors(floor, case, flops, moved)}
