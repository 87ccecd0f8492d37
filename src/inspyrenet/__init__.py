"""Salient object detection with InSPyReNet, BiRefNet and PSPNet.

>>> from inspyrenet import Remover, build_model, load_weights, predict, build_criterion

Importing this package is cheap: what one of these names needs is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .utils.system.extras import extras_named

if TYPE_CHECKING:
    from .api import build_criterion, build_model, from_pretrained, load_weights, predict
    from .lib.types import SaliencyPyramid
    from .mending.options import Mending
    from .remover.remover import Remover

__version__ = "0.1.0"

_HOME = {
    "build_model": ".api",
    "from_pretrained": ".api",
    "load_weights": ".api",
    "predict": ".api",
    "build_criterion": ".api",
    "SaliencyPyramid": ".lib.types",
    "Remover": ".remover.remover",
    "Mending": ".mending.options",
}

__all__ = [
    "Mending",
    "Remover",
    "SaliencyPyramid",
    "__version__",
    "build_criterion",
    "build_model",
    "from_pretrained",
    "load_weights",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extras_named():
        return getattr(import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
