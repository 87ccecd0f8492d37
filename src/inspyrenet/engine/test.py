"""Predicts test sets: one PNG per image at its own size, under <pred_root>/<set>/, sub-folders kept."""

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..data.datasets.layout import mask_folder, set_folder
from ..data.datasets.pairs import Pair
from ..data.datasets.torch_datasets import TestDataset, collate_test
from ..data.images.preprocess import NotFiniteError, Stretch, resize, to_map
from ..data.images.read import read_image
from ..data.images.write import write_map
from ..lib.types import SaliencyPyramid
from ..utils.config.load import ConfigError, filled_in
from ..utils.config.schema import Config
from ..utils.report.visualize import pyramid_picture
from ..utils.system.allocator import bound_kernel_caches, freed_memory_kept
from ..utils.system.precision import flush_denormals
from ..utils.train import distributed
from . import build, predicted
from .predictor import Predictor

WRITERS = 2  # threads that compress PNG files while the network works
PENDING = 64  # maps that may wait for them
LISTED = 20  # images that failed, by name


class PredictionError(RuntimeError):
    """Some images have no map. All others have theirs."""


def predict_sets(
    config: Config, device: torch.device, log: logging.Logger, bar: bool = False, debug: bool = False
) -> str:
    """Predict Test.Dataset.sets with the weights of Test.Checkpoint; returns the closing line.

    Raises PreflightError for bad data, ConfigError for maps among the images, FileNotFoundError or CheckpointError without
    weights, OSError where a map cannot be written, and at the end PredictionError that lists the images without a map. Under
    several processes each predicts its share.
    """
    flush_denormals()
    bound_kernel_caches()
    test = build.section(config, "Test")
    found = build.pairs(test.Dataset, need_masks=False)
    root = folder_of_maps(config, found)
    model, weights = build.trained_network(config)
    log.info("weights from %s", weights)
    predictor = predictor_of(config, model, device)
    if distributed.is_main():
        predicted.begin(config)
    mine = found[distributed.rank() :: distributed.world_size()]
    started = time.monotonic()
    failed: list[str] = []
    if mine:
        images = TestDataset(mine, build.preprocess(build.section(config, "Model"), test), on_error="report")
        loader = DataLoader(
            images, test.Dataloader.batch_size, num_workers=test.Dataloader.num_workers, collate_fn=collate_test
        )
        with freed_memory_kept():
            failed = _predict(loader, predictor, root, test.normalize, bar and distributed.is_main(), debug, images)
    failed = [line for lines in distributed.gather(failed) for line in lines]
    if failed:
        rest = [f"… and {len(failed) - LISTED} more"] * (len(failed) > LISTED)
        lines = "\n  ".join(failed[:LISTED] + rest)
        raise PredictionError(f"{len(failed)} of {len(found)} images have no map, the others are in {root}:\n  {lines}")
    seconds = time.monotonic() - started
    sets = ", ".join(f"{name} {sum(pair.dataset == name for pair in found)}" for name in test.Dataset.sets)
    return f"{config.name}: {len(found)} maps in {root} ({sets}), {len(found) / seconds:.2f} images/s"


def folder_of_maps(config: Config, pairs: Sequence[Pair]) -> Path:
    """Eval.pred_root. Raises ConfigError where maps would lie among the images or masks, some of which they could replace."""
    root, dataset = Path(filled_in(config.Eval.pred_root, "Eval.pred_root")), build.section(config, "Test").Dataset
    roots = {Path(folder).resolve() for folder in (dataset.root, dataset.mask_root, config.Eval.gt_root) if folder}
    names = {pair.dataset for pair in pairs}
    folders = {pair.image.parent for pair in pairs}
    folders |= {masks for name in names if (masks := mask_folder(set_folder(Path(dataset.root), name))) is not None}
    folders = {folder.resolve() for folder in folders}
    for name in names:
        maps = (root / name).resolve()
        among = any(folder.is_relative_to(maps) or maps.is_relative_to(folder) for folder in folders)
        if among or root.resolve() in roots:
            raise ConfigError(
                [f"Eval.pred_root: {root} holds the images or masks of {name}; take another folder for the maps"]
            )
    return root


def predictor_of(config: Config, model: nn.Module, device: torch.device) -> Predictor:
    """The trained network behind one call, as the Test section says."""
    section, test = build.section(config, "Model"), build.section(config, "Test")
    return Predictor(
        model.to(device).eval(),
        device,
        section.threshold,
        section.alignment,
        test.precision,
        merging=test.patch_merging,
        scales=test.scales,
        flip=test.flip,
    )


def _predict(
    loader: DataLoader,
    predictor: Predictor,
    root: Path,
    normalize: Stretch,
    bar: bool,
    debug: bool,
    images: TestDataset,
) -> list[str]:
    """What could not be predicted, and why."""
    sources = {(pair.dataset, pair.name): pair.image for pair in images.pairs}
    pending: list[Future] = []
    failed: list[str] = []
    with ThreadPoolExecutor(WRITERS) as pool, tqdm(total=len(images), unit="image", disable=not bar) as progress:
        for groups in loader:
            for batch in groups:
                if "error" in batch:
                    failed += batch["error"]
                    remove_maps(root, batch)
                    progress.update(len(batch["error"]))
                    continue
                out = predictor(batch["image"], batch["resized"], levels=debug)
                maps = out.logits.sigmoid().float().cpu().numpy()
                for i, (dataset, name) in enumerate(zip(batch["dataset"], batch["name"], strict=True)):
                    pending.append(
                        pool.submit(_write, maps[i : i + 1], batch["shape"][i], normalize, root, f"{dataset}/{name}")
                    )
                    if debug:
                        _write_levels(out, i, sources[dataset, name], root / "debug" / dataset / f"{name}.png")
                    progress.update()
                while len(pending) > PENDING:
                    failed += pending.pop(0).result()
        for future in pending:
            failed += future.result()
    return failed


def _write(saliency: np.ndarray, shape: tuple[int, int], normalize: Stretch, root: Path, name: str) -> list[str]:
    """Why there is no map of this image, <set>/<name>; nothing where it was written."""
    path = root / f"{name}.png"
    try:
        values = to_map(saliency, shape, normalize)
    except NotFiniteError as error:
        path.unlink(missing_ok=True)  # of an earlier run
        return [f"{name}: {error}"]
    write_map(values, path)
    return []


def remove_maps(root: Path, batch: Mapping[str, Any]) -> None:
    """Of images that could not be read: the maps of an earlier run, which would be scored as if they were new."""
    for dataset, name in zip(batch["dataset"], batch["name"], strict=True):
        (root / dataset / f"{name}.png").unlink(missing_ok=True)


def _write_levels(out: SaliencyPyramid, index: int, source: Path, path: Path) -> None:
    """The pyramid of one image as a picture."""
    from PIL import Image

    one = SaliencyPyramid(*(tuple(x[index : index + 1] for x in maps) for maps in out[:2]))
    picture = pyramid_picture(one, _at_most(read_image(source), 1024))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def _at_most(image: np.ndarray, side: int) -> np.ndarray:
    scale = min(1.0, side / max(image.shape[:2]))
    return resize(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))
