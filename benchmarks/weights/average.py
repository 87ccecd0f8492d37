"""Writes the mean of the weights of several trainings of one network, which often scores better than each of them.

    python benchmarks/weights/average.py mean.safetensors snapshots/a snapshots/b

Each argument after the first is a weights file or the folder of a run, whose running average counts where it has one. The
trainings must have begun at the same weights: see "Model soups" (Wortsman et al., ICML 2022). Numbers that are no
floating-point numbers, such as how many batches a norm has seen, are those of the first.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from inspyrenet.commands.errors import reported
from inspyrenet.commands.parser import Parser
from inspyrenet.lib.checkpoints.state_dict import WeightsError, normalize_state
from inspyrenet.tune.trained_split import save_made_of
from inspyrenet.utils.train.checkpoint import read_weights


def mean(states: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of state dicts that are given by the name of their file; float32.

    Raises:
        WeightsError: a tensor is missing in one of them, has another shape there, or is not finite.
    """
    first, *others = states
    shapes = {key: value.shape for key, value in states[first].items()}
    for name in others:
        differing = shapes.items() ^ {key: value.shape for key, value in states[name].items()}.items()
        if differing:
            raise WeightsError(f"{name} is of another network than {first}: {min(key for key, _ in differing)} differs")
    return {key: _mean_of(key, {name: state[key] for name, state in states.items()}) for key in shapes}


def _mean_of(key: str, tensors: dict[str, Tensor]) -> Tensor:
    values = list(tensors.values())
    if not values[0].is_floating_point():
        return values[0]
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise WeightsError(f"{name}: {key} is not finite: the training that wrote it has diverged")
    return torch.stack([value.double() for value in values]).mean(0).float()


def main(argv: list[str] | None = None) -> int:
    """Write the mean; 0 when done."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the .safetensors file to write")
    parser.add_argument("weights", type=Path, nargs="+", help="two or more weights files or folders of runs")
    options = parser.parse_args(argv)
    if len(options.weights) < 2:
        parser.error("a mean needs two weights or more")
    with reported() as outcome:
        states = {str(path): normalize_state(read_weights(path), str(path)) for path in options.weights}
        save_made_of(options.weights, mean(states), options.output)
        print(f"{options.output}: the mean of {len(states)} trainings")
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
