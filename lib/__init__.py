"""Networks: tensors in, tensors out. No files, no config objects.

>>> from inspyrenet.lib import MODELS, build_model

Importing this package is cheap, since the sizes that networks take (`sizes.py`) are needed without torch, too.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .build import MODELS, build_model

__all__ = ["MODELS", "build_model"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import build

    return getattr(build, name)
