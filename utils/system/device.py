"""Which device a command runs on, and what devices there are."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


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
