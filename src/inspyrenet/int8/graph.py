"""A float32 ONNX file as one in int8: onnxruntime's static quantization, with ranges of values from calibration images."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.datasets.pairs import Pair
from ..data.hub.onnx_files import KEY, ModelMetadata
from ..data.images.preprocess import Preprocess
from ..data.images.read import read_image
from ..utils.metrics.evaluate import progress

# What is computed in 8 bits, but for `left_in_float32`. Clip and Relu take no step of their own, but bound what the convolution
# before them gives: without them max F of the bundled model falls by .029.
QUANTIZED = ("Conv", "MatMul", "Gemm", "Clip", "Relu")


class Int8Error(RuntimeError):
    """A file in int8 that cannot be had, or is not good enough; the message says why."""


class _Calibration:
    """The network's inputs for one image after the other, as onnxruntime's calibration asks for them."""

    def __init__(self, images: Sequence[Pair], prepare: Preprocess, names: Sequence[str]):
        self._names, self._prepare = names, prepare
        self._images: Iterator[Pair] = iter(progress(images, len(images), "image", None))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Name of an input → (1, 3, h, w); None after the last image. Raises ImageError."""
        pair = next(self._images, None)
        if pair is None:
            return None
        prepared = self._prepare(read_image(pair.image))
        return {name: np.asarray(one)[None] for name, one in zip(self._names, prepared, strict=False)}


def quantize(source: Path, target: Path, metadata: ModelMetadata, images: Sequence[Pair], prepare: Preprocess) -> None:
    """Write the float32 file `source` in int8: 8-bit weights, one scale per channel, and 8-bit activations (QDQ).

    images: what the ranges of activations are taken from, from the lowest to the highest value. The activations are unsigned and
    the weights signed, in full range: exact on every CPU but x86 ones without VNNI, where sums may saturate.
    Raises Int8Error for a network of which nothing can be computed in 8 bits.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _maps_let_go():
        prepared = Path(folder) / "prepared.onnx"
        # normalization goes into the convolutions; symbolic shapes would need another package and gain nothing
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        for index, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}_{index}"  # nodes are left out by name
        onnx.save(model, prepared)
        quantize_static(
            str(prepared),
            str(target),
            _Calibration(images, prepare, metadata.inputs),
            QuantFormat.QDQ,
            op_types_to_quantize=[*QUANTIZED],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=left_in_float32(model),
            calibrate_method=CalibrationMethod.MinMax,
        )
    model = onnx.load(target)
    if not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise Int8Error(f"{metadata.name} has nothing to compute in 8 bits: no convolution or product with weights")
    _describe(model, replace(metadata, precision="int8"))
    onnx.save(model, target)


@contextmanager
def _maps_let_go() -> Iterator[None]:
    """onnxruntime's calibration takes each range where it comes up, and keeps no memory.

    Left to itself it takes all of them at the end, and until then holds every map of the network: three times the memory for a
    SwinB at 384×384, and more than a machine has at 1280×1920.
    """
    import onnxruntime
    from onnxruntime.quantization.calibrate import CalibraterBase

    def create_inference_session(self: CalibraterBase) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # as before
        options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        path, providers = self.augmented_model_path, self.execution_providers
        self.infer_session = onnxruntime.InferenceSession(path, options, providers=providers)

    before = CalibraterBase.create_inference_session
    CalibraterBase.create_inference_session = create_inference_session
    try:
        yield
    finally:
        CalibraterBase.create_inference_session = before


def left_in_float32(model: Any) -> list[str]:
    """Names of the nodes that stay as they are: products of two activations, which is attention, and convolutions that give a
    single channel, which are maps: their steps would be seen, and they cost next to nothing."""
    weights = {entry.name: entry.dims for entry in model.graph.initializer}
    of_activations = [
        node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[1] not in weights
    ]
    of_maps = [
        node.name for node in model.graph.node if node.op_type == "Conv" and weights.get(node.input[1], [0])[0] == 1
    ]
    return of_activations + of_maps


def _describe(model: Any, metadata: ModelMetadata) -> None:
    """The file's metadata, in place of what the tools have left; and no sets of operations that it does not use."""
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=metadata.to_json())
    model.producer_name, model.producer_version = "inspyrenet", metadata.version
    used = {node.domain for node in model.graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
