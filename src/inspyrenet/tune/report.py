"""What a fine-tuning found, for people and for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from ..utils.metrics import Comparison
from ..utils.report.compare import write_comparison
from ..utils.report.tables import aligned, number
from .decide import Decision
from .plan import Plan


@dataclass(frozen=True)
class Tested:
    """The paired test on one set: tuned first, start second, metric by metric."""

    title: str
    images: int
    comparisons: tuple[Comparison, ...]

    def by(self, metric: str) -> Comparison:
        """The comparison of this metric."""
        return next(found for found in self.comparisons if found.metric == metric)


@dataclass(frozen=True)
class Result:
    """How a fine-tuning ended. own, general: alpha → gain on the pairs that choose; `state`: the weights to go on with."""

    decision: Decision
    alpha: float
    own: Mapping[float, float]
    general: Mapping[float, float]
    tests: tuple[Tested, ...]
    plan: Plan
    minutes: float
    words: tuple[str, ...]
    state: Mapping[str, Tensor]

    @property
    def headline(self) -> str:
        """The decision in one line."""
        return f"{'shipped' if self.decision.shipped else 'kept the start'}: {self.decision.reason}"


def result_text(result: Result) -> str:
    """Plan, table of the tests and decision."""
    head = ("set", "images", "metric", "start", "tuned", "difference", "95 % interval", "p")
    rows = [
        (
            test.title,
            str(found.wins + found.losses + found.ties),
            found.metric,
            number(found.metric, found.second),
            number(found.metric, found.first),
            f"{found.difference:+.4f}",
            f"{found.interval.low:+.4f} … {found.interval.high:+.4f}",
            f"{found.p:.4f}",
        )
        for test in result.tests
        for found in test.comparisons
    ]
    blends = [("alpha", "gain on your pairs", "on general ones")]
    blends += [(f"{a:g}", f"{gain:+.4f}", f"{result.general[a]:+.4f}") for a, gain in result.own.items()]
    changed = f", changed by {' '.join(result.words)}" if result.words else ""
    parts = [
        f"{result.plan.text}{changed}; {result.minutes:.1f} minutes in all",
        "On the pairs that choose (alpha 0 is the start, 1 the tuned weights):\n" + aligned(blends),
        f"alpha {result.alpha:g} was chosen",
    ]
    tested = ["On pairs that neither training nor the choice saw:\n" + aligned([head, *rows], left=3)] if rows else []
    return "\n\n".join([*parts, *tested, result.headline])


def write_result(folder: Path, result: Result) -> None:
    """Write report.txt and tune.json, and below `tests` every figure of the paired tests. Raises ReportError."""
    table = {test.title: (test.images, test.comparisons) for test in result.tests}
    if table:
        write_comparison(folder / "tests", "tuned", "start", table)
    (folder / "report.txt").write_text(result_text(result) + "\n", encoding="utf-8")
    plain = {
        "shipped": result.decision.shipped,
        "reason": result.decision.reason,
        "alpha": result.alpha,
        "minutes": round(result.minutes, 2),
        "plan": asdict(result.plan),
        "words": result.words,
        "gains": {"own": result.own, "general": result.general},
        "tests": {
            test.title: {
                c.metric: {
                    "start": c.second,
                    "tuned": c.first,
                    "low": c.interval.low,
                    "high": c.interval.high,
                    "p": c.p,
                }
                for c in test.comparisons
            }
            for test in result.tests
        },
    }
    (folder / "tune.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
