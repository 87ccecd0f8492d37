"""The config of a fine-tuning: the start's Model and Test, a Train section out of the plan, and the command line's words."""

import tempfile
from pathlib import Path
from typing import Any

import torch

from ..engine import build
from ..engine.config_checks import cross_field_errors
from ..lib.losses.build import criterion_choices
from ..utils.config import yaml_loader
from ..utils.config.load import ConfigError, load_config
from ..utils.config.schema import Config, TrainSection
from .plan import Plan, training_section
from .request import Request
from .split import Parts


def tuning_config(
    start: Config, request: Request, plan: Plan, source: Path, metric: str, own: Parts, device: torch.device
) -> Config:
    """Validated as if it had been read from a file. Raises ConfigError for words that are wrong or make several runs."""
    data = request.data.resolve()
    place = {"root": str(data.parent), "sets": [data.name]}
    test = build.section(start, "Test").model_dump()
    # the start's kind of set, its limit and the place of its masks are not those of these pairs
    test["Dataset"] = {**place, "transforms": test["Dataset"]["transforms"]}
    facts: dict[str, Any] = {
        **place,
        "normalize": test["Dataset"]["transforms"]["normalize"],
        "metric": metric,
        "num_workers": 0 if device.type == "cpu" else 4,
        "precision": "bfloat16" if device.type == "cuda" else "float32",
    }
    held_out = len(own.choose) / (len(own.choose) + len(own.learn))
    train = training_section(plan, facts, source, _loss(start), held_out)
    train["Checkpoint"] = {"checkpoint_dir": str(request.folder / "training"), "keep": 1}
    sections = {"seed": start.seed, "Model": build.section(start, "Model").model_dump(), "Train": train, "Test": test}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{request.folder.name}.yaml"
        file.write_text(yaml_loader.write(sections), encoding="utf-8")
        configs = load_config(file, request.overrides, check=cross_field_errors)
    if len(configs) != 1:
        raise ConfigError([f"one fine-tuning is one run, these words make {len(configs)}"])
    return configs[0]


def _loss(start: Config) -> str:
    """The loss that the start was trained with, as far as it is known; else region where the family has it."""
    if start.Train is not None:
        return start.Train.Loss
    choices = criterion_choices(build.section(start, "Model").name)[0]
    return "region" if "region" in choices else str(TrainSection.model_fields["Loss"].default)
