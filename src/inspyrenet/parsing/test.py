"""Predicts test sets of scenes: one label map with a palette per image at its own size, under <pred_root>/<set>/."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..data.datasets.torch_datasets import TestDataset, collate_test
from ..data.images.encode import write_picture
from ..data.images.label_maps import write_label_map
from ..data.images.read import read_image
from ..engine import build, predicted
from ..engine.test import LISTED, PredictionError, folder_of_maps, remove_maps
from ..utils.config.schema import Config
from ..utils.system.allocator import bound_kernel_caches, freed_memory_kept
from ..utils.system.precision import flush_denormals
from ..utils.train import distributed
from .pictures import overlay, whole_palette
from .predictor import ScenePredictor

OVERLAYS = "overlay"  # folder below pred_root
NOT_FINITE = "the probabilities of its classes are not finite; try precision float32, check the weights"


def predict_scenes(config: Config, device: torch.device, log: logging.Logger, bar: bool = False) -> str:
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
        sources = {(pair.dataset, pair.name): pair.image for pair in mine}
        with (
            freed_memory_kept(),
            tqdm(total=len(mine), unit="image", disable=not (bar and distributed.is_main())) as progress,
        ):
            for batch in _batches(config, images):
                if "error" in batch:
                    failed += batch["error"]
                    for folder in (root, root / OVERLAYS):
                        remove_maps(folder, batch)
                else:
                    failed += _predict(batch, predictor, config, root, sources)
                progress.update(len(batch["name"]))
    failed = [line for lines in distributed.gather(failed) for line in lines]
    if failed:
        rest = [f"… and {len(failed) - LISTED} more"] * (len(failed) > LISTED)
        lines = "\n  ".join(failed[:LISTED] + rest)
        raise PredictionError(f"{len(failed)} of {len(found)} images have no map, the others are in {root}:\n  {lines}")
    seconds = time.monotonic() - started
    sets = ", ".join(f"{name} {sum(pair.dataset == name for pair in found)}" for name in test.Dataset.sets)
    return f"{config.name}: {len(found)} label maps in {root} ({sets}), {len(found) / seconds:.2f} images/s"


def predictor_of(config: Config, model: nn.Module, device: torch.device) -> ScenePredictor:
    """The trained network behind one call, as the Test section says."""
    test = build.section(config, "Test")
    return ScenePredictor(model.to(device).eval(), device, test.precision, test.scales, test.flip, test.crop)


def _batches(config: Config, images: TestDataset) -> Iterator[dict[str, Any]]:
    settings = build.section(config, "Test").Dataloader
    loader = DataLoader(images, settings.batch_size, num_workers=settings.num_workers, collate_fn=collate_test)
    return (batch for groups in loader for batch in groups)


def _predict(
    batch: dict[str, Any],
    predictor: ScenePredictor,
    config: Config,
    root: Path,
    sources: dict[tuple[str, str], Path],
) -> list[str]:
    """Writes what one batch gives; returns what could not be predicted, and why."""
    names, test = build.section(config, "Model").class_names, build.section(config, "Test")
    palette, failed = whole_palette(test.palette), []
    maps = predictor(batch["image"], batch["shape"])
    for labels, dataset, name in zip(maps, batch["dataset"], batch["name"], strict=True):
        if labels is None:
            failed.append(f"{dataset}/{name}: {NOT_FINITE}")
            for folder in (root, root / OVERLAYS):
                (folder / dataset / f"{name}.png").unlink(missing_ok=True)  # of an earlier run
            continue
        write_label_map(labels, root / dataset / f"{name}.png", palette)
        if test.overlay:
            picture = overlay(read_image(sources[dataset, name]), labels, palette, names)
            write_picture(picture, root / OVERLAYS / dataset / f"{name}.png", "png")
    return failed
