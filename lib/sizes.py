"""Which image sizes a network takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .types import PyramidNetwork, Size, SizeError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SizeRule:
    """Which sides a network takes: multiple·n + offset pixels, `least` or more."""

    multiple: int
    offset: int = 0
    least: int = 32

    def admits(self, size: Size) -> bool:
        """Whether (height, width) can go in."""
        return all(side >= self.least and (side - self.offset) % self.multiple == 0 for side in size)

    def nearest(self, size: tuple[float, ...]) -> tuple[int, int]:
        """The admitted (height, width) nearest to this one."""
        steps = (round((max(side, self.least) - self.offset) / self.multiple) for side in size)
        sides = [step * self.multiple + self.offset for step in steps]
        rows, columns = (side if side >= self.least else side + self.multiple for side in sides)
        return rows, columns

    def check(self, size: Size, otherwise: str = "") -> None:
        """Raises SizeError, which says what is admitted and `otherwise`, for another (height, width)."""
        if not self.admits(size):
            fit = self.nearest(size)
            raise SizeError(
                f"size {size[0]}×{size[1]} (height×width): sides are {self}; the nearest is {fit[0]}×{fit[1]}{otherwise}"
            )

    def __str__(self) -> str:
        what = "any number of pixels" if self.multiple == 1 else f"multiples of {self.multiple}"
        return f"{what}{f' plus {self.offset}' if self.offset else ''} from {self.least} on"


RULES = {
    "InSPyReNet": SizeRule(32),  # the coarsest stride of the encoders
    "BiRefNet": SizeRule(32, least=64),  # shows its encoder the image at half size too
    "PSPNet": SizeRule(1),
}
PSPNET_8N1 = SizeRule(8, 1, 33)  # of the published code


def rule_for(name: str, arguments: Mapping[str, Any] | None = None) -> SizeRule:
    """The rule of a network by its name, or its family's, and its Model.arguments."""
    family = name.split("_")[0]
    return PSPNET_8N1 if family == "PSPNet" and (arguments or {}).get("sizes") == "8n+1" else RULES[family]


def size_rule(model: "nn.Module | PyramidNetwork") -> SizeRule:
    """The rule of a network that is built; one that states none has the encoders' strides."""
    return getattr(model, "size_rule", RULES["InSPyReNet"])
