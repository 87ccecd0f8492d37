"""The first line of a run's results: what machine it is, and which version of the code."""

import shutil
import subprocess

import torch

from inspyrenet.utils.system.logging import git_state, versions
from inspyrenet.utils.system.timing import describe_machine

from .setting import Setting


def run(setting: Setting) -> bool:
    """Write the line; the value is the device's memory in GiB."""
    device = setting.device
    described = {**describe_machine(device), **versions(), "commit": git_state(), "tiny": setting.tiny}
    name, gigabytes = described["processor"], None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        name, gigabytes = properties.name, round(properties.total_memory / 2**30, 1)
        described |= {"driver": driver(), "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        described["capability"] = f"{properties.major}.{properties.minor}"
    setting.add(str(name), value=gigabytes, unit="GiB", machine=described)
    return True


def driver() -> str:
    """Version of NVIDIA's driver, as nvidia-smi says it."""
    if shutil.which("nvidia-smi") is None:
        return "unknown: there is no nvidia-smi"
    words = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown: {error}"
    return done.stdout.strip() or f"unknown: {done.stderr.strip()[:100]}"
