"""Which image sizes a network takes."""

from dataclasses import dataclass

from .types import SizeError


@dataclass(frozen=True)
class SizeRule:
    """Which sides a network takes: multiple·n + offset pixels, `least` or more."""

    multiple: int
    offset: int = 0
    least: int = 32

    def admits(self, size: tuple[int, int]) -> bool:
        """Whether (height, width) can go in."""
        return all(side >= self.least and (side - self.offset) % self.multiple == 0 for side in size)

    def nearest(self, size: tuple[float, float]) -> tuple[int, int]:
        """The admitted (height, width) nearest to this one."""
        steps = (round((max(side, self.least) - self.offset) / self.multiple) for side in size)
        sides = [step * self.multiple + self.offset for step in steps]
        rows, columns = (side if side >= self.least else side + self.multiple for side in sides)
        return rows, columns

    def check(self, size: tuple[int, int]) -> None:
        """Raises SizeError, which says what is admitted, for another (height, width)."""
        if not self.admits(size):
            fit = self.nearest(size)
            raise SizeError(
                f"size {size[0]}×{size[1]} (height×width): sides are {self}; the nearest is {fit[0]}×{fit[1]}"
            )

    def __str__(self) -> str:
        what = "any number of pixels" if self.multiple == 1 else f"multiples of {self.multiple}"
        return f"{what}{f' plus {self.offset}' if self.offset else ''} from {self.least} on"
