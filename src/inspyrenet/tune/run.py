"""Fine-tuning from start to decision: score the start, train, blend, test, and write what is shipped."""

import logging
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import torch
from torch import Tensor, nn

from ..data.datasets.pairs import Pair
from ..engine import build
from ..engine import train as training
from ..engine.options import Options
from ..engine.presets import ModelSpec, resolve_model
from ..lib.checkpoints.state_dict import load_state
from ..lib.sizes import rule_for
from ..utils.config.load import save_resolved
from ..utils.config.schema import Config
from ..utils.metrics import METRICS, Accumulator, check_metrics, compare
from ..utils.system.allocator import TRAINING, freed_memory_kept
from ..utils.train.checkpoint import CheckpointFolder, read_weights
from ..utils.train.state import ResumeError
from ..utils.train.types import EpochEnd
from .blend import ALPHAS, blended, choose_alpha
from .configure import tuning_config
from .decide import Decision, decide
from .general import check_sets, general_parts, painted_replay, pairs_of
from .measure import scores
from .plan import RATE, Plan, frozen_stages, make_plan, measure_cost
from .report import Result, Tested
from .request import Request
from .split import Parts, split_own

SHOWN = ("wFm", "Sm", "maxFm", "mae")
RESERVE = 0.2  # of the time for training: for what is slower than it was measured

LOG = logging.getLogger(__name__)


class _TimeIsUp(Exception):
    """Another epoch would end too late; the best weights so far are in the folder."""


class Interrupted(RuntimeError):
    """Training was asked to stop: nothing was decided."""


def tune(request: Request, device: torch.device) -> Result:
    """Fine-tune, decide, and write the run's folder: weights (the start's where it is kept), config.

    Raises TooFewPairs, PreflightError, ConfigError, ResumeError for a folder that holds a run; Interrupted.
    """
    (metric,) = check_metrics([request.metric])
    check_sets(request.data, request.general)
    _check_folder(request)
    tuning = _Tuning(request, device, metric)
    tuning.look_at_start()
    plan = tuning.plan()
    LOG.info("plan: %s", plan.text)
    tuned = tuning.train(plan)
    result = tuning.decide(tuned, plan)
    _replace_weights(request.folder, result.state)
    save_resolved(tuning.shipped_config(plan), request.folder / "config.yaml")
    return result


def _check_folder(request: Request) -> None:
    folder = CheckpointFolder(request.folder)
    if not request.overwrite and (folder.files() or folder.best.is_file()):
        raise ResumeError(
            f"{request.folder} already holds a run: choose another --name, or start over with --overwrite"
        )


def drawn(pairs: Sequence[Pair], number: int, rng: torch.Generator) -> list[Pair]:
    """So many of the pairs in random order, each of them before any comes twice: names in order may be subjects in order."""
    order = torch.randperm(len(pairs), generator=rng).tolist()
    return [pairs[i] for i in islice(cycle(order), number)]


def _replace_weights(place: Path, state: Mapping[str, Tensor]) -> None:
    """Write the weights; only then what an earlier run left, which may be the very start, is removed."""
    folder = CheckpointFolder(place)
    folder.save_best({"model": state})
    for old in folder.files():
        old.unlink(missing_ok=True)


@dataclass
class _Tuning:
    """One fine-tuning: its start, its parts and what the start scores on them."""

    request: Request
    device: torch.device
    metric: str
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        request = self.request
        self.spec: ModelSpec = resolve_model(
            request.mode, request.ckpt, [word for word in request.overrides if word.startswith(("Model.", "Test."))]
        )
        build.section(self.spec.config, "Test")
        seed = self.spec.config.seed
        self.own: Parts = split_own(pairs_of(request.data), seed)
        self.general: Parts = general_parts(request.general, request.folder / "painted", seed)
        self.metrics = check_metrics(dict.fromkeys((self.metric, *SHOWN)))
        self.model: nn.Module = build.network(self.spec.config, start=False)
        self.source = (
            self.spec.weights if self.spec.weights.is_file() else CheckpointFolder(self.spec.weights).weights_file()
        )
        load_state(self.model, read_weights(self.source), str(self.source))
        self.model.to(self.device).eval()
        self.start = _state(self.model)
        self.draft = self._config(Plan(self._size(), 1, 1, 1, 1, 1, 0, RATE))  # says what is wrong with the words
        for name, parts in (("your pairs", self.own), ("general pairs", self.general)):
            counts = len(parts.learn), len(parts.choose), len(parts.test)
            LOG.info("%s: %d to learn from, %d to choose, %d to test", name, *counts)

    # -- the start ------------------------------------------------------------------------------------------------

    def look_at_start(self) -> None:
        """Score the start on what chooses and what tests, and paint what is repeated in training."""
        started = time.monotonic()
        self.of_start = {key: self._scores(pairs) for key, pairs in self._parts().items()}
        images = sum(map(len, self.of_start.values()))
        self.seconds_per_image = (time.monotonic() - started) / images
        painted = painted_replay(self.spec.config, self.model, self.request.folder / "painted", self.device)
        self.replay = [*self.general.learn, *painted]

    def _parts(self) -> dict[str, tuple[Pair, ...]]:
        return {
            "own choose": self.own.choose,
            "own test": self.own.test,
            "general choose": self.general.choose,
            "general test": self.general.test,
        }

    def _scores(self, pairs: Sequence[Pair]) -> Accumulator:
        return scores(self.spec.config, self.model, pairs, self.metrics, self.device)

    # -- training -------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Sizes and rates for the time that is left."""
        model, size = build.section(self.spec.config, "Model"), self._size()
        stages = frozen_stages(len(self.own.learn)) if hasattr(getattr(self.model, "backbone", None), "stages") else 0
        build.freeze(self.model, stages)
        cost = measure_cost(self.model, training.criterion_of(self.draft).to(self.device), size, self.device)
        self.model.requires_grad_(True)
        LOG.info("a training step takes %.2f s and %.0f MB per pair", cost.seconds, cost.memory / 1e6)
        return make_plan(
            len(self.own.learn),
            size,
            rule_for(model.name, model.arguments),
            sum(value.numel() for value in self.model.parameters()),
            stages,
            cost,
            self._seconds_to_train(),
            self.device,
        )

    def _size(self) -> tuple[int, int]:
        """Of the images that the start is shown in a test, else of those that it was made for."""
        sized = build.section(self.spec.config, "Test").Dataset.transforms.static_resize
        return sized.size if sized else build.section(self.spec.config, "Model").base_size

    def _seconds_to_train(self) -> float:
        """What is left of the minutes when the scoring to come is taken off."""
        choose = len(self.own.choose) + len(self.general.choose)
        images = len(ALPHAS) * choose + len(self.own.test) + len(self.general.test) + 6 * len(self.own.choose)
        left = 60 * self.request.minutes - (time.monotonic() - self.began) - images * self.seconds_per_image
        return max(0.0, (1 - RESERVE) * left)

    def _config(self, plan: Plan) -> Config:
        return tuning_config(self.spec.config, self.request, plan, self.source, self.metric, self.own, self.device)

    def train(self, plan: Plan) -> dict[str, Tensor]:
        """The best weights of the training, by the user's pairs that choose. Raises Interrupted."""
        config = self._config(plan)
        rng = torch.Generator().manual_seed(config.seed)
        own, replay = drawn(self.own.learn, plan.own, rng), drawn(self.replay, plan.general, rng)
        options = Options((), verbose=self.request.verbose, extra=Namespace(overwrite=True))
        split = ([*own, *replay], list(self.own.choose))
        trainer = training.build_trainer(config, options, self.device, LOG, split)
        trainer.hooks += (_stop_after(self._seconds_to_train()),)
        try:
            with freed_memory_kept(TRAINING):
                outcome = trainer.fit()
        except _TimeIsUp:
            LOG.warning("the training was cut short: the machine became slower than it was when the plan was made")
        else:
            if outcome.stopped:
                raise Interrupted(f"{outcome.message}; nothing was decided")
            LOG.info(outcome.message)
        load_state(self.model, read_weights(trainer.folder.best), str(trainer.folder.best))
        return _state(self.model)

    # -- decision -------------------------------------------------------------------------------------------------

    def decide(self, tuned: Mapping[str, Tensor], plan: Plan) -> Result:
        """Blend, test where a blend is worth it, and decide."""
        words = self.request.overrides
        own, general = self._gains(tuned)
        alpha = choose_alpha(own, general, self.request.margin / 2)
        if not alpha:
            reason = (
                "no blend of start and tuned weights gains on your pairs that choose without a loss on general ones"
            )
            return Result(Decision(False, reason), 0.0, own, general, (), plan, self._minutes(), words, self.start)
        state = blended(self.start, tuned, alpha)
        self.model.load_state_dict(state)
        tests = tuple(
            Tested(title, len(pairs), tuple(compare(self._scores(pairs), self.of_start[key])))
            for title, key, pairs in (
                ("your pairs", "own test", self.own.test),
                (self.general_name, "general test", self.general.test),
            )
        )
        of_own, of_general = (test.by(self.metric) for test in tests)
        decision = decide(of_own, of_general, self.request.margin)
        kept = state if decision.shipped else self.start
        return Result(decision, alpha, own, general, tests, plan, self._minutes(), words, kept)

    @property
    def general_name(self) -> str:
        """What the general pairs are, for the report."""
        return " + ".join(path.resolve().name for path in self.request.general) or "painted pictures"

    def _gains(self, tuned: Mapping[str, Tensor]) -> tuple[dict[float, float], dict[float, float]]:
        """alpha → gain on the user's and on the general pairs that choose."""
        sign = 1 if METRICS[self.metric].better == "higher" else -1
        gains: tuple[dict[float, float], dict[float, float]] = ({}, {})
        for alpha in ALPHAS:
            self.model.load_state_dict(blended(self.start, tuned, alpha))
            for found, key in zip(gains, ("own choose", "general choose"), strict=True):
                after = self._scores(self._parts()[key]).result().values[self.metric]
                found[alpha] = sign * (after - self.of_start[key].result().values[self.metric])
            LOG.info("alpha %.2f: gain %+.4f on your pairs, %+.4f on general ones", alpha, *(f[alpha] for f in gains))
        return gains

    def _minutes(self) -> float:
        return (time.monotonic() - self.began) / 60

    def shipped_config(self, plan: Plan) -> Config:
        """The config of the run's folder, which its own weights belong to."""
        config = self._config(plan)
        assert config.Test is not None
        checkpoint = config.Test.Checkpoint.model_copy(update={"checkpoint_dir": str(self.request.folder)})
        return config.model_copy(update={"Test": config.Test.model_copy(update={"Checkpoint": checkpoint})})


def _stop_after(seconds: float) -> Callable[[EpochEnd], None]:
    """A hook of the trainer that raises _TimeIsUp after an epoch when one more like it would not fit into so many seconds."""
    began = time.monotonic()

    def hook(end: EpochEnd) -> None:
        if (time.monotonic() - began) * (1 + 1 / end.epoch) > seconds / (1 - RESERVE):
            raise _TimeIsUp

    return hook


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
