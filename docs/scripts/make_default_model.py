"""Makes the bundled model from a finished run: .venv/bin/python docs/scripts/make_default_model.py InSPyReNet_Bundled [WEIGHTS]

WEIGHTS: a file or the folder of a run, snapshots/CONFIG if not given. Writes src/inspyrenet/weights/default.safetensors, the
averaged weights in half precision (tensors with few values stay as they are: norms, and the first convolutions, whose rounding
moves the maps most), default.yaml, the Model and Test sections of the config, and the folder default, the same network as graphs,
as `run/Export.py --parts` writes them; prints what half precision changes on painted images.

With --graphs in place of a config, the graphs are written again from the weights that are there, after the exporter changed; the
head for clicks and the estimate of quality, which name the graphs that they belong to, name the new ones then.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.torch import save

from inspyrenet.data.datasets.synthetic import HELD_OUT_SEED, SyntheticShapes
from inspyrenet.data.images.preprocess import Preprocess
from inspyrenet.engine import build
from inspyrenet.engine.export import ExportOptions, export
from inspyrenet.engine.presets import BUNDLED_CONFIG, BUNDLED_WEIGHTS, ModelSpec
from inspyrenet.lib.checkpoints.state_dict import load_state
from inspyrenet.networks.digest import digest_of
from inspyrenet.tune.trained_split import check_split
from inspyrenet.utils.config.load import load_config
from inspyrenet.utils.config.yaml_loader import write
from inspyrenet.utils.train.checkpoint import CheckpointError, CheckpointFolder, read_weights

LARGEST = 10_000_000  # bytes
FEW = 4096  # values of a tensor
IMAGES = 20
TOLERANCE = 0.01  # of a probability


def main(config_name: str, source: str) -> int:
    config = load_config([config_name])[0]
    for name, use in (("Test", "says how images are prepared"), ("Train", "says what the weights learned from")):
        if getattr(config, name) is None:
            raise SystemExit(f"error: {config_name} has no section {name}, which {use}")
    try:
        check_split(
            Path(source), config
        )  # the file will not tell of a split, and its scores are of pairs that it never saw
    except CheckpointError as error:
        raise SystemExit(f"error: {error}") from None
    state = read_weights(Path(source) if Path(source).is_file() else CheckpointFolder(source).weights_file())
    half = {name: value.half() if value.numel() > FEW else value for name, value in state.items()}
    for name, value in half.items():
        if not value.isfinite().all():
            raise SystemExit(f"error: {name} does not fit into half precision")
    moved = difference(config, state, half)
    print(f"maps of {IMAGES} painted images move by {moved:.4f} at most")
    if moved > TOLERANCE:
        raise SystemExit(f"error: more than {TOLERANCE}: half precision is not enough for these weights")
    terms = (
        f"trained on {', '.join(config.Train.Dataset.sets)}; whose data that is, and for what: docs/default_model.md"
    )
    content = save({name: value.contiguous() for name, value in half.items()}, {"recipe": config.name, "terms": terms})
    if len(content) > LARGEST:
        raise SystemExit(f"error: the weights have {len(content):,} bytes, more than {LARGEST:,}")
    BUNDLED_WEIGHTS.parent.mkdir(exist_ok=True)
    BUNDLED_WEIGHTS.write_bytes(content)
    sections = config.model_dump(include={"Model", "Test"}, exclude_defaults=True)
    sections["Model"].pop("pretrained", None)  # the file holds the encoder
    sections["Test"]["Checkpoint"] = {
        "checkpoint_dir": str(BUNDLED_WEIGHTS.relative_to(Path(__file__).resolve().parents[2]))
    }
    header = f"# Made by docs/scripts/make_default_model.py; the recipe is {config_name}.\n# Weights {terms}.\n"
    BUNDLED_CONFIG.write_text(header + write(sections))
    print(f"{BUNDLED_WEIGHTS}: {len(content):,} bytes")
    write_graphs()
    print(
        "What belongs to these very weights has to be made again: the head for clicks (benchmarks/interactive/train_head.py) "
        "and the estimate of quality (benchmarks/quality/calibrate.py)."
    )
    return 0


def rewrite_graphs() -> int:
    graphs = BUNDLED_WEIGHTS.with_suffix("")
    before = digest_of(graphs)
    write_graphs()
    after = digest_of(graphs)
    quality = BUNDLED_WEIGHTS.with_suffix(".quality.json")
    quality.write_text(quality.read_text().replace(before, after))
    head = onnx.load(graphs / "prompt.onnx")
    for entry in head.metadata_props:
        entry.value = entry.value.replace(before, after)
    onnx.save(head, graphs / "prompt.onnx")
    return 0


def write_graphs() -> None:
    spec = ModelSpec("default", load_config([str(BUNDLED_CONFIG)])[0], BUNDLED_WEIGHTS)
    folder = export(spec, ExportOptions(parts=True, output=BUNDLED_WEIGHTS.with_suffix("")))
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LARGEST:
        raise SystemExit(f"error: the graphs have {size:,} bytes, more than {LARGEST:,}")
    print(f"{folder}: {size:,} bytes")


@torch.inference_mode()
def difference(config, state: dict[str, torch.Tensor], half: dict[str, torch.Tensor]) -> float:
    """By how much probabilities differ between both sets of weights, at most."""
    prepare = Preprocess(size=config.Model.base_size)
    images = torch.from_numpy(np.stack([prepare(sample.image)[0] for sample in SyntheticShapes(IMAGES, HELD_OUT_SEED)]))
    maps = [
        load_state(build.network(config, start=False), weights).eval()(images).logits.sigmoid()
        for weights in (state, {name: value.to(state[name].dtype) for name, value in half.items()})
    ]
    return float((maps[0] - maps[1]).abs().max())


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    if sys.argv[1] == "--graphs":
        sys.exit(rewrite_graphs())
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else f"snapshots/{sys.argv[1]}"))
