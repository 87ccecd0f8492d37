"""Exported networks: files with a graph, its weights, and metadata that says how images go in and maps come out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..images.preprocess import Backend, Sizing, Stretch

from ..whole_file import whole_file

KEY = "inspyrenet"  # of our metadata in an ONNX file's
EXTRA_FILE = "inspyrenet.json"  # of the metadata in a torch.export archive
FORMAT = 1
LARGEST_SIDE = 1 << 14  # pixels, of a network's input
FEW = 64  # values of a weight, below which its storage does not matter


class GraphFileError(ValueError):
    """A file that is not one of ours, or a wrong one; the message says what it is."""


@dataclass(frozen=True)
class ModelMetadata:
    """What one needs to know to run an exported network. Sizes are [height, width]; sides are multiple·n + offset, from `least` on.

    inputs: "image", or "image" and "resized" (the image at base_size) where two passes are blended. outputs: "saliency"; with
    blending also "low", the map of `resized` alone, which is the answer where the image is not above `threshold`.
    fixed: the sizes of a file that takes no others, and single images only; None: any size, any batch.
    sizing and size: how an image is resized before it goes in: "static", to size; "dynamic", so that the shorter side is at
    most `size` and the longer one eight times that, both sides rounded. backend: "pillow" (bilinear, antialiased) or "opencv"
    (bilinear). Then (x/255 − mean) / std.
    precision: "float32", or "int8" where convolutions and products with weights are computed in 8 bits.
    """

    name: str
    model: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    multiple: int
    offset: int
    least: int
    base_size: tuple[int, int]
    sizing: "Sizing"
    size: tuple[int, int] | int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    backend: "Backend" = "pillow"
    threshold: int | None = None
    alignment: str = "as_trained"
    normalize: "Stretch" = "none"
    fixed: dict[str, tuple[int, int]] | None = None
    weights: str = ""
    license: str = ""
    version: str = ""
    precision: str = "float32"

    @property
    def blended(self) -> bool:
        """Whether two sizes of an image are blended."""
        return self.threshold is not None

    def _check(self) -> None:
        """Raises ValueError for what no network has; a file may come from anybody."""
        sizes = [self.base_size, *(self.fixed or {}).values(), *([] if isinstance(self.size, int) else [self.size])]
        sides = [side for size in sizes for side in size]
        numbers = [self.multiple, self.least, *sides, *([self.size] if isinstance(self.size, int) else [])]
        colors = (*self.mean, *self.std)
        names = (self.name, self.model, self.weights, self.license, self.version)
        wrong = {
            "names": not all(isinstance(name, str) and name.isprintable() for name in names),
            "sizes": any(len(size) != 2 for size in sizes)
            or not all(type(number) is int and 1 <= number <= LARGEST_SIDE for number in numbers),
            "offset": type(self.offset) is not int or not 0 <= self.offset < LARGEST_SIDE,
            "mean and std": (len(self.mean), len(self.std)) != (3, 3)
            or not all(isinstance(value, float | int) for value in colors)
            or min(self.std) <= 0,
            "threshold": self.threshold is not None and type(self.threshold) is not int,
            "fixed": self.fixed is not None and not {"image"} <= self.fixed.keys(),
        }
        if bad := [name for name, is_wrong in wrong.items() if is_wrong]:
            raise ValueError(f"{', '.join(bad)}: not what a network can have")

    def to_json(self) -> str:
        """The metadata as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, source: str) -> "ModelMetadata":
        """The metadata of `source`. Raises GraphFileError for text that is none, or of a newer version."""
        try:
            found = json.loads(text)
            if found.pop("format") > FORMAT:
                raise GraphFileError(f"{source} was exported by a newer version ({found.get('version')}); update first")
            # files from before there was int8 do not say their precision
            metadata = cls(**{one.name: _frozen(found[one.name]) for one in fields(cls) if one.name in found})
            metadata._check()
            return metadata
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, GraphFileError):
                raise
            raise GraphFileError(f"{source}: its metadata cannot be read ({error}): export it again") from error


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(part) for name, part in value.items()}
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def metadata_of(metadata: Mapping[str, str], source: str) -> ModelMetadata:
    """Our metadata among that of an ONNX file. Raises GraphFileError for a file of another origin."""
    if KEY not in metadata:
        raise GraphFileError(
            f"{source} is an ONNX file, but not one that run/Export.py wrote: it does not say how to prepare images"
        )
    return ModelMetadata.from_json(metadata[KEY], source)


def save_onnx(program: Any, metadata: ModelMetadata, path: Path, compact: bool = False) -> None:
    """Write what torch.onnx.export returned, weights and metadata inside; an older file stays until the new one is whole.

    compact: see `store_halves`.
    """
    program.model.metadata_props[KEY] = metadata.to_json()
    program.model.producer_name, program.model.producer_version = "inspyrenet", metadata.version
    graph = program.model.graph
    tidy(program.model)
    # what the exporter notes for itself, such as the lines of code that each node comes from, with this machine's paths
    for noted in (graph, *graph.all_nodes(), *graph.initializers.values(), *_computed(graph)):
        noted.metadata_props.clear()
    _name_sides(graph)
    if compact:
        store_halves(graph)
    with whole_file(path, sync_name=True) as partial:
        program.save(str(partial), external_data=False)


def tidy(model: Any) -> None:
    """Take out of an ONNX model what computes nothing, or the same a second time: half of a recorded graph."""
    from onnx_ir.passes import common
    from onnxscript import optimizer

    optimizer.fold_constants(model)
    for name in ("IdentityElimination", "CommonSubexpressionElimination", "RemoveUnusedNodes"):
        getattr(common, f"{name}Pass")()(model)


def store_halves(graph: Any) -> None:
    """Store float32 weights that are float16 numbers, every one of them, as such: half the file, and the same values.

    A runtime turns them back once, when it loads the file. Names of nodes and shapes between them, which it finds out itself, are
    left out.
    """
    import onnx_ir

    casts = []
    for value in list(graph.initializers.values()):
        weights = value.const_value.numpy()
        half = weights.astype(np.float16) if weights.dtype == np.float32 and weights.size >= FEW else None
        if half is None or not np.array_equal(half, weights):
            continue
        stored = onnx_ir.Value(name=f"{value.name}_half", const_value=onnx_ir.tensor(half))
        cast = onnx_ir.node("Cast", [stored], {"to": onnx_ir.DataType.FLOAT})
        value.replace_all_uses_with(cast.outputs[0])
        del graph.initializers[value.name]
        graph.initializers[stored.name] = stored
        casts.append(cast)
    graph.insert_before(graph[0], casts)
    for node in graph.all_nodes():
        node.name = None
    for value in _computed(graph):
        if value not in graph.outputs:
            value.type = value.shape = None


def _name_sides(graph: Any) -> None:
    """Give the inputs' free sides names that people know: batch, height, width of image, and others with their input's name
    before them: resized_height, resized_width."""
    names = {}
    for value in graph.inputs:
        prefix = "" if value.name == "image" else f"{value.name}_"
        for axis, name in ((0, "batch"), (2, f"{prefix}height"), (3, f"{prefix}width")):
            if not isinstance(value.shape[axis], int):
                names[value.shape[axis].value] = name
    for value in (*graph.inputs, *_computed(graph)):
        for axis, side in enumerate(value.shape or ()):
            if not isinstance(side, int) and side.value in names:
                value.shape[axis] = names[side.value]


def _computed(graph: Any) -> list[Any]:
    return [value for node in graph.all_nodes() for value in node.outputs]


def save_program(program: Any, metadata: ModelMetadata, path: Path) -> None:
    """Write a torch.export program with its metadata."""
    import torch

    with whole_file(path, sync_name=True) as partial:
        torch.export.save(program, str(partial), extra_files={EXTRA_FILE: metadata.to_json()})


def load_program(path: Path) -> tuple[Any, ModelMetadata]:
    """Program and metadata. Raises GraphFileError for a file of another origin."""
    import torch

    extra = {EXTRA_FILE: ""}
    program = torch.export.load(str(path), extra_files=extra)
    if not extra[EXTRA_FILE]:
        raise GraphFileError(f"{path} is a torch.export program, but not one that run/Export.py wrote")
    return program, ModelMetadata.from_json(extra[EXTRA_FILE], str(path))
