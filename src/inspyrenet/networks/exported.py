"""Networks that run/Export.py wrote: one file, or a folder with the parts of an InSPyReNet."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data.hub.onnx_files import GraphFileError, ModelMetadata, metadata_of
from ..data.images.preprocess import Preprocess, Sizing
from ..lib.sizes import SizeRule
from ..lib.types import SizeError
from ..utils.system.int8_sums import may_saturate
from .network import DYNAMIC, LAPLACIAN, SALIENCY, NetworkMaps, Parts, logits_of, sigmoid
from .runtimes import Graph, Runtime, describe_place, open_graph

LOG = logging.getLogger("inspyrenet")
# of the parts, see lib.export.parts
FEATURES, COARSE, FINER, DETAILS = ("x1", "x2", "f3"), SALIENCY[0], SALIENCY[1:], LAPLACIAN
INPUTS = {"decoder": (*FEATURES, COARSE), "blending": ("low", COARSE, *DETAILS)}


def is_exported(path: str | Path) -> bool:
    """Whether this is an exported network, by its name or by what lies in the folder."""
    return Path(path).suffix.lower() == ".onnx" or any(
        _part(Path(path), name).is_file() for name in ("encoder", "decoder")
    )


def open_exported(
    path: Path, runtime: Runtime = "onnx", device: str = "auto", resize: Sizing | None = None
) -> "ExportedFile | ExportedParts":
    """A file or a folder as a network. resize: other sizing than the network's own.

    Raises GraphFileError for a file that is not one of ours, SizeError where it does not take images of the sizes that `resize`
    gives, and what `open_graph` raises.
    """
    network = (ExportedParts if path.is_dir() else ExportedFile)(path, runtime, device, resize)
    if network.metadata.precision == "int8" and network.device == "cpu" and may_saturate():
        LOG.warning(
            "%s is in int8, and this CPU has no instructions for sums of 8-bit products (VNNI): its maps may be less accurate than "
            "where it was written. Use the float32 file, or write it in int8 on this machine, which compares both",
            path,
        )
    return network


class _Exported:
    """What both kinds share: `first` is the graph that the images go into."""

    merging = False
    parts: Parts | None = None

    def __init__(self, weights: Path, first: Graph, metadata: ModelMetadata, runtime: Runtime, resize: Sizing | None):
        self.weights, self.runtime, self.device, self.metadata = weights, runtime, first.device, metadata
        self.rule = SizeRule(metadata.multiple, metadata.offset, metadata.least)
        self.name, self.normalize = metadata.name, metadata.normalize
        self.preprocess = preprocess_of(metadata, resize)
        self.batch_size = first.batch_size

    def describe(self) -> str:
        """See `Network`."""
        precision = " in int8" if self.metadata.precision == "int8" else ""
        return f"{self.name}{precision} on {describe_place(self.device, self.runtime)}"

    def _check_copy(self, resized: np.ndarray | None) -> np.ndarray:
        if resized is None:
            raise GraphFileError(
                f"{self.weights} blends two sizes of an image: give both, the second at {_text(self.metadata.base_size)}"
            )
        self._check("resized", resized)
        return resized

    def _check(self, name: str, image: np.ndarray) -> None:
        size = image.shape[2:]
        if self.metadata.fixed is None:
            self.rule.check(size)
        elif tuple(size) != tuple(self.metadata.fixed[name]):
            raise SizeError(
                f"{self.weights} takes images of {_text(self.metadata.fixed[name])} (height×width) only, not {_text(size)}: "
                "resize them, or export with --dynamic"
            )


def _whole(metadata: ModelMetadata) -> ModelMetadata:
    """What all parts of a network say alike."""
    return replace(metadata, inputs=(), outputs=())


def _opened(path: Path, runtime: Runtime, device: str) -> tuple[Graph, ModelMetadata]:
    """A graph and what it says of itself. Raises GraphFileError where it has other inputs or outputs than it says."""
    graph = open_graph(path, runtime, device)
    metadata = metadata_of(graph.metadata, str(path))
    if set(metadata.inputs) != set(graph.inputs) or not set(metadata.outputs) <= set(graph.outputs):
        raise GraphFileError(f"{path}: its inputs and outputs are not those that it says it has: export it again")
    return graph, metadata


class ExportedFile(_Exported):
    """A network in one file: it gives probabilities alone."""

    def __init__(self, path: Path, runtime: Runtime = "onnx", device: str = "auto", resize: Sizing | None = None):
        self.graph, metadata = _opened(path, runtime, device)
        super().__init__(path, self.graph, metadata, runtime, resize)

    def __call__(self, image: np.ndarray, resized: np.ndarray | None = None, levels: bool = False) -> NetworkMaps:
        """See `Network`; the only level is S0. The maps are of the size of `resized` where the image is not above the threshold.

        Raises SizeError for what the file does not take.
        """
        probability = self.probability(image, resized)
        return NetworkMaps(probability, (logits_of(probability),) if levels else ())

    def probability(self, image: np.ndarray, resized: np.ndarray | None = None) -> np.ndarray:
        """Saliency (B, 1, h, w) in 0..1."""
        metadata = self.metadata
        if metadata.fixed is not None and len(image) > 1:
            copies = [None] * len(image) if resized is None else [copy[None] for copy in resized]
            singles = [self.probability(one[None], copy) for one, copy in zip(image, copies, strict=True)]
            return np.concatenate(singles)
        if metadata.threshold is None:
            self._check("image", image)
            return self.graph.run({"image": image}, ["saliency"])[0]
        resized = self._check_copy(resized)
        if min(image.shape[2:]) <= metadata.threshold:
            height, width = metadata.fixed["image"] if metadata.fixed else self.rule.nearest((0, 0))
            unused = np.zeros((len(resized), 3, height, width), np.float32)
            return self.graph.run({"image": unused, "resized": resized}, ["low"])[0]
        self._check("image", image)
        return self.graph.run({"image": image, "resized": resized}, ["saliency"])[0]


class ExportedParts(_Exported):
    """An InSPyReNet in parts: encoder, decoder and, where it blends, blending. What lies between them may be changed."""

    def __init__(self, folder: Path, runtime: Runtime = "onnx", device: str = "auto", resize: Sizing | None = None):
        self.encoder, metadata = _opened(_part(folder, "encoder"), runtime, device)
        super().__init__(folder, self.encoder, metadata, runtime, resize)
        self.decoder = self._other("decoder", device)
        self.threshold = metadata.threshold
        self.blending = self._other("blending", device) if self.threshold is not None else None
        self.parts = self

    def _other(self, name: str, device: str) -> Graph:
        """Raises GraphFileError for a part of another network, which would give wrong maps without a word."""
        graph, metadata = _opened(_part(self.weights, name), self.runtime, device)
        if metadata.inputs != INPUTS[name] or _whole(metadata) != _whole(self.metadata):
            raise GraphFileError(
                f"{graph.path} belongs to another network than the encoder beside it: export the parts again"
            )
        return graph

    def __call__(self, image: np.ndarray, resized: np.ndarray | None = None, levels: bool = False) -> NetworkMaps:
        """See `Network`. Raises SizeError for what the network does not take."""
        if self.threshold is None:
            return self._maps(image, levels)
        resized = self._check_copy(resized)
        if min(image.shape[2:]) <= self.threshold:
            return self._maps(resized, levels)
        low = self.decode(*self.encode(resized), ["S0"])[0]
        features, s3 = self.encode(image)
        details = self.decode(features, s3, DETAILS)
        found = self.blend(low, s3, details, (COARSE, *FINER, *DETAILS) if levels else ("S0",))
        return _with_levels(found) if levels else NetworkMaps(sigmoid(found[0]))

    def encode(self, image: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """See `Parts`. Raises SizeError for what the network does not take."""
        self._check("image", image)
        *features, s3 = self.encoder.run({"image": image}, (*FEATURES, COARSE))
        return features, s3

    def decode(self, features: Sequence[np.ndarray], s3: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray]:
        """See `Parts`."""
        return self.decoder.run(dict(zip((*FEATURES, COARSE), (*features, s3), strict=True)), outputs)

    def blend(
        self, low: np.ndarray, s3: np.ndarray, details: Sequence[np.ndarray], outputs: Sequence[str]
    ) -> list[np.ndarray]:
        """See `Parts`. Raises GraphFileError where the network does not blend."""
        if self.blending is None:
            raise GraphFileError(f"{self.weights} does not blend")
        inputs = dict(zip(("low", COARSE, *DETAILS), (low, s3, *details), strict=True))
        return self.blending.run(inputs, [f"blended_{name}" for name in outputs])

    def _maps(self, image: np.ndarray, levels: bool) -> NetworkMaps:
        features, s3 = self.encode(image)
        if not levels:
            return NetworkMaps(sigmoid(self.decode(features, s3, ["S0"])[0]))
        return _with_levels([s3, *self.decode(features, s3, (*FINER, *DETAILS))])


def _with_levels(found: Sequence[np.ndarray]) -> NetworkMaps:
    saliency = tuple(found[:4])
    return NetworkMaps(sigmoid(saliency[-1]), saliency, tuple(found[4:]))


def _part(folder: Path, name: str) -> Path:
    return folder / f"{name}.onnx"


def preprocess_of(metadata: ModelMetadata, resize: Sizing | None) -> Preprocess:
    """The sizing as the metadata says where `resize` agrees with it or is None; else to the base size, or ("dynamic") DYNAMIC.

    Raises SizeError where a file of one size is asked for another.
    """
    copy = metadata.base_size if metadata.threshold is not None else None
    fit = SizeRule(metadata.multiple, metadata.offset, metadata.least).nearest
    own = Preprocess(metadata.sizing, metadata.size, copy, metadata.mean, metadata.std, metadata.backend, fit)
    if resize is None or resize == own.sizing:
        return own
    if metadata.fixed is not None:
        raise SizeError(
            f"this file takes images of {_text(metadata.fixed['image'])} only: resize static, or export with --dynamic"
        )
    size = DYNAMIC if resize == "dynamic" else metadata.base_size
    return Preprocess(resize, size, copy, metadata.mean, metadata.std, metadata.backend, fit)


def _text(size: Sequence[int]) -> str:
    return "×".join(map(str, size))
