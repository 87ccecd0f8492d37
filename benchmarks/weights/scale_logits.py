"""Writes weights of an InSPyReNet whose logits are larger by a factor: maps with less haze, from the same network.

    python benchmarks/weights/scale_logits.py sharper.safetensors snapshots/a 1.5

This is temperature scaling (Guo et al., ICML 2017) with the temperature 1 / FACTOR, written into the layers that give S3 and
U2, U1, U0. The context attention of the finer stages sees the scaled maps, so what they add may change a little. WEIGHTS is a
file or the folder of a run, whose running average counts where it has one. Choose the factor on held-out pairs:
benchmarks/held_out.py.
"""

import argparse
import math
import re
import sys
from pathlib import Path

from torch import Tensor

from inspyrenet.commands.errors import reported
from inspyrenet.commands.parser import Parser
from inspyrenet.lib.checkpoints.state_dict import WeightsError, normalize_state
from inspyrenet.tune.trained_split import save_made_of
from inspyrenet.utils.train.checkpoint import read_weights

# the last layer of each stage is linear: a convolution without a bias, or the norm behind it
LAST = re.compile(r"decoder\.conv5\.conv\.weight|attention[012]\.conv_out4\.bn\.(weight|bias)")
TENSORS = 7


def scaled(state: dict[str, Tensor], factor: float, name: str) -> dict[str, Tensor]:
    """The state dict with S3, U2, U1 and U0 multiplied by `factor`.

    Raises:
        WeightsError: these are not weights of an InSPyReNet; `name` says whose they are.
    """
    last = [key for key in state if LAST.fullmatch(key)]
    if len(last) != TENSORS:
        raise WeightsError(
            f"{name} is not of an InSPyReNet: of the {TENSORS} tensors that give its logits it has {len(last)}"
        )
    return {key: value * factor if key in last else value for key, value in state.items()}


def main(argv: list[str] | None = None) -> int:
    """Write the scaled weights; 0 when done."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the .safetensors file to write")
    parser.add_argument("weights", type=Path, help="a weights file or the folder of a run")
    parser.add_argument("factor", type=float, help="above 1: less haze; below 1: softer maps")
    options = parser.parse_args(argv)
    if not (math.isfinite(options.factor) and options.factor > 0):
        parser.error(f"the factor is a number above 0, not {options.factor:g}")
    with reported() as outcome:
        state = normalize_state(read_weights(options.weights), str(options.weights))
        save_made_of([options.weights], scaled(state, options.factor, str(options.weights)), options.output)
        print(f"{options.output}: logits {options.factor:g} times as large")
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
