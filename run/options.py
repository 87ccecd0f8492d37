"""The options that Train, Test, Eval and Expr share, and which device they run on.

Imports nothing heavy, so that `--help` answers at once.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

OVERRIDES = """\
every word that contains = changes the config:
  Train.Optimizer.lr=1e-5            one value
  Train.Optimizer.lr=1e-5,3e-5       a grid: one run for each value (brackets protect commas: Model.base_size=[384,384])
"""


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


@dataclass(frozen=True)
class Options:
    """What the command line says. `extra` holds the options that only one script has."""

    config: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    resume: bool = False
    verbose: bool = False
    debug: bool = False
    device: str = "auto"
    extra: argparse.Namespace = field(default_factory=argparse.Namespace)


def build_parser(description: str, config_required: bool = True) -> argparse.ArgumentParser:
    """Parser with the shared options; a script may add its own before `read_options`."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog=OVERRIDES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="Section.key=value", help="overrides, see below")
    add("-c", "--config", nargs="+", action="extend", default=[], metavar="FILE", help="YAML file, one or more")
    add("-r", "--resume", action="store_true", help="go on from the newest checkpoint")
    add("-v", "--verbose", action="store_true", help="say what happens, with progress bars")
    add("-d", "--debug", action="store_true", help="write pictures of the intermediate results")
    add("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.set_defaults(config_required=config_required)
    return parser


def read_options(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> Options:
    """Read `argv` (default: the command line). Leaves with a usage message and exit code 2 on a mistake."""
    known = vars(parser.parse_intermixed_args(argv))
    words = [*known.pop("config"), *known.pop("words")]
    config = tuple(word for word in words if "=" not in word)
    if not config and known.pop("config_required", True):
        parser.error("say which experiment: --config configs/InSPyReNet_SwinB.yaml")
    known.pop("config_required", None)
    overrides = tuple(word for word in words if "=" in word)
    shared = {name: known.pop(name) for name in ("resume", "verbose", "debug", "device")}
    return Options(config=config, overrides=overrides, **shared, extra=argparse.Namespace(**known))


def check_clone(script: str) -> None:
    """Leave with a message where `script` (its `__file__`) would run another copy of the package than its own clone.

    That happens after a plain `pip install .`: edits in the clone would then have no effect.
    """
    package = Path(__file__).resolve().parent
    folder = Path(script).resolve().parent
    if package not in (folder, folder / "run"):
        raise SystemExit(
            f"{script} would run the copy of inspyrenet in {package.parent}: run ./install.sh in this clone"
        )


def resolve_device(name: str = "auto", local_rank: int = 0) -> "torch.device":
    """The torch device of that name; `auto` takes CUDA, else MPS, else the CPU; plain `cuda` takes GPU `local_rank`.

    Raises DeviceError, naming what there is, for a device that this machine or this torch does not have.
    """
    import torch

    there = available_devices()
    if name == "auto":
        name = "cuda" if "cuda:0" in there else "mps" if "mps" in there else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"there is no device called {name!r}; here: {', '.join(there)}") from None
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", local_rank)
    if str(device) not in there and device != torch.device("cpu", 0):
        raise DeviceError(f"device {name!r} was asked for but is not there; here: {', '.join(there)}{_why_not(device)}")
    return device


def available_devices() -> list[str]:
    """Names of all devices that can be asked for, the CPU last."""
    import torch

    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def describe_device(device: "torch.device") -> str:
    """The device as people know it: `cuda:0 (NVIDIA H200, 139 GiB)`, `cpu (2 threads)`."""
    import torch

    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{device} ({properties.name}, {properties.total_memory / 2**30:.0f} GiB)"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)


def _why_not(device: "torch.device") -> str:
    import torch

    if device.type != "cuda" or torch.cuda.is_available():
        return ""
    if torch.version.cuda is None and torch.version.hip is None:
        return "; this torch was built without CUDA"
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "; CUDA_VISIBLE_DEVICES hides every GPU"
    return f"; torch was built for CUDA {torch.version.cuda} but finds no GPU: is the driver installed and new enough?"
