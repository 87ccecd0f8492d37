"""Runs commands as in the small installation, wherever the tests run.

What an extra brings is hidden from the processes that are started here. Where it is not installed, nothing is hidden: .ci/run
runs these tests once in an environment that `./install.sh --light` has made.
"""

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np

from inspyrenet.utils.system.extras import MODULES

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = {module for modules in MODULES.values() for module in modules} | {"pandas", "scipy", "numba"}


def environment(cwd: Path, shown: Collection[str] = ()) -> dict[str, str]:
    """Of a process that does not see what extras bring. shown: modules that it does see."""
    folders = [str(Path(__file__).parent / "without"), str(ROOT / "src")]
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    return {name: value for name, value in os.environ.items() if name.lower() not in proxies} | {
        "PYTHONPATH": os.pathsep.join(folders),
        "WITHOUT": ",".join(HIDDEN - set(shown)),
        "INSPYRENET_HOME": str(cwd / "home"),
    }


def run(
    *words: str | Path, cwd: Path, stdin: bytes | None = None, shown: Collection[str] = ()
) -> subprocess.CompletedProcess:
    """`python WORDS`, outputs as bytes."""
    give = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment(cwd, shown), capture_output=True, timeout=120, **give
    )


def inspyrenet(*words: str | Path, cwd: Path, stdin: bytes | None = None) -> subprocess.CompletedProcess:
    """The command of this name."""
    return run("-m", "inspyrenet", *words, cwd=cwd, stdin=stdin)


def good(done: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    """The process, which ended well."""
    assert done.returncode == 0, done.stderr.decode()
    return done


def photograph() -> np.ndarray:
    """A red ellipse on black, uint8 (90, 120, 3)."""
    y, x = np.mgrid[:90, :120]
    image = np.zeros((90, 120, 3), np.uint8)
    image[((y - 45) / 27) ** 2 + ((x - 60) / 34) ** 2 < 1] = (220, 60, 40)
    return image


def finds_the_thing(alpha: np.ndarray) -> bool:
    """Whether this map of `photograph()`, uint8 (90, 120), is brighter on the thing."""
    return alpha.shape == (90, 120) and alpha[30:60, 40:80].mean() > alpha[:, :10].mean() + 50
