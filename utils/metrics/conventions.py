"""The points in which toolboxes differ, under two names."""

from dataclasses import dataclass

from .registry import MetricError


@dataclass(frozen=True)
class Conventions:
    """How maps become numbers.

    stretch         scale each map so that it spans 0..1 before it is scored
    whole           divide the E-measure's sum by H*W instead of H*W - 1
    mean_of_maxima  max metrics are the mean of the images' own maxima instead of the maximum of the mean curve
    """

    name: str
    stretch: bool
    whole: bool
    mean_of_maxima: bool

    def notes(self) -> list[str]:
        """One sentence for each point, to be printed beneath a table."""
        return [
            "Predictions are divided by 255 and stretched to span 0..1, image by image; a constant map is left as it is."
            if self.stretch
            else "Predictions are divided by 255 and not stretched.",
            f"The E-measure's sum is divided by H*W{'' if self.whole else ' - 1'}.",
            "A max metric is the mean of the images' own maxima over 256 thresholds."
            if self.mean_of_maxima
            else "A max metric is the maximum over 256 thresholds of the data set's mean curve.",
        ]


PYSOD = Conventions("pysod", stretch=True, whole=False, mean_of_maxima=False)
PUBLISHED = Conventions("published", stretch=False, whole=True, mean_of_maxima=True)
CONVENTIONS = {conventions.name: conventions for conventions in (PYSOD, PUBLISHED)}


def find_conventions(name: str) -> Conventions:
    """The conventions of that name; MetricError lists the choices."""
    if name not in CONVENTIONS:
        raise MetricError(f"unknown conventions {name!r}; choose from {', '.join(CONVENTIONS)}")
    return CONVENTIONS[name]
