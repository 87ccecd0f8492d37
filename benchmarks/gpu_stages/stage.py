"""One stage as a process: python -P -m benchmarks.gpu_stages.stage … --stage NAME --until SECONDS (benchmarks/gpu.py starts it)."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module

import torch

from .options import read_options
from .setting import Setting, in_words, prepare_process


def main() -> int:
    """Runs the stage that the command line names; 0: all is well, 1: something failed and has its line, 2: no such device."""
    options = read_options(None)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    warnings.filterwarnings("ignore", message=".*TF32.*")
    setting = Setting.of(options)
    if options.device == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda or "none"
        where = f"error: --device cuda, but torch {torch.__version__} finds no GPU (it was built for CUDA {built})"
        print(f"{where}: look at nvidia-smi, or give --device cpu --tiny", file=sys.stderr)
        return 2
    prepare_process(options.tiny)
    try:
        run: Callable[[Setting], bool] = import_module(f".{options.stage}", __package__).run
        return 0 if run(setting) else 1
    except Exception as error:
        traceback.print_exc()
        setting.add("the stage", False, error=in_words(error))
        return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # all is written; taking down a device and its libraries can take long, or hang
