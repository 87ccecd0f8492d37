"""The estimate of one network: which signals it weighs, and how. It is a small file beside the weights that it belongs to."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..networks.digest import digest_of
from ..networks.network import Network, NetworkMaps
from .fit import fit, logistic, standardized
from .signals import NAMES, signals

if TYPE_CHECKING:
    from ..data.images.preprocess import Preprocess

LOG = logging.getLogger("inspyrenet")
LIMIT = 4.0  # deviations


class QualityError(ValueError):
    """A file that holds no estimate; the message names it."""


@dataclass(frozen=True)
class QualityEstimate:
    """Callable: what a network says of one image → the expected IoU of its map, above 0.5, with the object, 0..1.

    signals: names, of `signals.NAMES`. mean, deviation, weights, bias: a logistic regression. network: sha256 of the files that
    hold these very weights. sizing: how images were prepared. about: where the numbers come from, for people.
    """

    signals: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    network: tuple[str, ...] = ()
    sizing: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    def __call__(self, maps: NetworkMaps) -> float | None:
        """0 where nothing was found; None where a level is missing, as where maps of several sizes are averaged."""
        if not (maps.probability > 0.5).any():
            return 0.0
        found = signals(maps)
        if not set(self.signals) <= set(found):
            return None
        return float(self.expected(np.array([[found[name] for name in self.signals]]))[0])

    def expected(self, values: np.ndarray) -> np.ndarray:
        """Signals (N, K) in the order of their names → expected IoUs (N)."""
        inner = standardized(values, np.array(self.mean), np.array(self.deviation), LIMIT)
        return logistic(inner @ np.array(self.weights) + self.bias)


def fitted(values: np.ndarray, iou: np.ndarray, names: Sequence[str] = NAMES) -> QualityEstimate:
    """Signals (N, K) and IoUs (N) of maps with ground truth → estimate."""
    mean, deviation = values.mean(0), values.std(0) + 1e-6
    weights, bias = fit(standardized(values, mean, deviation, LIMIT), iou)
    return QualityEstimate(tuple(names), tuple(mean.tolist()), tuple(deviation.tolist()), tuple(weights.tolist()), bias)


# -- files --------------------------------------------------------------------------------------------------------


def file_of(weights: Path) -> Path:
    """NAME.quality.json beside the file NAME.safetensors or the folder NAME."""
    weights = weights.absolute()  # "." has no name
    return weights.with_name(f"{weights.name if weights.is_dir() else weights.stem}.quality.json")


def sizing_of(preprocess: "Preprocess") -> str:
    """How a network's images are sized: an estimate of maps of other sizes would be another one."""
    sizes = (size for size in (preprocess.size, preprocess.base_size) if size is not None)
    return " ".join([preprocess.sizing, *("×".join(map(str, np.atleast_1d(size))) for size in sizes)])


def text_of(estimate: QualityEstimate) -> str:
    """As it lies in a file."""
    return json.dumps(asdict(estimate), indent=1, ensure_ascii=False) + "\n"


def read_estimate(path: Path) -> QualityEstimate:
    """Raises QualityError for a file that holds something else."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        lists: dict[str, Any] = {
            name: tuple(content.pop(name)) for name in ("signals", "mean", "deviation", "weights", "network")
        }
        estimate = QualityEstimate(**lists, **content)
        if len({len(lists[name]) for name in ("signals", "mean", "deviation", "weights")}) > 1:
            raise ValueError("lists of different lengths")
        if not set(estimate.signals) <= set(NAMES):
            raise ValueError("unknown signals")
        estimate.expected(np.zeros((1, len(estimate.signals))))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise QualityError(f"{path} is no estimate of quality ({error}): calibrate it again") from error
    return estimate


def load_estimate(network: Network) -> QualityEstimate | None:
    """What lies beside the network's weights, if it belongs to them and their sizing; a line in the log where it does not."""
    path = file_of(network.weights)
    if not path.is_file():
        return None
    try:
        estimate = read_estimate(path)
    except QualityError as error:
        LOG.warning("%s", error)
        return None
    if digest_of(network.weights) not in estimate.network:
        LOG.warning("%s belongs to other weights than %s: qualities are not estimated", path, network.weights)
        return None
    if estimate.sizing != sizing_of(network.preprocess):
        LOG.info("%s was calibrated for images of another size: qualities are not estimated", path)
        return None
    return estimate


def missing(network: Network) -> str:
    """What to tell where there is no estimate."""
    return (
        f"{network.name} has no estimate of quality that belongs to its weights and sizes ({file_of(network.weights)}): "
        "python benchmarks/quality/calibrate.py makes one from pairs of images and masks"
    )
