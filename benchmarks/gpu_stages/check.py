"""The stage check: everything in one table, each with the limit that its value must keep."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from . import check_golden as golden
from . import check_paths as paths
from . import check_training
from .records import Record
from .setting import Setting, Skip, run_all

LONG = "--tiny leaves out what takes long on a CPU"


@dataclass(frozen=True)
class Check:
    """work: the setting → a value that must be `limit` at most. tiny: whether --tiny runs it, too."""

    name: str
    work: Callable[[Setting], float]
    limit: float
    tiny: bool = True


# Rounding in float32 moves these maps by as much as the tests' tolerance, 1e-4: the CPU's own by 1.2e-4 with one thread instead of
# two. So float32 is given more, and float64 is held to the tolerance.
MAPS = {torch.float32: 3e-4, torch.float64: 1e-4}


def _pyramid(encoder: str, case: str, fast: bool = True, dtype: torch.dtype = torch.float32) -> Check:
    name = f"golden InSPyReNet {encoder} {case}"
    extras = [text for text, on in (("reference formulation", not fast), ("float64", dtype == torch.float64)) if on]
    work = partial(golden.pyramid, encoder=encoder, case=case, fast=fast, dtype=dtype)
    return Check(", ".join([name, *extras]), work, MAPS[dtype], False)


def _encoder(encoder: str) -> list[Check]:
    """All goldens of one encoder: one after the other, because the drawn network is kept for the next."""
    maps = [_pyramid(encoder, case) for case in ("384", "320x480", "blend_640x800")]
    wide = [_pyramid(encoder, case, dtype=torch.float64) for case in ("384", "320x480")]
    train = partial(golden.inspyrenet_training, encoder=encoder)
    return [*maps, *wide, Check(f"golden InSPyReNet {encoder} loss and gradients, float64", train, 1e-6, False)]


# In half precision and TF32 the two formulations round differently; float32 is held to the golden tolerance.
FAST = {"float32": 1e-4, "tf32": 2e-3, "bfloat16": 1e-2, "float16": 2e-3}


def _formulations(name: str) -> Check:
    work = partial(paths.fast_against_reference, precision=name)
    return Check(f"fast against reference, {name}", work, FAST[name], name != "float16")


def _against_float32(name: str) -> Check:
    return Check(f"{name} against float32", partial(paths.against_float32, precision=name), FAST[name])


CHECKS = [  # what could hang or break the device comes last
    Check("golden pyramid operations", golden.pyramid_operations, 1e-5),
    Check("golden transitions", golden.transitions, 0),
    Check("golden InSPyReNet losses", golden.inspyrenet_losses, 1e-5),
    Check("golden BiRefNet losses, float64", golden.birefnet_losses, 1e-6),
    *(_formulations(name) for name in FAST),
    *(_against_float32(name) for name in FAST if name != "float32"),
    Check("blended, fast against reference", paths.blended, 1e-4, False),
    Check("all finite, bundled model", partial(paths.not_finite, family="bundled"), 0),
    Check("precision auto", paths.precision_auto, FAST["bfloat16"]),
    Check("max-pools as on the CPU", paths.max_pools, 0),
    *_encoder("swint"),
    _pyramid("swint", "320x480", fast=False),
    Check("all finite, InSPyReNet swint", partial(paths.not_finite, family="InSPyReNet"), 0, False),
    Check("golden PSPNet 57x57", partial(golden.pspnet_map, seed=12, size=(57, 57)), 1e-4),
    Check("golden PSPNet 97x129", partial(golden.pspnet_map, seed=11, size=(97, 129)), 1e-4, False),
    Check("all finite, PSPNet", partial(paths.not_finite, family="PSPNet"), 0, False),
    Check("golden BiRefNet 128x160", partial(golden.birefnet_map, seed=1, size=(128, 160)), 1e-4, False),
    Check("golden BiRefNet 256x256", partial(golden.birefnet_map, seed=2, size=(256, 256)), 1e-4, False),
    Check("all finite, BiRefNet", partial(paths.not_finite, family="BiRefNet"), 0, False),
    Check("golden PSPNet loss and gradients, float64", golden.pspnet_training, 1e-6, False),
    Check("golden BiRefNet loss and gradients, float64", golden.birefnet_training, 1e-6, False),
    *_encoder("res2net50"),
    *_encoder("swinb"),
    Check("resume after a kill, bfloat16", check_training.resume, 1e-3),
    Check("SyncBatchNorm in a group of one", paths.sync_batchnorm, 1e-5),
    Check("CUDA graph", paths.graphs, 1e-4),
    Check("out of memory", check_training.out_of_memory, 0),
]


def run(setting: Setting) -> bool:
    """Run the table; whether every value keeps its limit."""
    return run_all(setting, _items(setting))


def _items(setting: Setting) -> Iterator[tuple[str, Callable[[], Record]]]:
    for check in CHECKS:
        yield check.name, partial(_work, setting, check)


def _work(setting: Setting, check: Check) -> Record:
    if setting.tiny and not check.tiny:
        raise Skip(LONG)
    value = check.work(setting)
    return {"value": value, "limit": check.limit, "ok": bool(value <= check.limit)}
