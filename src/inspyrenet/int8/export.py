"""From a trained network to a file in int8, which is written only where held-out pairs show that its maps stay good."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.datasets.pairs import Pair, find_pairs
from ..data.hub.download import hash_of
from ..data.whole_file import whole_file
from ..engine.export import ExportOptions, check_options, export, timed_log, to_stderr
from ..networks.exported import ExportedFile, preprocess_of
from ..utils.system.paths import expanded
from .graph import Int8Error, quantize
from .trial import try_out

if TYPE_CHECKING:
    from ..engine.presets import ModelSpec

FEWEST = 20  # calibration images, and held-out pairs: fewer say too little
SHOWN = 3  # copies by name
MOST = 300  # calibration images that are used: more take time and change nothing


@dataclass(frozen=True)
class Int8Options:
    """calibrate: a folder of images, or a data set, of which only the images are used. held_out: a data set, images with masks."""

    calibrate: Path
    held_out: Path


@dataclass(frozen=True)
class Int8Data:
    """What was found in the folders."""

    calibration: Sequence[Pair]
    held_out: Sequence[Pair]


def export_int8(
    spec: "ModelSpec", options: ExportOptions, int8: Int8Options, say: Callable[[str], None] = to_stderr
) -> Path:
    """Export in float32 as the options say, quantize, compare both on the held-out pairs; the int8 file that was written.

    Raises Int8Error with the scores of both where int8 is too much worse, PreflightError for folders that cannot be used, and
    what `engine.export.export` raises; then no file is left.
    """
    check_options(options)
    data = find_data(int8)
    output = options.output or Path(f"{spec.name}_int8.onnx")
    with tempfile.TemporaryDirectory() as folder:
        float32 = export(spec, replace(options, output=Path(folder) / "float32.onnx"), say)
        quantize_file(float32, output, data, say)
    return output


def find_data(int8: Int8Options) -> Int8Data:
    """The images and pairs of the folders. Raises Int8Error where they are too few or the same, PreflightError otherwise."""
    calibration = _pairs(int8.calibrate, "--calibrate", need_masks=False)
    held_out = _pairs(int8.held_out, "--held-out", need_masks=True)
    if len(calibration) < FEWEST:
        raise Int8Error(
            f"--calibrate {int8.calibrate}: {_count(calibration, 'image')} for calibration, at least {FEWEST} are needed; "
            f"100 to {MOST} of the kind that the network will see are good"
        )
    if len(held_out) < FEWEST:
        raise Int8Error(
            f"--held-out {int8.held_out}: {_count(held_out, 'pair')} to compare on, at least {FEWEST} are needed; some hundred, "
            "which the network was not trained on, are good"
        )
    known = {hash_of(pair.image): pair.image for pair in calibration}
    same = [(pair.image, copy) for pair in held_out if (copy := known.get(hash_of(pair.image)))]
    if same:
        shown = ", ".join(f"{image} has the content of {copy}" for image, copy in same[:SHOWN])
        more = f", and {len(same) - SHOWN} more" if len(same) > SHOWN else ""
        raise Int8Error(
            f"held-out images are calibration images too: {shown}{more}. What int8 was fitted to cannot show how good it is"
        )
    return Int8Data(calibration, held_out)


def _pairs(folder: Path, option: str, need_masks: bool) -> list[Pair]:
    """A data set by its folder, wherever it is; without masks the images of a plain folder, evenly spread where they are many."""
    place = expanded(folder).absolute()
    if not place.is_dir():
        raise Int8Error(f"{option} {folder}: no such folder")
    return find_pairs(place.parent, [place.name], need_masks=need_masks, limit=None if need_masks else MOST)


def _count(items: Sequence[Pair], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def quantize_file(float32: Path, output: Path, data: Int8Data, say: Callable[[str], None] = to_stderr) -> None:
    """Write an exported float32 file in int8, if it is nearly as good on the held-out pairs; prints both files' scores.

    Raises Int8Error where it is not; then nothing is written.
    """
    metadata = ExportedFile(float32).metadata
    prepare = preprocess_of(metadata, None)
    with whole_file(output, sync_name=True) as untried:
        with timed_log(say, f"quantizing, with the ranges of values in {_count(data.calibration, 'image')}"):
            quantize(float32, untried, metadata, data.calibration, prepare)
        with timed_log(say, f"comparing float32 and int8 on {_count(data.held_out, 'held-out pair')}"):
            trial = try_out(float32, untried, data.held_out, prepare)
        print(trial.table())
        if not trial.good:
            raise Int8Error(
                f"{output} was not written, since int8 is too much worse than float32 on {trial.pairs} held-out pairs: "
                f"{trial.falls()}. Calibration images that are more like those to come may help; else stay with float32"
            )
