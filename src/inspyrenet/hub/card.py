"""The card of a model on the Hugging Face Hub: what it is, how it was trained, what it scores, how it is used."""

from pathlib import Path

from torch import nn

from ..data.hub.registry import load
from ..engine import build
from ..engine.presets import ModelSpec, terms_of
from ..utils.config.schema import Config, TrainSection

HEAD = """\
---
library_name: inspyrenet
pipeline_tag: image-segmentation
tags: [salient-object-detection, background-removal]
# license: to be chosen by who publishes this model; the terms of the training data hold whatever it is
---
"""
USE = """\
## Use

```python
from inspyrenet import Remover

Remover("hf:{repository}").process("photo.jpg").save("cut.png")
```

```bash
inspyrenet photo.jpg -m hf:{repository}
```

`model.safetensors` holds the weights, `config.yaml` the network and how images are prepared for it. Neither runs code.
"""


def model_card(spec: ModelSpec, net: nn.Module, scores: str = "", repository: str | None = None) -> str:
    """The card as Markdown with its metadata in front.

    net: the network of `spec`. scores: a table of them. repository: owner/name, for the examples.
    """
    parts = [f"# {spec.name}", spec.config.note or "", _network(spec.config, net), _data(spec)]
    parts.append(f"## Scores\n\n{scores}" if scores else "")
    parts.append(USE.format(repository=repository or f"OWNER/{spec.name}"))
    return HEAD + "\n" + "\n\n".join(part for part in parts if part)


def scores_of(spec: ModelSpec) -> str:
    """The table that an evaluation of this run wrote, with its footnotes; "" where there is none, or of other weights."""
    config = spec.config
    tested = config.Test.Checkpoint.checkpoint_dir if config.Test is not None else None
    if tested is None or not spec.weights.resolve().is_relative_to(Path(tested).resolve()):
        return ""
    path = Path(config.Eval.result_path) / config.name / "scores.md"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _network(config: Config, net: nn.Module) -> str:
    model = build.section(config, "Model")
    count = sum(parameter.numel() for parameter in net.parameters())
    height, width = model.base_size
    encoder = f" on the encoder {model.encoder}" if model.encoder else ""
    return (
        f"## Network\n\n{model.name}{encoder} for salient object detection, {count / 1e6:.1f} million parameters, trained at "
        f"{height}×{width}. It gives a map of what stands out in an image, which cuts that out."
    )


def _data(spec: ModelSpec) -> str:
    terms, train = terms_of(spec), spec.config.Train
    text = f"Terms of these weights: {terms}." if terms else _training(train) if train else ""
    return f"## Training\n\n{text}" if text else ""


def _training(train: TrainSection) -> str:
    sets = [Path(name).stem for name in train.Dataset.sets]
    start = f" Training started from {train.FineTune.weights}." if train.FineTune.weights else ""
    known = load("data")
    terms = "".join(f" Terms of {name}: {known[name].license}." for name in sets if name in known)
    return (
        f"Trained on {', '.join(sets)} for {train.Scheduler.epoch} epochs with {train.Optimizer.type} (rate {train.Optimizer.lr:g} "
        f"for the encoder, × {train.Optimizer.head_factor:g} for the rest), loss `{train.Loss}`.{start}{terms}"
    )
