"""From a trained network to one file with its graph: record, write, and compare with the network itself."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.datasets.synthetic import SyntheticShapes
from ..data.hub.onnx_files import ModelMetadata, load_program, save_onnx, save_program
from ..data.images.preprocess import MEAN, STD, Preprocess, resize
from ..data.whole_file import whole_file
from ..lib.export.parts import Blending, Decoder, Encoder, record_parts
from ..lib.export.wrappers import record
from ..lib.sizes import SizeRule, size_rule
from ..networks.exported import is_exported, open_exported
from ..networks.network import Network
from ..utils.system.extras import how_to_install
from ..utils.system.precision import flushed_denormals
from . import build, presets
from .predictor import Predictor

if TYPE_CHECKING:
    from .presets import ModelSpec

OPSET = 20
NATIVE_OPSET = 19  # from here on ONNX has deformable convolutions
TOLERANCE = 1e-4  # of probabilities
FLAT = 0.05  # a map whose probabilities lie closer together shows nothing
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
DEFORM = ("grid", "native")
PARTS: dict[str, type[Encoder] | type[Decoder] | type[Blending]] = {
    "encoder": Encoder,
    "decoder": Decoder,
    "blending": Blending,
}


class ExportError(RuntimeError):
    """An export that cannot be had, or whose result is not what the network gives; the message says why."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export: format onnx or torch, any size or one.

    size: (height, width) of the input; needed for nothing where sizes are dynamic, but checked too. deform: what becomes of
    deformable convolutions (see lib.export.exportable). parts: a folder with the graphs of lib.export.parts, for any size, in place
    of one file.
    """

    format: str = "onnx"
    dynamic: bool = False
    output: Path | None = None
    size: tuple[int, int] | None = None
    opset: int = OPSET
    check: bool = True
    deform: str = "grid"
    parts: bool = False


@dataclass(frozen=True)
class ParityResult:
    """One comparison of the file with the network; spread: from the lowest to the highest probability of the network's map."""

    size: tuple[int, int]
    batch: int
    difference: float
    spread: float

    @property
    def good(self) -> bool:
        return self.difference <= TOLERANCE


def default_output(name: str, options: ExportOptions) -> Path:
    """Where the network of that name goes, if nothing else is said: a file, or a folder for parts. A name may have dots."""
    return Path(name if options.parts else name + SUFFIXES[options.format])


def to_stderr(line: str) -> None:
    """Where what happens is told by default."""
    print(line, file=sys.stderr)


def export(spec: "ModelSpec", options: ExportOptions, say: Callable[[str], None] = to_stderr) -> Path:
    """Export as the options say; the file that was written.

    Raises ExportError, SizeError and GraphError with what to do, and what reading weights raises; then no file is left.
    """
    check_options(options)
    output = options.output or default_output(spec.name, options)
    with timed_log(say, f"loading {spec.weights}"):
        model = build.loaded(spec.config, spec.weights)
    metadata = metadata_for(spec, options, size_rule(model))
    if options.parts:
        _export_parts(model.eval(), metadata, options, output, say)
        return output
    with timed_log(say, f"recording {metadata.model} as a graph ({sizes_text(metadata)}): minutes for a large network"):
        program = record(model.eval(), metadata.fixed, metadata.blended, metadata.alignment, options.deform)
    with whole_file(output, sync_name=True) as unchecked:
        with timed_log(say, f"writing {output}"):
            write(program, metadata, options, unchecked)
        if options.check:
            _check_parity(unchecked, output, model, metadata, options, say)
    return output


def _export_parts(
    model: nn.Module, metadata: ModelMetadata, options: ExportOptions, output: Path, say: Callable[[str], None]
) -> None:
    """Write the folder; an older one stays as it was until all is written and compared."""
    with timed_log(say, f"recording the parts of {metadata.model} as graphs"):
        programs = record_parts(model, metadata.blended, metadata.alignment)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=output.parent) as name:
        unchecked = Path(name)
        with timed_log(say, f"writing {output}"):
            for part, program in programs.items():
                own = replace(metadata, inputs=PARTS[part].inputs, outputs=PARTS[part].outputs)
                save_onnx(to_onnx(program, own, options.opset), own, unchecked / f"{part}.onnx", compact=True)
        if options.check:
            _check_parity(unchecked, output, model, metadata, options, say)
        output.mkdir(exist_ok=True)
        for part in PARTS:
            written = unchecked / f"{part}.onnx"
            if written.is_file():
                written.replace(output / written.name)
            else:
                (output / written.name).unlink(missing_ok=True)


def _check_parity(
    path: Path,
    output: Path,
    model: nn.Module,
    metadata: ModelMetadata,
    options: ExportOptions,
    say: Callable[[str], None],
) -> None:
    """Print how far `path`, which is to become `output`, is from the network. Raises ExportError where that is too far."""
    with timed_log(say, "comparing with the network"):
        rows = compare(path, model, metadata, cases(metadata, options.size))
    print(table(rows, options.format))
    if not all(row.good for row in rows):
        worst = max(rows, key=lambda row: row.difference)
        raise ExportError(
            f"the graph differs from the network by {worst.difference:.1e} at {worst.size[0]}×{worst.size[1]} "
            f"(at most {TOLERANCE:.0e} is allowed), so {output} was not written. Weights that were never trained amplify "
            "rounding: train first, or write it unchecked with --no-check"
        )


def check_options(options: ExportOptions) -> None:
    """Raises ExportError for what cannot be done, before anything is loaded."""
    absent = [name for name in PACKAGES[options.format] if find_spec(name) is None]
    if absent:
        raise ExportError(f"format {options.format} needs {', '.join(absent)}: {how_to_install('export')}")
    if options.deform == "native" and options.format == "onnx" and options.opset < NATIVE_OPSET:
        raise ExportError(
            f"deformable convolutions are in ONNX from opset {NATIVE_OPSET} on, not in {options.opset}: --deform grid"
        )
    if options.format == "onnx" and options.opset < 18:
        raise ExportError(f"opset {options.opset} is too old for this exporter: 18 or more")
    if options.parts:
        if options.format != "onnx":
            raise ExportError("parts are written in the format onnx")
        if options.output is not None and options.output.is_file():
            raise ExportError(f"{options.output}: parts are written to a folder, and this is a file")
        return
    if options.output is not None and options.output.suffix.lower() != SUFFIXES[options.format]:
        raise ExportError(f"{options.output}: the file of format {options.format} ends in {SUFFIXES[options.format]}")


def metadata_for(spec: "ModelSpec", options: ExportOptions, rule: SizeRule) -> ModelMetadata:
    """What the file will say about itself. Raises SizeError for a size that the network does not take, ExportError for
    predictions that are no single pass."""
    from .. import __version__

    model, test = build.section(spec.config, "Model"), spec.config.Test
    if test is not None:
        for word, several in (
            ("Test.flip=false", test.flip),
            ("Test.scales=[1]", test.scales != (1.0,)),
            ("Test.patch_merging=false", test.patch_merging),
        ):
            if several:
                raise ExportError(f"a file holds a single pass, or a blended one: export it with {word}")
    own = build.preprocess(model, test) if test else Preprocess(size=model.base_size)
    sizing, size, fixed = own.sizing, own.size, None
    threshold = model.threshold
    if not (options.dynamic or options.parts):
        one = options.size or (model.base_size if isinstance(own.size, int) else own.size)
        rule.check(one)
        if threshold is not None and min(one) <= threshold:  # the rule takes the base-size copy alone: decided here
            threshold, one = None, model.base_size
        sizing, size = "static", one
        fixed = {"image": one} if threshold is None else {"image": one, "resized": model.base_size}
    elif options.size is not None:
        rule.check(options.size)
    blended = threshold is not None
    return ModelMetadata(
        name=spec.name,
        model=model.name,
        inputs=("image", "resized") if blended else ("image",),
        outputs=("saliency", "low") if blended else ("saliency",),
        multiple=rule.multiple,
        offset=rule.offset,
        least=rule.least,
        base_size=model.base_size,
        sizing=sizing,
        size=size,
        mean=own.mean or MEAN,
        std=own.std or STD,
        backend=own.backend,
        threshold=threshold,
        alignment=model.alignment,
        normalize=test.normalize if test else "none",
        fixed=fixed,
        weights=spec.weights.name,
        license=presets.terms_of(spec) or "not stated with the weights",
        version=__version__,
    )


def write(program: torch.export.ExportedProgram, metadata: ModelMetadata, options: ExportOptions, path: Path) -> None:
    """The recorded graph as a file."""
    if options.format == "torch":
        save_program(program, metadata, path)
        return
    save_onnx(to_onnx(program, metadata, options.opset), metadata, path)


def to_onnx(program: torch.export.ExportedProgram, metadata: ModelMetadata, opset: int) -> Any:
    """The recorded graph in ONNX's operations, under the metadata's names; a recorded graph can be translated once.

    Raises ExportError. The exporter's own optimization takes longer than the rest and gains nothing over
    `data.hub.onnx_files.tidy`.
    """
    options: dict[str, Any] = {"opset_version": opset, "dynamo": True, "optimize": False, "verbose": False}
    with torch.no_grad():
        try:
            return torch.onnx.export(
                program, input_names=[*metadata.inputs], output_names=[*metadata.outputs], **options
            )
        except torch.onnx.OnnxExporterError as error:
            cause = error.__cause__ or error
            reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
            raise ExportError(f"{metadata.model} has no form in ONNX's opset {opset}: {reason[:300]}") from error


def sizes_text(metadata: ModelMetadata) -> str:
    """The sizes that the file takes, in words."""
    if metadata.fixed is None:
        return f"sides are {SizeRule(metadata.multiple, metadata.offset, metadata.least)}"
    return ", ".join(f"{name} {height}×{width}" for name, (height, width) in metadata.fixed.items())


# -- comparing ----------------------------------------------------------------------------------------------------


def cases(metadata: ModelMetadata, size: tuple[int, int] | None = None) -> list[tuple[tuple[int, int], int]]:
    """Sizes and batches at which to compare: around the base size, not square, and where blending begins."""
    if metadata.fixed is not None:
        return [(metadata.fixed["image"], 1)]
    rule = SizeRule(metadata.multiple, metadata.offset, metadata.least)
    height, width = metadata.base_size
    found = [(rule.nearest((height, width)), 1), (rule.nearest((height * 0.7, width * 1.2)), 2)]
    if metadata.blended and (threshold := metadata.threshold) is not None:
        step = max(metadata.multiple, 32)
        found += [(rule.nearest((threshold + step, threshold + 2 * step)), batch) for batch in (1, 2)]
    return found + ([(size, 1)] if size is not None else [])


def compare(
    path: Path, model: nn.Module, metadata: ModelMetadata, wanted: list[tuple[tuple[int, int], int]]
) -> list[ParityResult]:
    """The greatest difference between the file and the network, in probability, in each case."""
    network = Predictor(model.eval(), torch.device("cpu"), metadata.threshold, metadata.alignment)
    run = runner(path)
    rows = []
    for size, batch in wanted:
        image, resized = pictures(metadata, size, batch)
        with flushed_denormals():
            ours = network(image, resized).logits.sigmoid().numpy()
        rows.append(ParityResult(size, batch, float(np.abs(ours - run(image, resized)).max()), float(np.ptp(ours))))
    return rows


def runner(path: Path) -> Callable[[Tensor, Tensor | None], np.ndarray]:
    """(image, resized or None) → saliency as an array, from an exported file."""
    if is_exported(path):
        return exported_runner(open_exported(path, "onnx", "cpu"))
    program, metadata = load_program(path)
    module = program.module()

    def run(image: Tensor, small: Tensor | None) -> np.ndarray:
        with torch.inference_mode(), flushed_denormals():
            if not metadata.blended or metadata.threshold is None:
                return module(image).numpy()
            saliency, low = module(image, small)
            return (low if min(image.shape[2:]) <= metadata.threshold else saliency).numpy()

    return run


def exported_runner(network: Network) -> Callable[[Tensor, Tensor | None], np.ndarray]:
    """(image, resized or None) → saliency, from an exported network in onnxruntime."""
    return lambda image, small: network(image.numpy(), None if small is None else small.numpy()).probability


def pictures(metadata: ModelMetadata, size: tuple[int, int], batch: int) -> tuple[Tensor, Tensor | None]:
    """Painted images, prepared for the network: (batch, 3, *size), and their copies at the base size where it takes them."""
    painted = [sample.image for sample in SyntheticShapes(batch, seed=5, size=(160, 160))]
    copy = metadata.base_size if metadata.blended else None
    prepare = Preprocess("static", size, copy, metadata.mean, metadata.std, metadata.backend)
    pairs = [prepare(resize(image, (max(size), max(size)))) for image in painted]
    small = [pair[1] for pair in pairs if pair[1] is not None]
    image = torch.from_numpy(np.stack([pair[0] for pair in pairs]))
    return image, torch.from_numpy(np.stack(small)) if small else None


def table(rows: list[ParityResult], format: str) -> str:
    """The comparisons as text."""
    against = {"onnx": "onnxruntime", "torch": "torch.export"}[format]
    lines = [
        f"{against} against the network (probabilities, at most {TOLERANCE:.0e})",
        "size         batch  difference  of values within",
    ]
    for row in rows:
        size = f"{row.size[0]}×{row.size[1]}"
        lines.append(
            f"{size:<12} {row.batch:<6} {row.difference:<11.1e} {row.spread:.3f}{'' if row.good else '  TOO MUCH'}"
        )
    if all(row.spread < FLAT for row in rows):
        lines.append("these maps are flat, so that they agree says little: were the weights trained?")
    return "\n".join(lines)


@contextmanager
def timed_log(say: Callable[[str], None], what: str) -> Iterator[None]:
    """Say what happens, and how long it took."""
    say(f"{what} …")
    started = time.perf_counter()
    yield
    say(f"  {time.perf_counter() - started:.0f} s")


def parse_size(text: str) -> tuple[int, int]:
    """`384x640` → (384, 640). Raises ExportError."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) for part in parts):
        raise ExportError(f"a size is HEIGHTxWIDTH, such as 384x640, not {text!r}")
    return int(parts[0]), int(parts[1])
